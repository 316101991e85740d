"""When a room is aired in another way than at rest: by a column of its ventilation, or by its hours of use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from occupancy.arrays import Rows
from occupancy.data.log import Log
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
        hours: (2, 24) hours of working days and of weekends at which people are in.
    """

    column: str | None
    above: float
    hours: Rows

    @classmethod
    def fit(cls, log: Log, rows: Rows) -> Self | None:
        """Return the regime that the given rows (N,) of a log with counts show; None if they show none."""
        none = np.zeros((2, HOURS), bool)
        for column in log.schema.of_kind("ventilation"):
            if column.name not in log.frame:
                continue
            values = log.frame.loc[rows, column.name].dropna()
            above = float(values.quantile([0.1, 0.9]).mean()) if len(values) else 0.0
            if LEAST <= float((values > above).mean()) <= 1 - LEAST:
                return cls(column.name, above, none)
        wall, occupied = log.wall[rows], log.frame.loc[rows, log.schema.count].to_numpy() > 0
        place = (wall.dayofweek >= 5) * HOURS + wall.hour
        seen, people = (np.bincount(place, weights, 2 * HOURS) for weights in (None, occupied))
        hours = (people >= USED * seen) & (people > 0)
        share = float(hours[place].mean())
        return cls(None, 0.0, hours.reshape(2, HOURS)) if LEAST <= share <= 1 - LEAST else None

    def at(self, frame: pd.DataFrame, wall: pd.DatetimeIndex) -> Rows:
        """Return at which rows it holds, (N,).

        Args:
            frame: sensors of N rows; where the ventilation has no reading, it does not hold.
            wall: (N,) times of the clock on the wall.
        """
        if self.column is not None:
            if self.column not in frame:
                return np.zeros(len(frame), bool)
            return np.asarray(frame[self.column].to_numpy(np.float64) > self.above)
        return np.asarray(self.hours[(wall.dayofweek >= 5).astype(int), wall.hour])

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
