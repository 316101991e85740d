"""The base class and the types of all sections of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["temperature", "light", "sound", "co2", "co2_slope", "motion", "other"]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A section of the configuration: immutable, strict about types, and without unknown keys.

    The text under a field describes its key; ``docs/configuration.md`` is written from it.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,  # it may hold the password of a store
    )
