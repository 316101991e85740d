"""From a YAML file and ``key=value`` overrides to a checked `Config`, or to one line saying what is wrong."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from occupancy.config import Config, Data
from occupancy.config.model import DEFAULT
from occupancy.errors import InputError

COMMAND_LINE = "command line"

_Model = TypeVar("_Model", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """Safe YAML that reads ``1e-3`` as a number and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        scalars = (key for key, _ in node.value if isinstance(key, yaml.ScalarNode))  # the base refuses the others
        for key in scalars:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# YAML 1.1 wants a dot in a float, so PyYAML reads 1e-3 as text; a person who writes it means a number.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _load(text: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except (ValueError, AttributeError, RecursionError) as error:  # as for the date 2024-99-99
        raise yaml.YAMLError(str(error)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises:
        InputError: the file is missing, no text, no YAML, empty, or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a YAML file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text; give the path of a YAML file") from None
    try:
        content = _load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is no valid YAML: {_in_one_line(error)}") from None
    if not isinstance(content, dict):
        got = "an empty file" if content is None else _quoted(content)
        raise InputError(f"{path}: got {got}, expected keys with values")
    return content


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> Config:
    """Return the experiment that a YAML file describes, with ``key=value`` overrides applied.

    Args:
        path: the YAML file; its stem names the experiment unless the file gives a ``name``.
        overrides: dotted keys with YAML values, such as ``model.dropout=0.3``.

    Raises:
        InputError: for an unknown key, a wrong type or value, or settings that conflict; one line
            that names the file, the key, what was got and what is allowed.
    """
    path = Path(path)
    tree = read_yaml(path)
    tree.setdefault("name", path.stem)
    return resolve(Config, tree, str(path), parse_overrides(overrides))


def resolve(model: type[_Model], tree: dict[str, Any], where: str, given: Mapping[str, Any] | None = None) -> _Model:
    """Return the checked settings that a mapping and overrides hold.

    Args:
        model: what the mapping describes.
        tree: the keys with their values; the overrides are written into it.
        where: what messages call the origin of the mapping.
        given: the overrides, dotted keys with values.

    Raises:
        InputError: every problem in one line; see `load_config`.
    """
    given = given or {}
    for key, value in given.items():
        put(tree, key, value)
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        problems = (_describe(model, tree, given, where, problem) for problem in error.errors())
        raise InputError("; ".join(problems)) from None


def parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Return dotted keys with their values.

    Raises:
        InputError: for an override that is no ``key=value``, or a key that is given twice.
    """
    given: dict[str, Any] = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not all(part.strip() for part in key.split(".")):
            raise InputError(f"{COMMAND_LINE}: got {text!r}, expected key=value such as data.source=simulated")
        key = key.strip()
        clash = next((k for k in given if k == key or k.startswith(f"{key}.") or key.startswith(f"{k}.")), None)
        if clash is not None:
            raise InputError(f"{COMMAND_LINE}: {key} conflicts with {clash}, given before it; give it once")
        try:
            given[key] = _load(value)
        except yaml.YAMLError:
            given[key] = value  # plain text such as %m/%d/%Y, which YAML wants quoted
    return given


def parse_data_settings(name: str, overrides: Sequence[str]) -> Data:
    """Return the settings of a log that a command was given, whose keys may leave the ``data.`` before them away.

    Args:
        name: how the command is called.
        overrides: as typed.

    Raises:
        InputError: an override is none, or a setting is wrong.
    """
    texts = [text.lstrip() for text in overrides]
    whole = [text if text.startswith(("data.", "=")) or "=" not in text else f"data.{text}" for text in texts]
    settings = resolve(Config, {"name": name}, COMMAND_LINE, parse_overrides(whole)).data
    if settings.rooms is not None:
        raise InputError(
            f"{COMMAND_LINE}: data.rooms: this command looks at one log, so give source=FILE; "
            "python -m occupancy.train --dry-run checks all rooms"
        )
    return settings


def known_keys(model: type[BaseModel] = Config, tree: Any = None, prefix: str = "") -> Iterator[str]:
    """Yield every key that a configuration may hold, dotted.

    Args:
        model: what the configuration describes.
        tree: what it holds already: of sections that exclude each other, the one that it names is asked.
        prefix: what stands before each key.
    """
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        yield key
        below = tree.get(field.alias or name) if isinstance(tree, dict) else None
        several = typing.get_origin(field.annotation) is list
        for section in _chosen(list(_sections(field.annotation)), (below or []) if several else [below]):
            yield from known_keys(section, None if several else below, f"{key}.")


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _sections(part)


def _chosen(sections: list[type[BaseModel]], trees: list[Any]) -> list[type[BaseModel]]:
    """Return the sections that describe some mappings, of several that are told apart by their ``name``."""
    if len(sections) < 2:
        return sections
    names = {tree.get("name", DEFAULT) if isinstance(tree, dict) else DEFAULT for tree in trees}
    return [section for section in sections if section.model_fields["name"].default in names]


def put(tree: dict[str, Any], key: str, value: Any, where: str = COMMAND_LINE) -> None:
    """Write a value under a dotted key into a nested mapping.

    Raises:
        InputError: a part of the key holds a single value; the message begins with where the key was given.
    """
    *parents, last = key.split(".")
    for parent in parents:
        if (below := tree.get(parent)) is None:  # a section that is off, as a resolved config writes it
            below = tree[parent] = {}
        if not isinstance(below, dict):
            raise InputError(f"{where}: {key}: {parent!r} is a single value ({below!r}) and has no keys in it")
        tree = below
    tree[last] = value


def _describe(model: type[BaseModel], tree: dict[str, Any], given: Mapping[str, Any], where: str, problem: Any) -> str:
    key = _key(tree, problem["loc"], problem["type"] == "missing")
    if any(key == k or key.startswith(f"{k}.") or k.startswith(f"{key}.") for k in given):
        where = COMMAND_LINE
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key {key}; {_suggest(model, key, tree)}"
    where = f"{where}: {key}" if key else where
    if problem["type"] == "missing":
        return f"{where} is missing"
    if problem["type"] == "value_error":  # our own checks
        return f"{where}: {problem['ctx']['error']}"
    if problem["type"] == "union_tag_invalid":
        return f"{where}.name: got {_quoted(problem['input']['name'])}, expected {problem['ctx']['expected_tags']}"
    if problem["type"] in {"model_type", "union_tag_not_found"}:
        return f"{where}: got {_quoted(problem['input'])}, expected keys with values"
    said = problem["msg"]
    expected = said.removeprefix("Input should be ")
    remedy = f", expected {expected}" if expected != said else f"; {said[0].lower()}{said[1:]}"
    return f"{where}: got {_quoted(problem['input'])}{remedy}"


def _quoted(value: Any) -> str:
    return f"{value!r} ({type(value).__name__})"


def _key(tree: Any, location: Sequence[str | int], is_missing: bool) -> str:
    """Return the dotted key of a problem; its location also names union members, which no user wrote."""
    parts = []
    below = tree
    for part in location:
        if part in below if isinstance(below, dict) else isinstance(below, list) and isinstance(part, int):
            below = below[part]
            parts.append(part)
    if is_missing:
        parts.append(location[-1])
    return ".".join(map(str, parts or location))


def _suggest(model: type[BaseModel], key: str, tree: dict[str, Any]) -> str:
    key = ".".join(part for part in key.split(".") if not part.isdigit())  # a list's items share their keys
    parent = key.rpartition(".")[0]
    known = list(known_keys(model, tree))
    siblings = [k for k in known if k.rpartition(".")[0] == parent]
    nearest = difflib.get_close_matches(key, siblings, 1, 0.5) or difflib.get_close_matches(key, known, 1, 0.0)
    allowed = ", ".join(k.rpartition(".")[2] for k in siblings)
    return f"did you mean {nearest[0]}?" + (f" allowed in {parent or 'the top level'}: {allowed}" if allowed else "")


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).replace('in "<unicode string>", ', "in ").split())
