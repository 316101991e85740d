"""From a YAML file with a section ``search`` to the trials that it asks for, every one of them checked."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from occupancy.config import Config
from occupancy.config.search import Search
from occupancy.errors import InputError
from occupancy.parsing import COMMAND_LINE, parse_overrides, put, read_yaml, resolve

SECTION = "search"


@dataclass(frozen=True)
class Trial:
    """One setting to try.

    Attributes:
        number: its place in the search, from 1.
        setting: what it sets, values by dotted key.
        config: the experiment with these values.
    """

    number: int
    setting: Mapping[str, Any]
    config: Config


@dataclass(frozen=True)
class Grid:
    """A search: an experiment, and the settings of it to try.

    Attributes:
        config: the experiment, with its own value for what is searched.
        search: what is tried, and what it is chosen by.
        trials: every setting to try.
    """

    config: Config
    search: Search
    trials: list[Trial]


def load_grid(path: Path | str, overrides: Sequence[str] = ()) -> Grid:
    """Return the search that a YAML file describes, with ``key=value`` overrides applied.

    Args:
        path: the YAML file of an experiment, with a section ``search``.
        overrides: of the experiment or of the search, such as ``search.over.model.window=[5,10]``.

    Raises:
        InputError: as `occupancy.parsing.load_config`, for the experiment, the search or any trial.
    """
    path = Path(path)
    tree = read_yaml(path)
    tree.setdefault("name", path.stem)
    if SECTION not in tree:
        raise InputError(f"{path}: has no section {SECTION}; add one, or train this config by occupancy.train")
    given = parse_overrides(overrides)
    asked = {SECTION: tree.pop(SECTION)}
    for key in [key for key in given if key.partition(".")[0] == SECTION]:
        _override(asked, key, given.pop(key))
    search = resolve(Search, asked[SECTION], f"{path}: {SECTION}")
    for key in given:
        if any(key == other or key.startswith(f"{other}.") for other in search.over):
            raise InputError(f"{COMMAND_LINE}: {key} is searched; give {SECTION}.over.{key}=[...] to search elsewhere")
    config = resolve(Config, tree, str(path), given)
    if config.protocol != "honest":
        raise InputError(f"{path}: protocol: got {config.protocol!r}, which leaves no rows to choose by; take 'honest'")
    points = [dict(zip(search.over, values, strict=True)) for values in itertools.product(*search.over.values())]
    trials = [Trial(number, point, _at(tree, point, path)) for number, point in enumerate(points, start=1)]
    return Grid(config, search, trials)


def written(value: Any) -> str:
    """Return the value of a setting as people write it: ``64-32`` for the sizes of layers."""
    if isinstance(value, list):
        return "-".join(map(written, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _override(asked: dict[str, Any], key: str, value: Any) -> None:
    searched = key.removeprefix(f"{SECTION}.over.")
    if searched != key and isinstance(asked[SECTION], dict) and isinstance(asked[SECTION].get("over"), dict):
        asked[SECTION]["over"][searched] = value  # there, dots do not nest
    else:
        put(asked, key, value)


def _at(tree: dict[str, Any], point: Mapping[str, Any], path: Path) -> Config:
    tree = copy.deepcopy(tree)
    for key, value in point.items():
        put(tree, key, value, f"{path}: {SECTION}.over")
    return resolve(Config, tree, str(path))
