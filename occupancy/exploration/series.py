"""The columns of a log by kind, and the styles of the lines in a figure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from occupancy.config import Kind
from occupancy.data.schema import Column
from occupancy.exploration.parts import Subject
from occupancy.exploration.words import short
from occupancy.plots.colours import LABELS

_DASHES = ("-", "--", ":", "-.")
_NAMES: dict[Kind, str] = {"co2": "CO2", "co2_slope": "CO2 slope"}


def name_of(kind: Kind) -> str:
    """Return the name of a kind of sensor for people."""
    return _NAMES.get(kind, kind)


def by_kind(subject: Subject) -> dict[Kind, list[Column]]:
    """Return the sensor columns that vary, by kind, both in the order of the schema."""
    found: dict[Kind, list[Column]] = {}
    for column in subject.log.schema.columns:
        if column.name in subject.varying:
            found.setdefault(column.kind, []).append(column)
    return found


def unit_of(columns: list[Column]) -> str:
    """Return the unit of columns of one kind for the label of an axis."""
    return " or ".join(dict.fromkeys(column.unit.replace("degC", "°C") for column in columns))


def line_styles() -> Iterator[dict[str, Any]]:
    """Return an iterator over line styles: first one colour for each line, then the same colours with dashes."""
    return ({"color": colour, "linestyle": dash} for dash in itertools.cycle(_DASHES) for colour in LABELS)


def legend_beside(axes: Axes, lines: Sequence[Line2D], names: Sequence[str]) -> None:
    """Write a legend to the right of axes; with many names, in small letters."""
    axes.legend(
        lines,
        [short(name) for name in names],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        fontsize=8 if len(names) <= 6 else 5,
        handlelength=1.6,
        ncols=math.ceil(len(names) / 16),
    )
