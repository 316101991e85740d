"""What is found to be wrong with a sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from occupancy.arrays import Ints, Rows

Surety = Literal["certain", "likely", "possible"]
"""How sure a finding is. ``certain``: no sensor in a room can read so. ``likely``: a working sensor can, but does it
less than once in a room and week on the simulated rooms of ``benchmarks/false_alarms.py``. ``possible``: it may well
have a natural cause, such as a season or a holiday."""
Fault = Literal["impossible", "unit", "constant", "stuck", "silent", "shifted", "beyond", "missing", "rhythm"]
"""What is wrong. ``impossible``: no room has such readings, or they are a code for an error. ``unit``: they fit another
unit. ``constant``: they never change. ``stuck``: they stopped to change. ``silent``: a motion sensor sees nobody while
others show people. ``shifted``: they are too high or too low by a constant. ``beyond``: they are far outside what the
model was trained on. ``missing``: many are not there. ``rhythm``: the rows come slower
or faster than those of the training."""

_SHOWN = 3
_BELIEVED: tuple[Fault, ...] = ("beyond", "missing", "rhythm")


@dataclass(frozen=True)
class Finding:
    """What is wrong with a sensor.

    Attributes:
        sensors: the names of the columns; empty if it is about the rows of the log.
        fault: what kind of fault it is.
        first: time of the first row that it is about.
        last: time of the last one.
        named: time of the row at which it is named: the finding needs the rows up to this one, and none after it.
        what: what the sensor reads, and why that is wrong.
        surety: how sure that is.
        remedy: what to do.
        rows: (N,) the rows of the log that it is about.
        lines: (N,) the lines of all rows of the log in its file; None if they have none.
    """

    sensors: tuple[str, ...]
    fault: Fault
    first: pd.Timestamp
    last: pd.Timestamp
    named: pd.Timestamp
    what: str
    surety: Surety
    remedy: str
    rows: Rows = field(repr=False, compare=False)
    lines: Ints | None = field(default=None, repr=False, compare=False)

    @property
    def distrusts(self) -> bool:
        """Whether the readings are not to be used: they are more likely wrong than unusual."""
        return self.surety != "possible" and self.fault not in _BELIEVED

    @property
    def sensor(self) -> str:
        """The names of the sensors as text."""
        return ", ".join(self.sensors) or "all sensors"

    @property
    def tag(self) -> str:
        """The sensor and its fault, for a table."""
        return f"{self.sensor} {self.fault}"

    @property
    def places(self) -> str:
        """The lines of the first few stretches of rows in the file; empty if they have none."""
        if self.lines is None:
            return ""
        edges = np.flatnonzero(np.diff(self.rows, prepend=False, append=False)).reshape(-1, 2)
        ends = [sorted((self.lines[first], self.lines[end - 1])) for first, end in edges[:_SHOWN]]
        named = [f"{first} to {last}" if last > first else f"{first}" for first, last in ends]
        more = f" and {len(edges) - _SHOWN} more stretches" if len(edges) > _SHOWN else ""
        return f"row{'' if self.rows.sum() == 1 else 's'} {', '.join(named)}{more}"

    def __str__(self) -> str:
        """Return the finding in one line."""
        same_day = self.first.date() == self.last.date()
        until = f"{self.last:%H:%M}" if same_day else f"{self.last:%Y-%m-%d %H:%M}"
        when = ", ".join(filter(None, [f"{self.first:%Y-%m-%d %H:%M} to {until}", self.places]))
        return f"{self.sensor}: {self.what} ({self.fault}, {self.surety}; {when}); {self.remedy}"

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain values."""
        return {
            "sensor": self.sensor,
            "fault": self.fault,
            "surety": self.surety,
            "first": str(self.first),
            "last": str(self.last),
            "named": str(self.named),
            "rows": int(self.rows.sum()),
            "what": self.what,
            "remedy": self.remedy,
        }


def about(
    times: pd.DatetimeIndex,
    rows: Rows,
    named: int,
    sensors: Sequence[str],
    fault: Fault,
    surety: Surety,
    words: Sequence[str],
) -> Finding:
    """Return a finding about some rows.

    Args:
        times: (N,) the times of the log.
        rows: (N,) the rows that it is about, one at least.
        named: position of the row at which it is named.
        sensors: the names of the columns.
        fault: what is wrong.
        surety: how sure that is.
        words: what the sensor reads, and what to do.
    """
    first, last = int(rows.argmax()), len(rows) - 1 - int(rows[::-1].argmax())
    what, remedy = words
    return Finding(tuple(sensors), fault, times[first], times[last], times[named], what, surety, remedy, rows)


def lines(findings: Sequence[Finding]) -> list[str]:
    """Return findings as text, a line for each sensor and fault: the first in full, and how many more there are."""
    groups: dict[tuple[tuple[str, ...], Fault], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.sensors, finding.fault), []).append(finding)
    return [
        str(first) + (f"; and {len(more)} more times until {more[-1].last:%Y-%m-%d %H:%M}" if more else "")
        for first, *more in groups.values()
    ]
