"""A validated log, and the places of rooms in a log of many."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from occupancy.arrays import Ints, Rows
from occupancy.data.clock import Clock, wall_times
from occupancy.data.schema import Schema
from occupancy.data.times import step_of


@dataclass(frozen=True)
class Place:
    """The place of a room in a log of many rooms, which follow each other on one time axis.

    Attributes:
        name: name of the room.
        first: its first row.
        end: the row after its last row.
        shift: how much its times were moved to later: whole weeks, so that hour and weekday stay the same.
        volume_m3: its volume; None if it is not known.
        clock: how its times, so moved, stand to UTC; None if its zone is not known.
    """

    name: str
    first: int
    end: int
    shift: pd.Timedelta
    volume_m3: float | None = None
    clock: Clock | None = None


@dataclass(frozen=True)
class Log:
    """A validated log.

    Attributes:
        name: ``uci``, ``simulated``, or the name of the file.
        family: the name that a fold scheme uses for the log: the name of the schema, or ``simulated``.
        schema: the meaning of its columns.
        frame: sensors as floats (N rows) on a naive, sorted index ``time``, NaN where a reading is missing; the count,
            if labelled, as int64, or as float64 with NaN in rows that have none.
        missing: (N, sensors) which cells were missing; with ``missing: hold`` such a cell may hold an earlier reading.
        max_gap: longest time in seconds between two rows of one recording.
        rooms: the rooms of a log of many rooms, separated by gaps; empty for a log of one room.
        clock: how its times stand to UTC; None if nothing says it.
        notes: what was skipped or converted when it was read, a line each.
        lines: (N,) the line of each row in its file; None if it has none of its own, or there are several files.
        carried: (N, columns) which cells are from the last row before them that has one of its own, because the log is
            on a grid or counts hold; None if there are none.
    """

    name: str
    family: str
    schema: Schema
    frame: pd.DataFrame
    missing: pd.DataFrame
    max_gap: float
    rooms: tuple[Place, ...] = ()
    clock: Clock | None = None
    notes: tuple[str, ...] = ()
    lines: Ints | None = None
    carried: pd.DataFrame | None = None

    @property
    def times(self) -> pd.DatetimeIndex:
        """Time of each row, (N,)."""
        return pd.DatetimeIndex(self.frame.index)

    @cached_property
    def wall(self) -> pd.DatetimeIndex:
        """Time of the wall clock in its room at each row, (N,), without a zone; see `Clock`."""
        parts = [wall_times(self.times[place.first : place.end], place.clock) for place in self.rooms]
        return pd.DatetimeIndex(parts[0].append(parts[1:])) if parts else wall_times(self.times, self.clock)

    @cached_property
    def step_s(self) -> float:
        """The step of the log in seconds: the median between rows of one recording."""
        return step_of(self.times, self.max_gap)

    @property
    def held(self) -> pd.DataFrame:
        """Which cells hold an earlier reading, (N, sensors)."""
        return self.frame[self.missing.columns].notna() & self.missing.to_numpy()

    @cached_property
    def labelled(self) -> Rows:
        """Which rows have a count, (N,)."""
        return self.frame[self.schema.count].notna().to_numpy()

    def labelled_in(self, parts: Ints) -> Rows:
        """Return which rows have a count that is not from a row of another part, (N,); see `borrowed`."""
        return self.labelled & ~self.borrowed(self.schema.count, parts)

    def borrowed(self, column: str, parts: Ints) -> Rows:
        """Return which cells of a column are carried from a row of another part, (N,), by the part of each row (N,)."""
        if self.carried is None or column not in self.carried:
            return np.zeros(len(parts), bool)
        carried = self.carried[column].to_numpy()
        own = self.frame[column].notna().to_numpy() & ~carried
        if column in self.missing:
            own &= ~self.missing[column].to_numpy()
        source = np.maximum.accumulate(np.where(own, np.arange(len(own)), 0))
        found: Rows = carried & (parts[source] != parts)
        return found

    @cached_property
    def digest(self) -> str:
        """Hash of the names, times and values of the validated frame: equal digests mean equal logs."""
        digest = hashlib.sha256(",".join(map(str, self.frame.columns)).encode())
        digest.update(self.times.to_numpy("datetime64[ns]").tobytes())
        digest.update(np.ascontiguousarray(self.frame.to_numpy(np.float64)).tobytes())
        return digest.hexdigest()[:16]
