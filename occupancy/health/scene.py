"""The readings of a log as the checks of sensors look at them, and the signs of people in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Kind
from occupancy.data.log import Log
from occupancy.data.schema import Column
from occupancy.data.times import steps_of

APART_S = 1800.0
"""A run of one value does not go on across a longer time without rows."""
SOUND_S, RISE_S, MOTION_S = 300.0, 600.0, 300.0
"""Spans of the signs of people: the mean of a sound sensor, the rise of CO2, and the share of rows with motion."""
MOVING = 0.25  # of the rows in the span: one motion that nobody made is none that goes on
LASTS_S, WITHIN_S = 600.0, 1800.0
"""Readings that are wrong for so long, within such a time, are no single failures of a sensor."""
SETTLED_S = 1800.0  # after the last people, so that no mean or rise holds them


@dataclass(frozen=True)
class Signs:
    """What readings show people; from labelled rows.

    Attributes:
        loud: for each sound sensor, the mean over `SOUND_S` that no empty room reaches.
        rise: ppm over `RISE_S` that CO2 does not rise in an empty room; None if that is not known.
    """

    loud: Mapping[str, float] = field(default_factory=dict)
    rise: float | None = None


@dataclass(frozen=True)
class Scene:
    """The readings of sensors that are believed so far.

    Attributes:
        columns: the sensors.
        readings: (N, sensors) readings, NaN where one is missing or no longer believed.
        people: (N,) counts, NaN where there is none; None if counts are not to be looked at.
        max_gap: seconds; a longer step between rows is a gap.
        step_s: seconds between two rows.
    """

    columns: Sequence[Column]
    readings: pd.DataFrame
    people: Floats | None
    max_gap: float
    step_s: float

    @classmethod
    def of(cls, log: Log, sensors: Collection[str] | None = None, labels: bool = True, step_s: float = 0.0) -> Scene:
        """Return the readings of a log.

        Args:
            log: the log.
            sensors: the names of those to look at; None for all. Columns computed from others are never looked at.
            labels: whether counts may be looked at.
            step_s: seconds between two rows; 0 for those of the log.
        """
        columns = [
            column
            for column in log.schema.columns
            if column.name in log.frame.columns
            and column.kind != "co2_slope"
            and column.slope_of is None
            and (sensors is None or column.name in sensors)
        ]
        names = [column.name for column in columns]
        count = log.schema.count
        people = log.frame[count].to_numpy(np.float64) if labels and count in log.frame.columns else None
        step_s = step_s or (log.step_s if log.step_s > 0 else log.max_gap)
        return cls(columns, log.frame[names].mask(log.missing[names]), people, log.max_gap, step_s)

    def without(self, name: str, rows: Rows) -> Scene:
        """Return the scene in which a sensor is not believed at some rows (N,)."""
        readings = self.readings.copy(deep=False)
        readings[name] = readings[name].mask(rows)
        return dataclasses.replace(self, readings=readings)

    @property
    def times(self) -> pd.DatetimeIndex:
        """The time of each row, (N,)."""
        return pd.DatetimeIndex(self.readings.index)

    def of_kind(self, *kinds: Kind) -> list[str]:
        """Return the names of the sensors of these kinds."""
        return [column.name for column in self.columns if column.kind in kinds]

    def values(self, name: str) -> Floats:
        """Return the readings of a sensor, (N,)."""
        return self.readings[name].to_numpy(np.float64)

    @cached_property
    def seconds(self) -> Floats:
        """How long each row stands for, (N,): until the next row, and at most one step."""
        steps = np.append(steps_of(self.times), self.step_s)[: len(self.readings)]
        return np.asarray(np.minimum(steps, self.step_s))

    @cached_property
    def part(self) -> Ints:
        """The number of the part of each row, (N,), between which `APART_S` pass without rows."""
        return np.append(0, np.cumsum(steps_of(self.times) > max(APART_S, self.max_gap)))[: len(self.readings)]

    def mean(self, values: pd.Series[float], span_s: float) -> pd.Series[float]:
        """Return the mean of the readings in the time up to each row, (N,)."""
        return values.rolling(pd.Timedelta(seconds=max(span_s, 1.5 * self.step_s))).mean()

    def rise(self, name: str, span_s: float = RISE_S) -> Floats:
        """Return by how much a sensor has risen over a span up to each row, (N,); NaN where it can't be known."""
        smooth = self.mean(self.readings[name], span_s / 4)
        span = pd.Timedelta(seconds=max(span_s, 2 * self.step_s))
        before = smooth.reindex(self.times - span, method="ffill", tolerance=span / 2)
        return np.asarray(smooth.to_numpy() - before.to_numpy()) * (span_s / span.total_seconds())

    def moving(self, names: Sequence[str]) -> Rows:
        """Return where motion goes on, (N,)."""
        if not names:
            return np.zeros(len(self.readings), bool)
        seen = (self.readings[list(names)] > 0).any(axis=1).astype(np.float64)
        return np.asarray(self.mean(seen, MOTION_S).to_numpy() >= MOVING)

    def loud(self, signs: Signs) -> Rows:
        """Return where a sound sensor is louder than in any empty room, (N,)."""
        found = np.zeros(len(self.readings), bool)
        for name in set(self.of_kind("sound")) & set(signs.loud):
            found |= self.mean(self.readings[name], SOUND_S).to_numpy() > signs.loud[name]
        return found

    def rising(self, signs: Signs) -> Rows:
        """Return where CO2 rises as it does not in an empty room, (N,)."""
        found = np.zeros(len(self.readings), bool)
        least = np.inf if signs.rise is None else signs.rise
        for name in self.of_kind("co2"):
            found |= self.rise(name) > least
        return found

    @property
    def occupied(self) -> Rows:
        """Where the counts say that people are in, (N,)."""
        return np.zeros(len(self.readings), bool) if self.people is None else self.people > 0

    @property
    def empty(self) -> Rows:
        """Where the counts say that nobody has been in for `SETTLED_S`, (N,)."""
        if self.people is None:
            return np.zeros(len(self.readings), bool)
        someone = pd.Series(np.where(self.people == 0, 0.0, 1.0), self.times)
        return np.asarray(someone.rolling(pd.Timedelta(seconds=SETTLED_S)).max().to_numpy() == 0)


def runs_of(scene: Scene, values: Floats) -> tuple[Ints, Ints]:
    """Return the first and the last row of every run of one value; missing readings do not end a run, long gaps do."""
    there = np.flatnonzero(~np.isnan(values))
    if not len(there):
        return there, there
    ends = (np.diff(values[there]) != 0) | (np.diff(scene.part[there]) != 0)
    edges = np.flatnonzero(ends) + 1
    return there[np.append(0, edges)], there[np.append(edges, len(there)) - 1]


def total(seconds: Floats, first: Ints, last: Ints) -> Floats:
    """Return the sum of seconds (N,) over each run."""
    sums = np.append(0.0, np.cumsum(seconds))
    return np.asarray(sums[last + 1] - sums[first])


def lasting(scene: Scene, rows: Rows) -> int | None:
    """Return the first row at which rows (N,) were `LASTS_S` of the last `WITHIN_S`; None if there is none."""
    seconds = pd.Series(scene.seconds * rows, scene.times)
    enough = seconds.rolling(pd.Timedelta(seconds=max(WITHIN_S, 4 * scene.step_s))).sum().to_numpy() >= LASTS_S
    return int(enough.argmax()) if enough.any() else None


def reached(seconds: Floats, first: int, least: float) -> int:
    """Return the row at which the sum of seconds (N,) from a row on passes a limit."""
    return first + int(np.searchsorted(np.cumsum(seconds[first:]), least, side="right"))
