"""Dotted keys of a configuration: all that exist, and how a value is written under one."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from occupancy.config import Config
from occupancy.config.model import DEFAULT
from occupancy.errors import InputError, shortened

COMMAND_LINE = "command line"
"""How messages call the place of an override."""
DEEPEST = 10
"""The most parts of a dotted key."""


def known_keys(model: type[BaseModel] = Config, tree: Any = None, prefix: str = "") -> Iterator[str]:
    """Yield every dotted key that a configuration may hold.

    Args:
        model: the type of the configuration.
        tree: its present content; of alternative sections, only the one that it names is listed.
        prefix: text in front of each key.
    """
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        yield key
        below = tree.get(field.alias or name) if isinstance(tree, dict) else None
        is_list = typing.get_origin(field.annotation) is list
        items = enumerate(below) if is_list and isinstance(below, list) else ()
        places = [(f"{key}.{number}.", item) for number, item in items] or [(f"{key}.", None if is_list else below)]
        sections = list(_sections(field.annotation))
        for place, content in places:
            for section in _chosen(sections, content, is_list):
                yield from known_keys(section, content, place)


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _sections(part)


def _chosen(sections: list[type[BaseModel]], content: Any, is_item: bool) -> list[type[BaseModel]]:
    """Return the sections that describe a mapping; alternatives are told apart by its ``name``."""
    if len(sections) < 2:
        return sections
    usual = None if is_item else DEFAULT
    name = content.get("name", usual) if isinstance(content, dict) else usual  # of any type
    return [section for section in sections if section.model_fields["name"].default == name]


def parts_of(key: str, where: str = COMMAND_LINE) -> list[str]:
    """Return the parts of a dotted key.

    Raises:
        InputError: if there are more than `DEEPEST`.
    """
    parts = key.split(".")
    if len(parts) > DEEPEST:
        raise InputError(f"{where}: {shortened(key)} has {len(parts):,} parts, expected at most {DEEPEST}")
    return parts


def put(tree: dict[str, Any], key: str, value: Any, where: str = COMMAND_LINE) -> None:
    """Write a value under a dotted key into a nested mapping; an item of a list is named by its number, from 0.

    Args:
        tree: the mapping, which is changed.
        key: the dotted key, such as ``model.members.0.volume_m3``.
        value: the value.
        where: how messages call the place where the key was given.

    Raises:
        InputError: if a part of the key holds a single value or names no item of a list, or the key has too many parts.
    """
    *parents, last = parts_of(key, where)
    below: Any = tree
    for parent in parents:
        place = _place(below, parent, f"{where}: {key}")
        found = below.get(place) if isinstance(below, dict) else below[place]
        if found is None:  # a section that is off is written as null
            found = below[place] = {}
        if not isinstance(found, dict | list):
            raise InputError(f"{where}: {key}: {parent!r} is a single value ({shortened(found)}) and has no keys in it")
        below = found
    below[_place(below, last, f"{where}: {key}")] = value


def _place(below: dict[str, Any] | list[Any], part: str, where: str) -> Any:
    """Return the key of a mapping or the index of a list that a part of a dotted key names."""
    if isinstance(below, dict):
        return part
    if part.isascii() and part.isdecimal() and len(part) <= len(str(len(below))) and int(part) < len(below):
        return int(part)
    items = f"0 to {len(below) - 1}" if below else "no item, for it is empty"
    raise InputError(f"{where}: got item {shortened(part)} of a list, expected {items}")
