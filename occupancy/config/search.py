"""Settings of a search: the values to try, and the score that chooses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from occupancy.config.section import PRINTABLE, Section
from occupancy.errors import shortened

Metric = Literal["mse", "mse_mean"]

# With other values of these keys, scores would be on other rows, or of a model that has learned from those rows.
_FIXED = ("name", "protocol", "data", "tracking", "explanation", "train.refit", "train.device")


Limit = Annotated[int, Field(ge=-(10**12), le=10**12)] | Annotated[float, Field(ge=-1e12, le=1e12)]

MOST_SETTINGS = 10_000
"""The most settings that a search tries on a fold, and the most that are checked before it begins."""


class Range(Section):
    """All numbers between two bounds; only whole numbers if both bounds are whole numbers (`8`, not `8.0`)."""

    low: Limit
    """The smallest number."""
    high: Limit
    """The largest number."""
    log: bool = False
    """Whether the range is searched on a logarithmic scale, which suits a learning rate."""
    step: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Distance between two whole numbers; null: 1."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} must be less than high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"got low {self.low:g} with log, expected a low above 0")
        if self.step is not None and (self.log or not self.is_whole):
            raise ValueError(f"step {self.step} is only for whole numbers without log; remove it, or give a list")
        if self.step is not None and (self.high - self.low) % self.step:
            raise ValueError(
                f"steps of {self.step} from low {self.low:g} do not reach high {self.high:g}; change one of them"
            )
        return self

    @property
    def is_whole(self) -> bool:
        """Whether the range holds only whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __contains__(self, value: object) -> bool:
        """Return whether the range holds a number."""
        if isinstance(value, bool) or not isinstance(value, int if self.is_whole else int | float):
            return False
        return self.low <= value <= self.high and not (self.is_whole and (value - self.low) % (self.step or 1))

    def __str__(self) -> str:
        """Return the range in words."""
        kind = f"whole numbers by {self.step or 1}" if self.is_whole else "any number"
        return f"{self.low:g} to {self.high:g}, {kind}{', log' if self.log else ''}"


def _kind(values: Any) -> str:
    return "range" if isinstance(values, dict | Range) else "list"


Values = Annotated[list[Any], Field(min_length=1, max_length=1000)]
Key = Annotated[str, Field(max_length=200), PRINTABLE]
Space = Annotated[Annotated[Values, Tag("list")] | Annotated[Range, Tag("range")], Discriminator(_kind)]


class GridSearch(Section):
    """Every combination of the listed values is tried on every fold."""

    method: Literal["grid"] = "grid"
    over: Annotated[dict[Key, Values], Field(min_length=1, max_length=100)]
    """Dotted keys of the config, each with a list of values to try. For a key whose value is a list, give a list of
    lists. At most 10,000 combinations."""
    metric: Metric = "mse"
    """The score on the validation rows of a fold that chooses the setting; lower is better."""

    @model_validator(mode="before")
    @classmethod
    def _check_method(cls, given: Any) -> Any:
        over = given.get("over") if isinstance(given, dict) else None
        for key, values in over.items() if isinstance(over, dict) else ():
            if isinstance(values, dict):
                raise ValueError(f"over.{key}: got a range, expected a list; give a list, or set method to 'adaptive'")
        for key in ("trials", "batch"):
            if over is not None and key in given:
                raise ValueError(
                    f"{key} is only for method 'adaptive'; a grid tries every combination, so remove {key}"
                )
        return given

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        _check_keys(self.over)
        combinations = math.prod(map(len, self.over.values()))
        if combinations > MOST_SETTINGS:
            raise ValueError(
                f"over has {combinations:,} combinations, expected at most {MOST_SETTINGS:,}; give fewer values, or "
                "set method to 'adaptive'"
            )
        return self


class AdaptiveSearch(Section):
    """Each fold tries settings that its own earlier scores suggest, by TPE (Bergstra et al., 2011)."""

    method: Literal["adaptive"]
    over: Annotated[dict[Key, Space], Field(min_length=1, max_length=100)]
    """Dotted keys of the config, each with a list of values or with a range. At most 10,000 pairs of values of two
    keys; the ends of a range count as two."""
    trials: Annotated[int, Field(ge=1, le=MOST_SETTINGS)]
    """Number of settings that each fold tries. The first is the config's own setting, if the lists and ranges contain
    it."""
    batch: Annotated[int, Field(ge=1, le=MOST_SETTINGS)] = 8
    """Number of settings of a fold that are tried at the same time, before their scores suggest the next ones. At most
    this number times the number of folds of workers can be busy; the number of workers does not change the result."""
    metric: Metric = "mse"
    """The score on the validation rows of a fold that chooses the setting; lower is better."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        _check_keys(self.over)
        sizes = [len(values) if isinstance(values, list) else 2 for values in self.over.values()]
        # Every pair of values is checked before the search begins.
        pairs = sum(one * other for one, other in itertools.combinations(sizes, 2))
        if pairs > MOST_SETTINGS:
            raise ValueError(
                f"over has {pairs:,} pairs of values, expected at most {MOST_SETTINGS:,}; give shorter lists, or ranges"
            )
        return self


Search = GridSearch | AdaptiveSearch


def _check_keys(over: Mapping[str, list[Any] | Range]) -> None:
    for key, values in over.items():
        if any(key == fixed or key.startswith(f"{fixed}.") for fixed in _FIXED):
            raise ValueError(f"over has {key}, which must be the same for all settings; remove it")
        if (within := next((other for other in over if key.startswith(f"{other}.")), None)) is not None:
            raise ValueError(f"over has {key} and also {within}, which contains it; remove one of them")
        if isinstance(values, list) and (twice := [one for place, one in enumerate(values) if one in values[:place]]):
            raise ValueError(f"over gives {shortened(twice[0])} twice for {key}; give it once")
