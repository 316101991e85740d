"""From a YAML file with a section ``search`` to the search that it asks for, checked as far as nothing is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from occupancy.config import Config, Section
from occupancy.config.keys import COMMAND_LINE, put
from occupancy.config.parsing import parse_overrides, read_experiment, resolve, validated
from occupancy.config.search import AdaptiveSearch, GridSearch
from occupancy.errors import InputError, shortened
from occupancy.search.adaptive import Adaptive
from occupancy.search.grid import Grid
from occupancy.search.space import OVER, SECTION, Space

Method = Grid | Adaptive


class _Grid(Section):
    search: GridSearch


class _Adaptive(Section):
    search: AdaptiveSearch


def load_search(path: Path | str, overrides: Sequence[str] = ()) -> Method:
    """Return the search that a YAML file describes, with ``key=value`` overrides applied.

    Args:
        path: the YAML file of an experiment, with a section ``search``.
        overrides: of the experiment or of the search, such as ``search.over.model.window=[5,10]``.

    Raises:
        InputError: as `occupancy.config.parsing.load_config`, for the experiment, the search or any trial.
    """
    path = Path(path)
    given = parse_overrides(overrides)
    tree = read_experiment(path, given)
    if SECTION not in tree:
        raise InputError(f"{path}: has no section {SECTION}; add one, or train this config by `occupancy train`")
    asked = {SECTION: tree.pop(SECTION)}
    typed = [key for key in given if key.partition(".")[0] == SECTION]
    for key in typed:
        _override(asked, key, given.pop(key))
    search = _search(asked, str(path), dict.fromkeys(typed, COMMAND_LINE))
    for key in given:
        if any(key == other or key.startswith(f"{other}.") for other in search.over):
            raise InputError(f"{COMMAND_LINE}: {key} is searched; give {OVER}.{key}=[...] to search elsewhere")
    config = resolve(Config, tree, str(path), given)
    if config.protocol != "honest":
        raise InputError(f"{path}: protocol: got {config.protocol!r}, which leaves no rows to choose by; take 'honest'")
    places = {key: f"{COMMAND_LINE if f'{OVER}.{key}' in typed else path}: {OVER}" for key in search.over}
    method = (
        Adaptive(Space(config, search, tree, str(path), places))
        if isinstance(search, AdaptiveSearch)
        else Grid(Space(config, search, tree, str(path), places))
    )
    method.samples()  # raises where one is wrong
    return method


def _search(asked: dict[str, Any], where: str, places: Mapping[str, str]) -> GridSearch | AdaptiveSearch:
    section = asked[SECTION]
    method = section.get("method", "grid") if isinstance(section, dict) else "grid"
    if method not in ("grid", "adaptive"):
        place = places.get(f"{SECTION}.method", where)
        raise InputError(f"{place}: {SECTION}.method: got {shortened(method)}, expected 'grid' or 'adaptive'")
    if method == "adaptive":
        return validated(_Adaptive, asked, where, places).search
    return validated(_Grid, asked, where, places).search


def _override(asked: dict[str, Any], key: str, value: Any) -> None:
    searched = key.removeprefix(f"{OVER}.")
    if searched != key and isinstance(asked[SECTION], dict) and isinstance(asked[SECTION].get("over"), dict):
        asked[SECTION]["over"][searched] = value  # there, dots do not nest
    else:
        put(asked, key, value)
