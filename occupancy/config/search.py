"""Settings of a search: what it tries, and what it chooses by."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from occupancy.config.section import Section

# Scores on other rows, or of a model that has learned from those rows, are no scores to choose by.
_FIXED = ("name", "protocol", "data", "tracking", "train.refit", "train.device")


class Search(Section):
    """A search for settings: every combination of the listed values is tried on every fold."""

    over: Annotated[dict[str, Annotated[list[Any], Field(min_length=1)]], Field(min_length=1)]
    """Dotted keys of the config, each with a list of values to try. A key that takes a list gets a list of lists."""
    metric: Literal["mse", "mse_mean"] = "mse"
    """The score on a fold's validation rows by which a setting is chosen; lower is better."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        for key, values in self.over.items():
            if any(key == fixed or key.startswith(f"{fixed}.") for fixed in _FIXED):
                raise ValueError(f"over has {key}, which has to be the same for all that are compared; leave it out")
            if (within := next((other for other in self.over if key.startswith(f"{other}.")), None)) is not None:
                raise ValueError(f"over has {key} and also {within}, which it lies in; leave one of them out")
            if twice := [value for place, value in enumerate(values) if value in values[:place]]:
                raise ValueError(f"over gives {twice[0]!r} twice for {key}; give it once")
        return self
