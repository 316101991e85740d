"""From a YAML file and ``key=value`` overrides to a checked `Config`, or to one line that says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from occupancy.config import Config, Data
from occupancy.config.keys import COMMAND_LINE, put
from occupancy.config.problems import describe
from occupancy.config.yaml_file import parse_yaml, read_yaml
from occupancy.errors import InputError

_Model = TypeVar("_Model", bound=BaseModel)


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> Config:
    """Return the experiment that a YAML file describes, with ``key=value`` overrides applied.

    Args:
        path: the YAML file; its name without suffix is the name of the experiment unless the file gives a ``name``.
        overrides: dotted keys with YAML values, such as ``model.dropout=0.3``.

    Raises:
        InputError: if there is an unknown key, a wrong type or value, or settings that conflict; one line
            that names the file, the key, what was got and what is allowed.
    """
    path = Path(path)
    tree = read_yaml(path)
    tree.setdefault("name", path.stem)
    return resolve(Config, tree, str(path), parse_overrides(overrides))


def resolve(model: type[_Model], tree: dict[str, Any], where: str, given: Mapping[str, Any] | None = None) -> _Model:
    """Return the checked settings from a mapping and overrides.

    Args:
        model: the type of the settings.
        tree: keys with values; the overrides are written into it.
        where: how messages call the source of the mapping.
        given: the overrides, dotted keys with values.

    Raises:
        InputError: if a setting is wrong; every problem in one line, see `load_config`.
    """
    given = given or {}
    for key, value in given.items():
        put(tree, key, value)
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        problems = (describe(model, tree, given, where, problem) for problem in error.errors())
        raise InputError("; ".join(problems)) from None


def parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Return dotted keys with their values.

    Args:
        overrides: texts such as ``data.source=simulated``; a value that is not valid YAML is taken as text.

    Raises:
        InputError: if an override is not of the form ``key=value``, or a key is given twice.
    """
    given: dict[str, Any] = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not all(part.strip() for part in key.split(".")):
            quotes = ", or 'features=[co2, motion]' with the quotes" if set(text) & set("[]{}") else ""
            raise InputError(f"{COMMAND_LINE}: got {text!r}, expected key=value such as data.source=simulated{quotes}")
        key = key.strip()
        clash = next((k for k in given if k == key or k.startswith(f"{key}.") or key.startswith(f"{k}.")), None)
        if clash is not None:
            raise InputError(f"{COMMAND_LINE}: {key} conflicts with {clash}, which is given before it; give it once")
        try:
            given[key] = parse_yaml(value)
        except yaml.YAMLError:
            given[key] = value  # plain text such as %m/%d/%Y, which YAML would need in quotes
    return given


def parse_data_settings(name: str, overrides: Sequence[str]) -> Data:
    """Return the settings of a log from overrides, whose keys may omit the ``data.`` in front.

    Args:
        name: the name of the command.
        overrides: the overrides as typed.

    Raises:
        InputError: if an override or a setting is wrong, or the settings are of many rooms.
    """
    texts = [text.lstrip() for text in overrides]
    whole = [text if text.startswith(("data.", "=")) or "=" not in text else f"data.{text}" for text in texts]
    settings = resolve(Config, {"name": name}, COMMAND_LINE, parse_overrides(whole)).data
    if settings.rooms is not None:
        raise InputError(
            f"{COMMAND_LINE}: data.rooms: got {settings.rooms!r}, but this command reads one log; give source=FILE "
            "(occupancy train --dry-run checks all rooms)"
        )
    return settings
