"""The rhythm of a log: readings of any rhythm put on a grid, and rows that do not follow each other regularly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Data
from occupancy.data.kinds import KINDS
from occupancy.data.schema import Column, Schema
from occupancy.data.times import step_of, steps_of
from occupancy.errors import InputError

MOST_ROWS = 20_000_000  # of a grid: a smaller step would not fit into memory
ON_CHANGE_S = 86_400.0  # how long a sensor holds that is only written when it changes
ON_CHANGE = 0.95  # share of readings that differ from the one before, from which a sensor may be written on change
FEWEST = 10  # readings that show this, and rows that are a stretch at another step
OFF, APART = 0.5, 0.25  # by which share of the usual step a step is irregular, and those of a stretch are others
IRREGULAR = 0.05  # share of irregular steps from which a log is not regular
_USUAL_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
_NS = 1_000_000_000


def on_grid(
    readings: pd.DataFrame, schema: Schema, settings: Data, gone: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return readings on the grid of ``data.step``, by the rules of their kinds, and which are older than their step.

    A row at time t uses readings after t - step up to t, and where there are none the last one before, unless it is
    older than ``data.max_age`` or the age of its kind. A sensor of a kind that rests, and that is only written when it
    changes, holds for a day: one of two states, or whose readings come at irregular times. Rows at which no sensor has
    a reading are left out, so that a pause stays a gap. A count is that of its step. Nothing holds on from where a
    device says that it has no reading any more.

    Args:
        readings: (N, columns) on sorted times, NaN where a reading or a count is missing.
        schema: the kinds of the columns, and which is the count.
        settings: the step and the ages.
        gone: (N, sensors) where a device says that it has no reading; None: nowhere.

    Raises:
        InputError: if the grid would have too many rows.
    """
    assert settings.step is not None, "there is no grid"
    step, times = round(settings.step * _NS), pd.DatetimeIndex(readings.index).as_unit("ns")
    first, last = -(-times[0].value // step), -(-times[-1].value // step)
    if last - first >= MOST_ROWS:
        raise InputError(
            f"data.step: got {settings.step:g} s, which makes {last - first + 1:,} rows of this log, expected "
            f"{MOST_ROWS:,} at most; give a longer step"
        )
    grid = np.arange(first, last + 1) * step
    values, carried, fresh = {}, {}, np.zeros(len(grid), bool)
    for column in schema.columns:
        if column.name in readings:
            series = _Series.of(times, readings[column.name], grid, step, gone)
            values[column.name], young, own = _by_rule(series, column, settings)
            carried[column.name], fresh = ~own & ~np.isnan(values[column.name]), fresh | young
    if schema.count in readings:
        series = _Series.of(times, readings[schema.count], grid, step)
        values[schema.count] = series.last(series.since < series.right)
    index = pd.DatetimeIndex(grid, name=readings.index.name)
    return pd.DataFrame(values, index)[fresh], pd.DataFrame(carried, index)[fresh]


class _Series:
    """The readings of one column as each row of a grid finds them.

    Attributes:
        readings: (n,) those that are there; NaN where the device says that there is none any more.
        right: (N,) how many readings come up to each row.
        since: (N,) how many readings come up to a step before it.
        age_s: (N,) seconds since the last reading; infinite before the first.
        before: (N,) the last reading up to a step before it, within `ON_CHANGE_S`; NaN if there is none.
        on_change: whether the sensor is only written when it changes. A sensor of fine resolution that is written at
            regular times changes with every reading too.
    """

    def __init__(self, at: Ints, values: NDArray[Any], grid: Ints, step: int) -> None:
        self.readings = values
        self.right, self.since = np.searchsorted(at, grid, "right"), np.searchsorted(at, grid - step, "right")
        self.age_s = _age_s(at, self.right, grid)
        late = _age_s(at, self.since, grid - step) > ON_CHANGE_S
        self.before = np.where(late, np.nan, values[self.since.clip(1) - 1]) if len(at) else np.full(len(grid), np.nan)
        self.on_change = False
        there = ~np.isnan(values)
        at, values = at[there], values[there]
        if len(values) > FEWEST and (np.diff(values) != 0).mean() >= ON_CHANGE:
            quarter, half, three_quarters = np.quantile(np.diff(at), [0.25, 0.5, 0.75])
            self.on_change = bool(three_quarters - quarter > OFF * half) or len(np.unique(values)) == 2

    @classmethod
    def of(
        cls, times: pd.DatetimeIndex, column: pd.Series[float], grid: Ints, step: int, gone: pd.DataFrame | None = None
    ) -> _Series:
        known = column.notna().to_numpy()
        if gone is not None and column.name in gone:
            known = known | gone[column.name].to_numpy(bool)
        at, values = times.asi8[known], column.to_numpy(np.float64)[known]
        return cls(at, values, grid, step)

    def last(self, held: Rows) -> Floats:
        """Return the last reading at the rows (N,) at which it is held, NaN at others."""
        if not len(self.readings):
            return np.full(len(held), np.nan)
        return np.where(held & (self.right > 0), self.readings[self.right.clip(1) - 1], np.nan)

    def within(self, values: NDArray[Any]) -> Floats:
        """Return the sum of values (n,) within the step of each row, (N,), without those that are NaN."""
        sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])
        return np.asarray(sums[self.right] - sums[self.since])


def _age_s(at: Ints, until: Ints, times: Ints) -> Floats:
    """Return how old the last of so many readings (N,) is at some times (N,); infinite where there is none."""
    return (
        np.where(until > 0, (times - at[until.clip(1) - 1]) / _NS, np.inf) if len(at) else np.full(len(times), np.inf)
    )


def _by_rule(series: _Series, column: Column, settings: Data) -> tuple[Floats, Rows, Rows]:
    """Return the readings of a sensor on the grid, which are not too old for its kind, and which of their step; (N,).

    A sensor that is only written when it changes was on at the start of a step if it was last written so.
    """
    facts, values = KINDS[column.kind], series.readings
    limit_s = facts.max_age_s if settings.max_age is None else settings.max_age
    young = (series.age_s <= limit_s) & ~np.isnan(series.last(series.right > 0))
    on_change = facts.rests and settings.max_age is None and series.on_change
    held = series.age_s <= ON_CHANGE_S if on_change else young
    found, count = series.last(held), series.within((~np.isnan(values)).astype(np.float64))
    own = count > 0
    if facts.rule == "any":
        within = series.within((values > 0).astype(np.float64)) > 0
        earlier = ~within & ((series.before > 0) if on_change else (found > 0) & ~own)
        return (within | earlier) + 0 * found, young, own & ~earlier
    if facts.rule == "mean":
        return np.where(own, series.within(values) / count.clip(1), found) + 0 * found, young, own
    return found, young, own


def irregular(times: pd.DatetimeIndex, max_gap: float) -> str:
    """Return what is to be said of rows that do not follow each other regularly; empty if they do.

    Args:
        times: (N,) sorted times.
        max_gap: seconds; a longer step begins a new recording.
    """
    usual_s, steps = step_of(times, max_gap), steps_of(times)
    if len(steps) < FEWEST or np.isnan(usual_s):
        return ""
    cure = f"put the readings on a grid with data.step={_rounded(usual_s)}s"
    share = float((np.abs(steps / usual_s - 1) > OFF).mean())
    if share > IRREGULAR:
        return (
            f"the rows are not regular: {share:.0%} of the steps differ by more than half from the usual {usual_s:g} s"
            f", so that spans of rows are no spans of time; {cure}"
        )
    off = off_rhythm(times, usual_s, max_gap)
    if not off.any():
        return ""
    return f"{of_another_step(times, off, usual_s)}, so that spans of rows are no spans of time; {cure}"


def off_rhythm(times: pd.DatetimeIndex, step_s: float, max_gap: float) -> Rows:
    """Return the rows (N,) of stretches in which rows come at another step, at least `FEWEST` rows on end.

    Args:
        times: (N,) sorted times.
        step_s: seconds between rows as they should be.
        max_gap: seconds; a longer step begins a new recording.
    """
    steps = steps_of(times)
    off = np.concatenate([[False], (np.abs(steps / step_s - 1) > APART) & (steps <= max_gap)])[: len(times)]
    run = np.cumsum(np.diff(off, prepend=False) != 0)
    long: Rows = np.bincount(run)[run] >= FEWEST
    return off & long


def of_another_step(times: pd.DatetimeIndex, off: Rows, step_s: float) -> str:
    """Return how many rows (N,) are off rhythm, from when on, and what their step is."""
    found_s = float(np.median(np.concatenate([[step_s], steps_of(times)])[off]))
    return f"{off.sum():,} rows, the first at {times[off][0]}, come every {found_s:g} s, not every {step_s:g} s"


def _rounded(step_s: float) -> int:
    """Return the usual number of seconds that is nearest to a step."""
    return min(_USUAL_S, key=lambda usual: abs(np.log(usual / step_s)))
