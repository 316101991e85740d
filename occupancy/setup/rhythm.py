"""The step of a log: whether its rows are regular, and the grid to put them on where they are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Rows
from occupancy.data.rhythm import irregular
from occupancy.data.times import steps_of

_GRID_S = (10, 15, 30, 60, 120, 300, 600, 900)
_FASTEST_S, _SLOWEST_S = 30.0, 300.0  # of a grid, where sensors have rhythms of their own
_GAP_STEPS, _GAP_S = 2.5, 120.0  # one row may be missing
_APART = 1.5  # times the step of the rows: a sensor with a longer step has a rhythm of its own
_ON_CHANGE = 0.95  # share of counts that differ from the one before, from which they are written on change
_DAY_S = 86_400.0


@dataclass(frozen=True)
class Rhythm:
    """The step of a log.

    Attributes:
        grid_s: the step of the grid to put the readings on; None if rows are regular.
        max_gap_s: longest time between rows of one recording.
        hold_counts_s: how long a count holds; None: in its own row, or step of the grid.
        why: what was seen, for people.
        check: what is doubtful about it; empty if nothing is.
    """

    grid_s: float | None
    max_gap_s: float
    hold_counts_s: float | None
    why: str
    check: str = ""


def rhythm_of(times: pd.DatetimeIndex, readings: Sequence[Rows], counts: Floats, asked_s: float | None) -> Rhythm:
    """Return the rhythm of a log.

    Args:
        times: (N,) sorted times.
        readings: for each sensor, which rows (N,) have a reading of it.
        counts: (N,) people, or any code for words, NaN in rows that have none.
        asked_s: the step of the grid that the user asked for.
    """
    steps = steps_of(times)
    found = float(np.median(steps[steps > 0])) if (steps > 0).any() else float("nan")
    own = [float(np.median(gaps)) for rows in readings if len(gaps := _own_steps(times, rows))]
    max_gap = max(_GAP_S, _rounded(_GAP_STEPS * found))
    why = _irregular(times, found, own, max_gap)
    if asked_s is None and why is None:
        return Rhythm(None, max_gap, None, f"regular, a row every {found:g} s", _coarse(times, counts, found))
    grid = asked_s or _grid(found, own)
    said = f"put on a grid of {grid:g} s" + (f": {why}" if why else ", as asked")
    known = counts[~np.isnan(counts)]
    on_change = len(known) > 1 and float(np.mean(np.diff(known) != 0)) >= _ON_CHANGE
    held = _DAY_S if on_change else None
    check = "" if on_change else _coarse(times, counts, grid)
    if on_change:
        check = "counts are written when they change, so each holds until the next one, for a day at most"
    return Rhythm(grid, max(_GAP_S, _rounded(_GAP_STEPS * grid)), held, said, check)


def _own_steps(times: pd.DatetimeIndex, rows: Rows) -> Floats:
    steps = steps_of(times[rows])
    return steps[steps > 0]


def _irregular(times: pd.DatetimeIndex, found: float, own: Sequence[float], max_gap: float) -> str | None:
    """Return why rows need a grid; None if they are regular."""
    twice = int(times.duplicated().sum())
    if any(step > _APART * found for step in own):
        return f"sensors have rhythms of their own, {min(own):g} to {max(own):g} s"
    if twice:
        return f"{twice:,} rows have the time of another"
    return irregular(times, max_gap).partition(", so that")[0] or None


def _grid(found: float, own: Sequence[float]) -> float:
    """Return the step of a grid: that of the fastest sensor, within bounds; for a slow log, that of its rows."""
    fastest = min([step for step in own if np.isfinite(step)] or [found])
    if fastest > _SLOWEST_S and found > _SLOWEST_S:
        return float(min(_GRID_S, key=lambda step: abs(step - found)))
    wanted = min(max(fastest, _FASTEST_S), _SLOWEST_S)
    return float(max(step for step in _GRID_S if step <= wanted * 1.1))


def _coarse(times: pd.DatetimeIndex, counts: Floats, step_s: float) -> str:
    """Return what is to be said of counts that are written down less often than the sensors; empty if they are not."""
    own = _own_steps(times, ~np.isnan(counts))
    every = float(np.median(own)) if len(own) else float("nan")
    if not every > _APART * step_s:
        return ""
    return (
        f"people are counted every {every:g} s, and only these rows are learned and scored; if a count holds until the "
        f"next one, add hold_counts={every:g}s"
    )


def _rounded(seconds: float) -> float:
    return float(np.ceil(seconds / 10) * 10) if np.isfinite(seconds) else _GAP_S
