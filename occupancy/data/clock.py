"""From the clock on a room's wall to times that run on evenly, and back.

The package works on times without a zone that rise with every row. A wall clock does not: where clocks go back, an hour
comes twice. So the times of a log are those of its wall clock at the first row, and they run on from there: after a
change of clocks within the log they differ from the wall clock by an hour, and `Clock.on_the_wall` gives its times.
A log without a change of clocks, which most are, has the times of its wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.errors import InputError

CLOCK = "clock"
"""What the ``attrs`` of a frame may hold: how its times stand to the clock on the wall, a `Clock`."""


@dataclass(frozen=True)
class Clock:
    """How the times of a log stand to UTC.

    Attributes:
        offset_s: how far they are ahead of UTC, in seconds.
        zone: the IANA name of the zone whose clock hangs in the room; None if only the offset is known.
    """

    offset_s: float
    zone: str | None = None

    def on_the_wall(self, times: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Return the times of the wall clock with their offsets, (N,).

        Args:
            times: (N,) times of the log.
        """
        if self.zone is None:
            return times.tz_localize(timezone(timedelta(seconds=self.offset_s)))
        return (times - pd.Timedelta(seconds=self.offset_s)).tz_localize("UTC").tz_convert(self.zone)


def with_offset(times: pd.DatetimeIndex, clock: Clock | None) -> pd.DatetimeIndex:
    """Return the times as people are to see them: with their offset from UTC where that is known, (N,)."""
    return times if clock is None else clock.on_the_wall(times)


def wall_times(times: pd.DatetimeIndex, clock: Clock | None) -> pd.DatetimeIndex:
    """Return the times of the wall clock without their offsets, (N,): the same but for a change of clocks."""
    return times if clock is None or clock.zone is None else clock.on_the_wall(times).tz_localize(None)


def wall_of(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the times of the wall clock at each row of a frame on a time index, (N,), see `CLOCK`."""
    return wall_times(pd.DatetimeIndex(frame.index), frame.attrs.get(CLOCK))


def run_on(utc: pd.Series[pd.Timestamp], zone: str) -> tuple[pd.Series[pd.Timestamp], Clock]:
    """Return times in UTC as times of the room's zone that run on evenly, (N,), and their clock.

    Args:
        utc: (N,) times in UTC without a zone; NaT where one can't be read.
        zone: IANA name.
    """
    known = utc.dropna()
    first = known.min() if len(known) else pd.Timestamp(0)
    offset_s = _ahead_s(first.tz_localize("UTC").tz_convert(zone))
    return utc + pd.Timedelta(seconds=offset_s), Clock(offset_s, zone)


def changes_within(utc: pd.Series[pd.Timestamp], zone: str) -> bool:
    """Return whether clocks of a zone change between the first and the last of some times in UTC."""
    known = utc.dropna()
    if known.empty:
        return False
    days = pd.DatetimeIndex([*pd.date_range(known.min(), known.max(), freq="D"), known.max()])
    return len({time.utcoffset() for time in days.tz_localize("UTC").tz_convert(zone)}) > 1


def _ahead_s(time: pd.Timestamp) -> float:
    """Return how far the clock of a time with a zone is ahead of UTC, in seconds."""
    ahead = time.utcoffset()
    assert ahead is not None, "it has a zone"
    return ahead.total_seconds()


def to_utc(wall: pd.Series[pd.Timestamp], zone: str) -> pd.Series[pd.Timestamp]:
    """Return the times of a wall clock in UTC, (N,): of an hour that comes twice, the order of the rows tells which.

    Args:
        wall: (N,) times of the wall clock in the order of the file, NaT where one can't be read.
        zone: IANA name.

    Raises:
        InputError: if there are times that clocks of the zone skip, or clocks go back and the times do not.
    """
    known = wall.dropna()
    index = pd.DatetimeIndex(known)
    ones = np.ones(len(index), bool)
    first = index.tz_localize(zone, ambiguous=ones, nonexistent="NaT").tz_convert("UTC").tz_localize(None)
    second = index.tz_localize(zone, ambiguous=~ones, nonexistent="NaT").tz_convert("UTC").tz_localize(None)
    if first.hasnans:
        _refuse(zone, index[first.isna()][0], index[0], "forward", "has times in the hour that they skip")
    twice = (first != second).nonzero()[0] if len(index) else np.empty(0, int)
    instants = first.to_numpy(copy=True)
    for run in np.split(twice, np.flatnonzero(np.diff(twice) != 1) + 1):
        if len(run):
            late = _second_time(index, run, zone)
            instants[run[late]] = second[run[late]]
    return pd.Series(instants, known.index).reindex(wall.index).astype("datetime64[ns]")


def _second_time(index: pd.DatetimeIndex, run: NDArray[Any], zone: str) -> NDArray[np.bool_]:
    """Return which rows of a run inside an hour that comes twice belong to the second time."""
    back = np.flatnonzero(np.diff(index[run].to_numpy()) < np.timedelta64(0))
    if len(back):
        second: NDArray[np.bool_] = np.arange(len(run)) > back[0]
        return second
    steps = np.diff(index.to_numpy()) / np.timedelta64(1, "s")
    before = steps[run[0] - 1] if run[0] else np.inf
    after = steps[run[-1]] if run[-1] < len(steps) else np.inf
    step = float(np.median(np.abs(steps))) if len(steps) else np.inf
    if max(before, after) <= 2 * step <= _REGULAR_S:
        _refuse(zone, index[run[0]], index[0], "back", "has the hour that comes twice only once, and no gap")
    late: NDArray[np.bool_] = np.full(len(run), bool(after < before))
    return late


def _refuse(zone: str, at: pd.Timestamp, first: pd.Timestamp, way: str, what: str) -> None:
    ahead = _ahead_s(first.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")) / 3600
    fixed = f"Etc/GMT{-ahead:+.0f}" if ahead == round(ahead) else "UTC"
    raise InputError(
        f"data.time_zone: clocks in {zone} go {way} on {at:%Y-%m-%d}, but the log {what} (at {at:%H:%M:%S}), so its "
        f"clock keeps one time all year; set data.time_zone={fixed}, which is the time of its first row"
    )


_REGULAR_S = 1800.0  # of two steps: with longer ones, that no row is in the hour's second time may be chance
_COMMON: tuple[str, ...] = ("Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/Denver")
_COMMON += ("America/Los_Angeles", "Australia/Sydney", "America/Sao_Paulo", "Europe/Helsinki", "Asia/Tehran")


def zones_that_go_back(before: pd.Timestamp, after: pd.Timestamp) -> list[str]:
    """Return common zones whose clocks go back so that one row's wall clock can be followed by the next row's.

    Args:
        before: time of the wall clock at a row.
        after: the earlier one at the next row.
    """
    found = []
    for zone in _COMMON:
        pair = pd.DatetimeIndex([before, after])
        first, second = (
            pair.tz_localize(zone, ambiguous=np.full(2, flag), nonexistent="shift_forward") for flag in (True, False)
        )
        if first[1] != second[1] and second[1] > first[0]:
            found.append(zone)
    return found
