"""From a YAML file with a section ``search`` to the search that it asks for, checked as far as nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from occupancy.config import Config
from occupancy.config.keys import COMMAND_LINE, put
from occupancy.config.parsing import parse_overrides, read_experiment, resolve
from occupancy.config.search import AdaptiveSearch, GridSearch
from occupancy.errors import InputError, shortened
from occupancy.search.adaptive import Adaptive
from occupancy.search.grid import Grid
from occupancy.search.space import SECTION, Space

Method = Grid | Adaptive


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
    for key in [key for key in given if key.partition(".")[0] == SECTION]:
        _override(asked, key, given.pop(key))
    search = _search(asked[SECTION], f"{path}: {SECTION}")
    for key in given:
        if any(key == other or key.startswith(f"{other}.") for other in search.over):
            raise InputError(f"{COMMAND_LINE}: {key} is searched; give {SECTION}.over.{key}=[...] to search elsewhere")
    config = resolve(Config, tree, str(path), given)
    if config.protocol != "honest":
        raise InputError(f"{path}: protocol: got {config.protocol!r}, which leaves no rows to choose by; take 'honest'")
    method = (
        Adaptive(Space(config, search, tree, str(path)))
        if isinstance(search, AdaptiveSearch)
        else Grid(Space(config, search, tree, str(path)))
    )
    method.samples()  # raises where one is wrong
    return method


def _search(section: Any, where: str) -> GridSearch | AdaptiveSearch:
    method = section.get("method", "grid") if isinstance(section, dict) else "grid"
    if method not in ("grid", "adaptive"):
        raise InputError(f"{where}: method: got {shortened(method)}, expected 'grid' or 'adaptive'")
    return resolve(AdaptiveSearch, section, where) if method == "adaptive" else resolve(GridSearch, section, where)


def _override(asked: dict[str, Any], key: str, value: Any) -> None:
    searched = key.removeprefix(f"{SECTION}.over.")
    if searched != key and isinstance(asked[SECTION], dict) and isinstance(asked[SECTION].get("over"), dict):
        asked[SECTION]["over"][searched] = value  # there, dots do not nest
    else:
        put(asked, key, value)
