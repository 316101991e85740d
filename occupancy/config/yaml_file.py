"""Reading YAML: numbers such as ``1e-3`` are numbers, a key that is given twice is an error, and all sizes are bounded.

A small text can stand for a huge value: aliases (``*a``) and merges (``<<``) repeat what is written once, and brackets
nest. So the events of the text are counted, with everything that is repeated, before a value is built from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from occupancy.errors import InputError, shortened, typed
from occupancy.files import read

MOST_BYTES = 1_000_000
"""The longest file, and the most text of one with its aliases written out."""
MOST_VALUES = 100_000
"""The most values in a file, keys and aliases written out included."""
DEEPEST = 20
"""How deep lists and mappings may be nested."""

_LONGEST_NUMBER = 100
_Size = tuple[int, int]  # values and characters


class _Loader(yaml.CSafeLoader):
    """Safe YAML that reads ``1e-3`` as a number and refuses a key that is given twice."""

    def construct_document(self, node: yaml.Node) -> Any:
        for mapping in _mappings(node):
            # Here, since merges are not written into the mappings yet: a key may well replace a merged one.
            seen: set[Any] = set()
            for key in (key for key, _ in mapping.value if isinstance(key, yaml.ScalarNode)):
                if key.value in seen:
                    said = f"key {shortened(key.value)} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, said, key.start_mark)
                seen.add(key.value)
        return super().construct_document(node)

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and len(value) > _LONGEST_NUMBER:
            return self.DEFAULT_SCALAR_TAG
        tag: str = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        # YAML 1.1 reads 10:30 as 630, in base 60; nobody means that.
        is_base_60 = kind is yaml.ScalarNode and ":" in value and tag.rpartition(":")[2] in {"int", "float"}
        return self.DEFAULT_SCALAR_TAG if is_base_60 else tag


# YAML 1.1 requires a dot in a float, so PyYAML reads 1e-3 as text; users mean a number.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parse_yaml(text: str) -> Any:
    """Return the value that a YAML text holds.

    Raises:
        yaml.YAMLError: if the text is not valid YAML, has tags such as ``!!int``, or holds more than `MOST_VALUES`,
            more text than `MOST_BYTES` or deeper ones than `DEEPEST`, with aliases and merges written out.
    """
    try:
        _check_size(text)
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except ValueError as error:  # for example for the date 2024-99-99
        raise yaml.YAMLError(str(error)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds, see `parse_yaml`.

    Args:
        path: a file, or a pipe that is open already (``/dev/fd/63``, which shells write for ``<(...)``).

    Raises:
        InputError: if the file is missing, is not text or not valid YAML, is too large, is empty, or holds no mapping.
    """
    try:
        content = parse_yaml(read(path, MOST_BYTES, "a YAML file").decode())
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text; give the path of a YAML file") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is not valid YAML: {_in_one_line(error)}") from None
    if not isinstance(content, dict):
        got = "an empty file" if content is None else typed(content)
        raise InputError(f"{path}: got {got}, expected keys with values")
    return content


def _check_size(text: str) -> None:
    """Raise YAMLError if a text holds too much, or what this project does not read."""
    written: dict[str | None, _Size] = {}  # what stands at each anchor
    opened: list[tuple[str | None, _Size]] = []  # anchor of each open list or mapping, and what came before it
    values, characters = 0, 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            written[anchor] = values - before[0], characters - before[1]
        if not isinstance(event, yaml.NodeEvent):
            continue
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, (values, characters)))
        more = _size_of(event, written)
        values, characters = values + more[0], characters + more[1]
        if isinstance(event, yaml.ScalarEvent):
            written[event.anchor] = more
        if values > MOST_VALUES or characters > MOST_BYTES:
            raise yaml.YAMLError(
                f"expected at most {MOST_VALUES:,} values and {MOST_BYTES:,} characters, with what aliases repeat"
            )
        if len(opened) > DEEPEST:
            raise yaml.YAMLError(f"lists and mappings are nested deeper than {DEEPEST}")


def _size_of(event: yaml.NodeEvent, written: Mapping[str | None, _Size]) -> _Size:
    """Return what an event stands for, without the values of a list or mapping that begins, which come later."""
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
        if event.tag is not None:
            raise yaml.YAMLError(f"got the tag {shortened(event.tag)}, expected values without tags; quote a text")
        return 1, len(event.value) if isinstance(event, yaml.ScalarEvent) else 0
    if event.anchor not in written:
        raise yaml.YAMLError(f"alias {shortened(event.anchor)} stands for nothing that ends before it")
    return written[event.anchor]


def _mappings(node: yaml.Node) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.MappingNode):
        yield node
        for key, value in node.value:
            yield from _mappings(key)
            yield from _mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value)


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).replace('in "<unicode string>", ', "in ").split())
