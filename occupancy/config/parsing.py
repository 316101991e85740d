"""From a YAML file and ``key=value`` overrides to a checked `Config`, or to one line that says what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from occupancy.config import Config, Data
from occupancy.config.keys import COMMAND_LINE, parts_of, put
from occupancy.config.problems import describe
from occupancy.config.yaml_file import parse_yaml, read_yaml
from occupancy.errors import InputError, shortened

_Model = TypeVar("_Model", bound=BaseModel)

MOST_PROBLEMS = 5
"""How many problems of a configuration a message tells."""
EXAMPLE = "data.source=simulated"
"""An override that most commands take."""
LONGEST = 100_000
"""The most characters of all overrides together."""


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> Config:
    """Return the experiment that a YAML file describes, with ``key=value`` overrides applied.

    Args:
        path: the YAML file, see `read_experiment`.
        overrides: dotted keys with YAML values, such as ``model.dropout=0.3``.

    Raises:
        InputError: if there is an unknown key, a wrong type or value, or settings that conflict; one line
            that names the file, the key, what was got and what is allowed.
    """
    return load_configs(path, overrides)[0]


def load_configs(path: Path | str, overrides: Sequence[str] = (), seeds: Sequence[int] = ()) -> list[Config]:
    """Return the experiment of `load_config` with each of these seeds; without seeds, with its own.

    Raises:
        InputError: as `load_config`.
    """
    given = [parse_overrides([*overrides, f"seed={seed}"]) for seed in seeds] or [parse_overrides(overrides)]
    tree = read_experiment(Path(path), given[0])  # once: a pipe can't be read again
    return [resolve(Config, copy.deepcopy(tree), str(path), one) for one in given]


def read_experiment(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of the YAML file of an experiment.

    Its name is that of the file without suffix, unless the file or the overrides give a ``name``.

    Raises:
        InputError: if it can't be read, see `read_yaml`, or is a pipe and no name is given.
    """
    tree = read_yaml(path)
    if "name" not in tree and "name" not in given:
        if not path.is_file():
            raise InputError(f"{path}: is a pipe, which gives the experiment no name; add name=NAME")
        tree["name"] = path.stem
    return tree


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
    return validated(model, tree, where, dict.fromkeys(given, COMMAND_LINE))


def validated(model: type[_Model], tree: dict[str, Any], where: str, places: Mapping[str, str]) -> _Model:
    """Return the checked settings from a mapping.

    Args:
        model: the type of the settings.
        tree: keys with values.
        where: how messages call the source of the mapping.
        places: how they call the source of a dotted key, where that is another.

    Raises:
        InputError: see `resolve`.
    """
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = [describe(model, tree, places, where, problem) for problem in found[:MOST_PROBLEMS]]
        problems += [f"and {len(found) - MOST_PROBLEMS:,} more problems"] if len(found) > MOST_PROBLEMS else []
        raise InputError("; ".join(problems)) from None


def parse_overrides(overrides: Sequence[str], example: str = EXAMPLE) -> dict[str, Any]:
    """Return dotted keys with their values.

    Args:
        overrides: texts such as ``data.source=simulated``; a value that is not valid YAML is taken as text.
        example: one that the command takes, for messages.

    Raises:
        InputError: if an override is not of the form ``key=value``, a key is given twice, or they are too long.
    """
    if (size := sum(map(len, overrides))) > LONGEST:
        raise InputError(
            f"{COMMAND_LINE}: got settings of {size:,} characters, expected at most {LONGEST:,}; put them into the file"
        )
    given: dict[str, Any] = {}
    above: dict[str, str] = {}  # a key that is given, by each key that contains it
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not all(part.strip() for part in key.split(".")):
            is_list = example == EXAMPLE and set(text) & set("[]{}")
            quotes = ", or 'features=[co2, motion]' with the quotes" if is_list else ""
            raise InputError(f"{COMMAND_LINE}: got {shortened(text)}, expected key=value such as {example}{quotes}")
        key = key.strip()
        parts = parts_of(key)
        containing = [".".join(parts[:number]) for number in range(1, len(parts) + 1)]
        clash = next((k for k in containing if k in given), above.get(key))
        if clash is not None:
            raise InputError(f"{COMMAND_LINE}: {key} conflicts with {clash}, which is given before it; give it once")
        for one in containing:
            above.setdefault(one, key)
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
    given = parse_overrides(whole)
    if given.get("data.rooms") is not None:  # before all else that may be wrong: nothing else would heal it
        raise InputError(
            f"{COMMAND_LINE}: data.rooms: got {shortened(given['data.rooms'])}, but this command reads one log; give "
            "source=FILE in its place (occupancy train --dry-run checks all rooms)"
        )
    return resolve(Config, {"name": name}, COMMAND_LINE, given).data
