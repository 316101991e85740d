"""Settings of a search: what it tries, and what it chooses by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from occupancy.config.section import Count, Section

Metric = Literal["mse", "mse_mean"]

# Scores on other rows, or of a model that has learned from those rows, are no scores to choose by.
_FIXED = ("name", "protocol", "data", "tracking", "explanation", "train.refit", "train.device")


class Range(Section):
    """All numbers from one to another; whole ones only where both ends are written as such (`8`, not `8.0`)."""

    low: int | float
    """The smallest number."""
    high: int | float
    """The largest number."""
    log: bool = False
    """Whether each tenfold is searched as closely as the next, as suits a learning rate."""
    step: Count | None = None
    """Distance from one whole number to the next; 1 where none is given."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} has to be less than high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs a low above 0, got {self.low:g}")
        if self.step is not None and (self.log or not self.is_whole):
            raise ValueError(f"step {self.step} is for whole numbers without log; leave it out, or give a list")
        if self.step is not None and (self.high - self.low) % self.step:
            raise ValueError(f"steps of {self.step} from low {self.low:g} do not meet high {self.high:g}")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers only."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __contains__(self, value: object) -> bool:
        """Whether it holds a number."""
        if isinstance(value, bool) or not isinstance(value, int if self.is_whole else int | float):
            return False
        return self.low <= value <= self.high and not (self.is_whole and (value - self.low) % (self.step or 1))

    def __str__(self) -> str:
        """In words."""
        kind = f"whole numbers by {self.step or 1}" if self.is_whole else "any number"
        return f"{self.low:g} to {self.high:g}, {kind}{', log' if self.log else ''}"


def _kind(values: Any) -> str:
    return "range" if isinstance(values, dict | Range) else "list"


Values = Annotated[list[Any], Field(min_length=1)]
Space = Annotated[Annotated[Values, Tag("list")] | Annotated[Range, Tag("range")], Discriminator(_kind)]


class GridSearch(Section):
    """Every combination of the listed values is tried on every fold."""

    method: Literal["grid"] = "grid"
    over: Annotated[dict[str, Values], Field(min_length=1)]
    """Dotted keys of the config, each with a list of values to try. A key that takes a list gets a list of lists."""
    metric: Metric = "mse"
    """The score on a fold's validation rows by which a setting is chosen; lower is better."""

    @model_validator(mode="before")
    @classmethod
    def _check_method(cls, given: Any) -> Any:
        over = given.get("over") if isinstance(given, dict) else None
        for key, values in over.items() if isinstance(over, dict) else ():
            if isinstance(values, dict):
                raise ValueError(
                    f"over.{key}: got a range, but a grid needs a list; give one, or take method: adaptive"
                )
        for key in ("trials", "batch"):
            if over is not None and key in given:
                raise ValueError(f"{key} is for method: adaptive; a grid tries every combination, so leave it out")
        return given

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        _check_keys(self.over)
        return self


class AdaptiveSearch(Section):
    """Each fold tries settings that its own earlier scores suggest, by TPE (Bergstra et al., 2011)."""

    method: Literal["adaptive"]
    over: Annotated[dict[str, Space], Field(min_length=1)]
    """Dotted keys of the config, each with a list of values to take one of, or with a range."""
    trials: Count
    """Settings that each fold tries. The first is the config's own, where lists and ranges hold it."""
    batch: Count = 8
    """Settings of a fold that are tried at once, before their scores suggest the next ones. It limits how many workers
    have something to do, to this times the folds; their number changes nothing in the result."""
    metric: Metric = "mse"
    """The score on a fold's validation rows by which a setting is chosen; lower is better."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        _check_keys(self.over)
        return self


Search = GridSearch | AdaptiveSearch


def _check_keys(over: Mapping[str, list[Any] | Range]) -> None:
    for key, values in over.items():
        if any(key == fixed or key.startswith(f"{fixed}.") for fixed in _FIXED):
            raise ValueError(f"over has {key}, which has to be the same for all that are compared; leave it out")
        if (within := next((other for other in over if key.startswith(f"{other}.")), None)) is not None:
            raise ValueError(f"over has {key} and also {within}, which it lies in; leave one of them out")
        if isinstance(values, list) and (twice := [one for place, one in enumerate(values) if one in values[:place]]):
            raise ValueError(f"over gives {twice[0]!r} twice for {key}; give it once")
