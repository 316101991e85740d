"""The order of a log's rows: rows that are there twice, and clocks that were set back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.data.clock import Clock, zones_that_go_back

_HOUR_S = 3600.0
_SLACK_S = 120.0  # by which an hour may be off, beside the step between two rows
_STRAYS = 2  # rows that may stand in a wrong place; more of them are a stretch of their own


def repeated(raw: pd.DataFrame, times: pd.Series[pd.Timestamp]) -> NDArray[np.bool_]:
    """Return which rows say what an earlier row says already, (N,): the same time and the same cells.

    None does if the times go back otherwise, since an hour may come twice.
    """
    none = np.zeros(len(times), bool)
    if not times.duplicated().any():
        return none
    again = (times.duplicated() & times.notna()).to_numpy() & raw.duplicated().to_numpy()
    kept = times[~again]
    return none if (kept.diff() < pd.Timedelta(0)).any() else again


def setback(times: pd.Series[pd.Timestamp], label: Callable[[int], str], clock: Clock | None) -> str | None:
    """Return what to say of a clock that was set back, so that a stretch of rows lies over earlier ones; or None.

    To sort such rows would lay two stretches of time over each other. Rows of which the newest is the first may be
    sorted.

    Args:
        times: (N,) times in the order of the rows, by row.
        label: how messages call a row.
        clock: how the times stand to UTC, if that is known; then no change of clocks sets them back.
    """
    known = times.dropna()
    values = known.to_numpy()
    steps = np.diff(values) / np.timedelta64(1, "s")
    for at in np.flatnonzero(steps < 0)[:10] if (steps > 0).any() else ():
        over = int((values[: at + 1] >= values[at + 1]).sum())
        under = int((values[at + 1 :] <= values[at]).sum())
        step = float(np.median(np.abs(steps)))
        if min(over, under) > _STRAYS or (_is_an_hour(steps[at], step) and over > 1):
            return _say(known, at, step, label, clock)
    return None


def _is_an_hour(jump: float, step: float) -> bool:
    return abs(-jump + step - _HOUR_S) <= max(_SLACK_S, step)


def _say(known: pd.Series[pd.Timestamp], at: int, step: float, label: Callable[[int], str], clock: Clock | None) -> str:
    before, after = known.iloc[at], known.iloc[at + 1]
    row = label(known.index[at + 1])
    back = before - after
    what = (
        f"the clock went back {'about an hour' if _is_an_hour(-back / pd.Timedelta('1s'), step) else back} at {row} ("
    )
    what += f"from {before} to {after})"
    zones = [] if clock else zones_that_go_back(before, after)
    if zones:
        named = " or ".join(zones[:3])
        return f"{what}, as clocks do that day; set data.time_zone to the zone of the room (such as {named})"
    why = "" if clock is None else f", and no change of clocks in {clock.zone or 'UTC'} explains it"
    return (
        f"{what}{why}, so rows before and after it have the same times; correct the times of the rows on one side of "
        "it, or delete the rows that lie over others, but do not sort them"
    )
