"""Inputs of the sensors of one kind over spans of time before a row: loudness, motion, and any other reading."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Kind
from occupancy.data import rolling
from occupancy.data.kinds import KINDS
from occupancy.data.log import Log
from occupancy.data.schema import Column
from occupancy.errors import InputWarning
from occupancy.features.holes import fill_by_others
from occupancy.features.sensors import NOT_PHYSICS, PHYSICS_KINDS

LEVEL_S = (300.0, 600.0, 1200.0)  # spans over which sound and motion of each sensor are averaged
PRESENCE_S = (60.0, 120.0, 300.0, 600.0)  # short spans, which show quickly whether anybody is in
LATELY_S = (300.0, 1200.0)  # spans in which any motion counts
MEAN_S = (300.0, 1200.0, 3600.0)  # spans over which readings of other kinds are averaged
CHANGE_S = (1200.0, 3600.0)  # spans of their slopes
FEWEST_DAYS, STEADY = 3, 0.25  # to tell whether a sensor is steady; and how much its level may wander, see `is_steady`
MOST_MISSING = 0.5  # share of the training rows without a reading, above which a sensor of another kind is left out
LOUD = 0.25  # loudness from which a sensor is loud: 28 % above silence

Named = tuple[Kind, str, Floats]
"""The kind of sensors that an input is computed from, its name, and its values (N,)."""


class Over(Protocol):
    """Returns a function of the span at each row, for each column (N, M), (N, M)."""

    def __call__(self, values: Floats, span_s: float, function: Callable[[Floats, int], Floats] = ...) -> Floats:
        """Return the mean, or what another function gives."""


def of_sound(loudness: Floats, over: Over) -> Iterator[Named]:
    """Yield each input from the loudness (N, M) at each sound sensor."""
    for span_s in LEVEL_S:
        yield from _ordered("sound", f"loudness_{span_s:g}", over(loudness, span_s))
    loud = np.where(np.isnan(loudness), np.nan, loudness > LOUD).mean(axis=1, keepdims=True)
    loudest = loudness.max(axis=1, keepdims=True)
    for span_s in PRESENCE_S:
        yield "sound", f"loud_{span_s:g}", over(loud, span_s)[:, 0]
        yield "sound", f"loudest_{span_s:g}", over(loudest, span_s)[:, 0]


def of_motion(motion: Floats, over: Over) -> Iterator[Named]:
    """Yield each input from the readings of the motion sensors (N, M)."""
    for span_s in LEVEL_S:
        yield from _ordered("motion", f"motion_{span_s:g}", over(motion, span_s))
    moved = motion.max(axis=1, keepdims=True)
    for span_s in sorted({*LATELY_S, *PRESENCE_S}):
        share = over(moved, span_s)[:, 0]
        yield "motion", f"moved_{span_s:g}", np.where(np.isnan(share), np.nan, share > 0)
        if span_s in PRESENCE_S:
            yield "motion", f"moving_{span_s:g}", share


def of_temperature(temperature: Floats, over: Over, span_s: float, step_s: float) -> Iterator[Named]:
    """Yield the median warming over a span, in degrees per hour, from the readings (N, M)."""
    warming = over(temperature, span_s, rolling.slope)
    yield "temperature", "warming", np.median(fill_by_others(warming), axis=1) * 3600 / step_s


def without_sparse(log: Log, rows: Rows) -> Log:
    """Return a log without sensors of other kinds that lack most of the training rows (N,).

    A model of all inputs learns from the rows that have them all: one sensor must not cost most of the others' rows.

    Warns:
        InputWarning: if a sensor is left out.
    """
    share = log.missing[rows].mean()
    sparse = [
        column.name
        for column in others_of(log.schema.columns)
        if column.kind not in NOT_PHYSICS and MOST_MISSING < share.get(column.name, 0) < 1
    ]
    if not sparse:
        return log
    warnings.warn(
        f"features: most training rows have no reading of {', '.join(sparse)}, which is left out",
        InputWarning,
        stacklevel=4,
    )
    return dataclasses.replace(log, frame=log.frame.drop(columns=sparse), missing=log.missing.drop(columns=sparse))


def others_of(columns: Sequence[Column]) -> list[Column]:
    """Return the sensors of kinds that no formula is for."""
    return [column for column in columns if column.kind not in PHYSICS_KINDS]


def is_steady(values: Floats, day: Ints) -> bool:
    """Return whether a sensor reads much the same at rest on every day, so that its level tells of people.

    The level of others follows the weather or wanders: what it was while people were in will not be back. Of each day
    the low decile is the level at rest, and the distance to the high decile is what happened.

    Args:
        values: (n,) readings, NaN where one is missing.
        day: (n,) number of the day of each.
    """
    days = pd.Series(values).groupby(day)
    low, high = (days.quantile(share).dropna() for share in (0.1, 0.9))
    return len(low) >= FEWEST_DAYS and bool(low.std() <= STEADY * (high - low).median())


def of_others(
    columns: Sequence[Column], readings: Floats, over: Over, step_s: float, steady: Collection[str]
) -> Iterator[Named]:
    """Yield each input from sensors of kinds that no formula is for: the mean of each over spans, and its slope.

    A sensor that is not steady has no mean among the inputs, and one of a kind that rests while nothing happens, such
    as a door, no slope.

    Args:
        columns: (M,) the sensors.
        readings: (N, M) what they read.
        over: see `Over`.
        step_s: seconds between rows.
        steady: names of the sensors whose level tells of people, see `is_steady`.
    """
    for place, column in enumerate(columns):
        own = readings[:, place : place + 1]
        rests = KINDS[column.kind].rests
        for span_s in MEAN_S if rests or column.name in steady else ():
            yield column.kind, f"{column.name}, mean over {span_s:g} s", over(own, span_s)[:, 0]
        for span_s in () if rests else CHANGE_S:
            slope = over(own, span_s, rolling.slope)[:, 0] * 3600 / step_s
            yield column.kind, f"{column.name}, slope over {span_s:g} s", slope


def _ordered(kind: Kind, name: str, values: Floats) -> Iterator[Named]:
    """Yield the columns (N,) of values (N, M), with the values of each row in ascending order."""
    ranked = np.sort(values, axis=1)
    for rank in range(ranked.shape[1]):
        yield kind, f"{name}_{rank + 1}", ranked[:, rank]
