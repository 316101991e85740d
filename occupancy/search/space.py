"""The settings that a search may try: an experiment, and values or ranges for some of its keys."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from occupancy.config import Config
from occupancy.config.keys import put
from occupancy.config.parsing import validated
from occupancy.config.search import AdaptiveSearch, GridSearch

SECTION = "search"
OVER = f"{SECTION}.over"

_Search = TypeVar("_Search", GridSearch, AdaptiveSearch)


@dataclass(frozen=True)
class Trial:
    """One setting to try.

    Attributes:
        number: its place among those that a fold tries, from 1.
        name: what its run is called.
        setting: what it sets, values by dotted key.
        config: the experiment with these values.
    """

    number: int
    name: str
    setting: Mapping[str, Any]
    config: Config


@dataclass(frozen=True)
class Point:
    """A trial and the score that it is judged by.

    Attributes:
        setting: what it set, values by dotted key.
        score: on validation rows; the mean of all folds where each tried it.
        fold: the fold that tried it; none where each did.
    """

    setting: Mapping[str, Any]
    score: float
    fold: int | None = None


@dataclass(frozen=True)
class Space(Generic[_Search]):
    """The settings that a search may try.

    Attributes:
        config: the experiment, with its own value for what is searched.
        search: what may be tried, and what it is chosen by.
        tree: the experiment as it was given.
        where: what messages call the file.
        places: what they call the place of what may be tried, by dotted key.
    """

    config: Config
    search: _Search
    tree: dict[str, Any]
    where: str
    places: Mapping[str, str]

    def trial(self, number: int, name: str, setting: Mapping[str, Any]) -> Trial:
        """Return a setting with its experiment, on the log and in the store of the search.

        Raises:
            InputError: the experiment cannot have it.
        """
        tree = copy.deepcopy(self.tree)
        for key, value in setting.items():
            put(tree, key, value, self.places[key])
        config = validated(Config, tree, self.where, self.places)
        same = {"data": self.config.data, "tracking": self.config.tracking}
        return Trial(number, name, setting, config.model_copy(update=same))


def written(value: Any) -> str:
    """Return the value of a setting as people write it: ``64-32`` for the sizes of layers."""
    if isinstance(value, list):
        return "-".join(map(written, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
