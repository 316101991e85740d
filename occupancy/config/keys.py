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
        several = typing.get_origin(field.annotation) is list
        trees = (below if isinstance(below, list) else []) if several else [below]
        for section in _chosen(list(_sections(field.annotation)), trees):
            yield from known_keys(section, None if several else below, f"{key}.")


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _sections(part)


def _chosen(sections: list[type[BaseModel]], trees: list[Any]) -> list[type[BaseModel]]:
    """Return the sections that describe the given mappings; alternatives are told apart by their ``name``."""
    if len(sections) < 2:
        return sections
    names = [tree.get("name", DEFAULT) if isinstance(tree, dict) else DEFAULT for tree in trees]  # of any type
    return [section for section in sections if section.model_fields["name"].default in names]


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
    """Write a value under a dotted key into a nested mapping.

    Args:
        tree: the mapping, which is changed.
        key: the dotted key.
        value: the value.
        where: how messages call the place where the key was given.

    Raises:
        InputError: if a part of the key holds a single value, or the key has too many parts.
    """
    *parents, last = parts_of(key, where)
    for parent in parents:
        if (below := tree.get(parent)) is None:  # a section that is off is written as null
            below = tree[parent] = {}
        if not isinstance(below, dict):
            raise InputError(f"{where}: {key}: {parent!r} is a single value ({shortened(below)}) and has no keys in it")
        tree = below
    tree[last] = value
