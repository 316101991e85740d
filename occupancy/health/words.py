"""Numbers of findings as text."""

from __future__ import annotations

import numpy as np

from occupancy.arrays import Floats, Rows
from occupancy.data.schema import Column
from occupancy.health.profile import Sensor

EMPTY_CELLS = "empty these cells (no reading is better than a wrong one)"


def number(value: float) -> str:
    """Return a reading as text."""
    return f"{value:.6g}"


def reading(value: float, column: Column) -> str:
    """Return a reading with its unit; 0 and 1 have none."""
    return number(value) if column.unit == "0 or 1" else f"{number(value)} {column.unit}"


def duration(seconds: float) -> str:
    """Return a duration in a suitable unit."""
    for unit, length, least in (("days", 86_400, 2), ("h", 3600, 1), ("min", 60, 1)):
        if seconds >= least * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def share(part: float, whole: float) -> str:
    """Return a share of rows as text; only all and none give 100 % and 0 %."""
    percent = 100 * part / max(whole, 1)
    if 0 < percent < 1:
        return "under 1 %"
    return f"{min(percent, 99) if part < whole else percent:.0f} %"


def span(values: Floats, column: Column) -> str:
    """Return the smallest and the largest of readings with their unit."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return reading(high, column) if low == high else f"{number(low)} to {reading(high, column)}"


def against(column: Column, values: Floats, learned: Sensor | None) -> str:
    """Return how readings (N,) compare with those of the training, as the end of a clause; empty if they are inside."""
    if learned is None:
        return ""
    known = int((~np.isnan(values)).sum())
    below, above = _outside(values, learned)
    rows, word, end = (below, "below", learned.low) if below.sum() >= above.sum() else (above, "above", learned.high)
    if not rows.any():
        return ""
    return (
        f", {word} all that the model was trained on ({reading(end, column)}) in {share(rows.sum(), known)} of the rows"
    )


def _outside(values: Floats, learned: Sensor) -> tuple[Rows, Rows]:
    return values < learned.low, values > learned.high
