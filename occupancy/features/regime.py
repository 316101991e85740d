"""When a room is aired in another way than at rest: by a column of its ventilation, or by its hours of use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from occupancy.arrays import Rows
from occupancy.data.log import Log
from occupancy.data.schema import Column
from occupancy.features.learned import Learned

LEAST = 0.05  # share of the training rows that each regime needs
USED = 0.1  # share of an hour's rows with people, from which the room is in use at that hour
HOURS = 24


@dataclass(frozen=True)
class Regime:
    """Rows at which a room is aired in another way than at rest.

    Attributes:
        column: the sensor of kind ventilation that tells; None: the hours of use do.
        above: what it reads more than.
        hours: (2, 24) hours of working days and of weekends at which people are in; they stand in for a ventilation
            without a reading. An hour that was never seen is as it is on the other days, or else one of use.
    """

    column: str | None
    above: float
    hours: Rows

    @classmethod
    def fit(cls, log: Log, rows: Rows, columns: Sequence[Column]) -> Self | None:
        """Return the regime that the given rows (N,) of a log with counts show; None if they show none.

        Args:
            log: the log; only the given rows are read.
            rows: (N,) the training rows.
            columns: the sensors that a model reads.
        """
        hours, share = _hours_of_use(log, rows)
        for column in columns:
            if column.kind != "ventilation" or column.name not in log.frame:
                continue
            values = log.frame.loc[rows, column.name].dropna()
            above = float(values.quantile([0.1, 0.9]).mean()) if len(values) else 0.0
            if LEAST <= float((values > above).mean()) <= 1 - LEAST:
                return cls(column.name, above, hours)
        return cls(None, 0.0, hours) if LEAST <= share <= 1 - LEAST else None

    def at(self, frame: pd.DataFrame, wall: pd.DatetimeIndex) -> Rows:
        """Return at which rows it holds, (N,).

        Args:
            frame: sensors of N rows; where the ventilation has no reading, the hours of use tell.
            wall: (N,) times of the clock on the wall.
        """
        by_hour = np.asarray(self.hours[(wall.dayofweek >= 5).astype(int), wall.hour])
        if self.column is None or self.column not in frame:
            return by_hour
        values = frame[self.column].to_numpy(np.float64)
        return np.where(np.isnan(values), by_hour, values > self.above)

    def to_settings(self) -> dict[str, Any]:
        """Return plain values from which `from_settings` makes an equal regime."""
        return {"column": self.column, "above": self.above, "hours": self.hours.astype(float).tolist()}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the regime that `to_settings` described. Raise InputError if it is not as it gives it."""
        learned = Learned(settings, "regime")
        column = learned.value("column")
        if column is not None and not isinstance(column, str):
            raise learned.wrong("column", "the name of a column")
        return cls(column, learned.number("above"), learned.numbers("hours", (2, HOURS), 0.0, 1.0) > 0.5)


def _hours_of_use(log: Log, rows: Rows) -> tuple[Rows, float]:
    """Return the hours (2, 24) of working days and weekends with people, and their share of the rows (N,)."""
    wall, occupied = log.wall[rows], log.frame.loc[rows, log.schema.count].to_numpy() > 0
    place = (wall.dayofweek >= 5) * HOURS + wall.hour
    seen, people = (np.bincount(place, weights, 2 * HOURS).reshape(2, HOURS) for weights in (None, occupied))
    used = (people >= USED * seen) & (people > 0)
    other = np.where(seen[::-1] > 0, used[::-1], True)
    used = np.where(seen > 0, used, other)
    return used, float(used.ravel()[place].mean())
