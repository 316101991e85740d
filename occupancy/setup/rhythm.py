"""The step of a log: whether its rows are regular, and the grid to put them on where they are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Rows

_OFF, _MOST_OFF = 0.5, 0.05  # a step is off by more than a half; a log with more than a twentieth of such is irregular
_STRETCH = 30  # steps of a stretch that may have a step of its own
_GRID_S = (10, 15, 30, 60, 120, 300, 600, 900)
_FASTEST_S, _SLOWEST_S = 30.0, 300.0  # of a grid, where sensors have rhythms of their own
_GAP_STEPS, _GAP_S = 2.5, 120.0  # one row may be missing
_LONGEST_GAP = 20  # steps; a longer one is a hole, and says nothing of the rhythm


@dataclass(frozen=True)
class Rhythm:
    """The step of a log.

    Attributes:
        found_s: the median step between rows, in seconds; NaN for a single row.
        grid_s: the step of the grid to put the readings on; None if rows are regular.
        max_gap_s: longest time between rows of one recording.
        why: what was seen, for people.
    """

    found_s: float
    grid_s: float | None
    max_gap_s: float
    why: str


def rhythm_of(times: pd.DatetimeIndex, readings: Sequence[Rows], asked_s: float | None = None) -> Rhythm:
    """Return the rhythm of a log.

    Args:
        times: (N,) sorted times.
        readings: for each sensor, which rows (N,) have a reading of it.
        asked_s: the step of the grid that the user asked for.
    """
    steps = np.diff(times.to_numpy()) / np.timedelta64(1, "s")
    twice, steps = int((steps == 0).sum()), steps[steps > 0]
    found = float(np.median(steps)) if len(steps) else float("nan")
    own = [float(np.median(gaps)) for rows in readings if len(gaps := _own_steps(times, rows))]
    why = _irregular(steps, found, own, twice)
    if asked_s is None and why is None:
        return Rhythm(found, None, max(_GAP_S, _rounded(_GAP_STEPS * found)), f"regular, a row every {found:g} s")
    grid = asked_s or _grid(found, own, steps)
    said = f"put on a grid of {grid:g} s"
    return Rhythm(
        found, grid, max(_GAP_S, _rounded(_GAP_STEPS * grid)), f"{why}; {said}" if why else f"{said}, as asked"
    )


def _own_steps(times: pd.DatetimeIndex, rows: Rows) -> Floats:
    steps = np.diff(times[rows].to_numpy()) / np.timedelta64(1, "s")
    return np.asarray(steps[steps > 0])


def _irregular(steps: Floats, found: float, own: Sequence[float], twice: int) -> str | None:
    """Return why rows need a grid; None if they are regular."""
    inner = steps[steps <= _LONGEST_GAP * found]
    off = float(np.mean(np.abs(inner / found - 1) > _OFF)) if len(inner) else 0.0
    # Rows that are left out make steps of two, three or more of the others, which need no grid.
    multiple = np.abs(inner / found - np.round(inner / found)) < 0.1
    strange = float(np.mean((np.abs(inner / found - 1) > _OFF) & ~(multiple & (inner > found)))) if len(inner) else 0.0
    if strange > _MOST_OFF or off > 3 * _MOST_OFF:
        return f"irregular: {off:.0%} of the steps are not near the middle one of {found:g} s"
    medians = pd.Series(inner).rolling(_STRETCH).median().dropna()
    if len(medians) and (apart := (medians / found - 1).abs().max()) > _OFF:
        return (
            f"a stretch at another step: {medians[(medians / found - 1).abs() == apart].iloc[0]:g} s, not {found:g} s"
        )
    if any(step > (1 + _OFF) * found for step in own):
        return f"sensors have rhythms of their own, {min(own):g} to {max(own):g} s"
    return f"{twice:,} rows have the time of another" if twice else None


def _grid(found: float, own: Sequence[float], steps: Floats) -> float:
    """Return the step of a grid: that of the fastest sensor, within bounds, or that of slow rows."""
    fastest = min([step for step in own if np.isfinite(step)] or [found])
    if fastest >= _SLOWEST_S:  # each row is one of a slow log
        return min(_GRID_S, key=lambda step: abs(step - float(np.median(steps))))
    wanted = min(max(fastest, _FASTEST_S), _SLOWEST_S)
    return float(max(step for step in _GRID_S if step <= wanted * 1.1))


def _rounded(seconds: float) -> float:
    return float(np.ceil(seconds / 10) * 10) if np.isfinite(seconds) else _GAP_S
