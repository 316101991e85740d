"""The base class and the types of all sections of the configuration."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from occupancy.errors import CONTROL, shortened

Kind = Literal[
    "temperature",
    "light",
    "sound",
    "co2",
    "co2_slope",
    "motion",
    "humidity",
    "voc",
    "pressure",
    "door",
    "power",
    "devices",
    "ventilation",
    "other",
]
"""What a sensor measures; ``occupancy.data.kinds`` has the facts of each."""


def _check_printable(text: str) -> str:
    if (found := CONTROL.search(text)) is not None:
        raise ValueError(f"got the control character {found[0]!a} in the text, expected text that can be printed")
    return text


PRINTABLE = AfterValidator(_check_printable)
"""Refuses control characters in a text, which could steer the terminal that shows it."""
Name = Annotated[str, Field(min_length=1, max_length=200), PRINTABLE]
Format = Annotated[str, Field(max_length=200), PRINTABLE]
Place = Annotated[str, Field(max_length=4096), PRINTABLE]
"""A name that is known, or the path of a file: no operating system takes longer ones."""

LARGEST_SEED = 2**63 - 1
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Volume = Annotated[float, Field(ge=1, le=1e7)]
"""Volume of a room in cubic metres: from a cabin to the largest halls."""
Span = Annotated[float, Field(gt=0, le=86_400)]
"""Seconds over which readings are combined, at most a day: time and memory grow with it."""
Duration = Annotated[float, Field(gt=0, le=1e9)]
"""Seconds that are only compared; the most are about 30 years."""

_UNITS_S = {"ms": 0.001, "s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}
_PERIOD = re.compile(rf"\s*(\d+(?:\.\d+)?)\s*({'|'.join(_UNITS_S)})\s*")


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if (found := _PERIOD.fullmatch(value)) is None:
        raise ValueError(f"got {shortened(value)}, expected seconds, or a text such as '30s', '5min' or '1h'")
    return float(found[1]) * _UNITS_S[found[2]]


Period = Annotated[Duration, BeforeValidator(_seconds)]
"""Seconds, which may also be written as ``30s``, ``5min``, ``1h`` or ``1d``."""


class Section(BaseModel):
    """A section of the configuration: immutable, strict about types, and without unknown keys.

    The text under a field describes its key; ``docs/configuration.md`` is written from it. Every number has bounds,
    far from anything that is useful, so that a slip of the keyboard is refused before it takes all memory.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,  # it may hold the password of a store
    )
