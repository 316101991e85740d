"""Levels that are not those of the training: shifted, or far beyond all that was learned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from occupancy.arrays import Rows
from occupancy.config import Kind
from occupancy.data.kinds import scale_of
from occupancy.data.schema import Column
from occupancy.health.finding import Finding, about
from occupancy.health.profile import Profile, Sensor
from occupancy.health.scene import Scene, lasting
from occupancy.health.words import against, number, span

SHIFT_PPM = 75.0
"""CO2 below all of the training by more than this is wrong: air outdoors does not change so much."""
BEYOND = 0.6  # of the trained range
LEAST_BEYOND: dict[Kind, float] = {
    "co2": 250.0,
    "temperature": 4.0,
    "humidity": 15.0,
    "voc": 300.0,
    "power": 500.0,
    "devices": 10.0,
    "sound": 0.5,
}
"""How far readings are beyond the trained range at least, in the first unit of the kind, for a finding."""
_QUIET_S = 4 * 3600.0
_FLAT_PPM = 10.0  # an hour


def check_levels(scene: Scene, column: Column, profile: Profile, people: Rows) -> Iterator[Finding]:
    """Yield a finding about the level of a sensor, if it is not that of the training.

    Args:
        scene: the readings.
        column: the sensor.
        profile: what was learned in training.
        people: (N,) where others show people.
    """
    learned = profile.sensors.get(column.name)
    values = scene.values(column.name)
    known = ~np.isnan(values)
    if learned is None or not known.any():
        return
    if column.kind == "co2":
        factor = _factor(column)
        low = values < learned.low - SHIFT_PPM / factor
        high = _rests_above(scene, column, learned, people)
        for rows, level in ((low, "below"), (high, "above")):
            named = lasting(scene, rows)
            if named is not None:
                what = f"reads {span(values[rows], column)}{against(column, values, learned)}"
                if level == "above":
                    what = f"rests at {span(values[rows], column)}, {number(learned.rest or 0.0)} in training"
                words = (f"{what}; its level has shifted", "calibrate the sensor in fresh air, or train again")
                yield about(scene.times, known, named, [column.name], "shifted", "likely", words)
                return
    yield from _beyond(scene, column, profile, learned)


def _beyond(scene: Scene, column: Column, profile: Profile, learned: Sensor) -> Iterator[Finding]:
    """Yield a finding if many readings are far beyond the trained range; it is about all that are outside."""
    values = scene.values(column.name)
    if column.kind not in LEAST_BEYOND:
        return
    far = max(BEYOND * (learned.high - learned.low), LEAST_BEYOND[column.kind] / _factor(column))
    rows = (values > learned.high + far) | (values < learned.low - far)
    named = lasting(scene, rows)
    if named is None:
        return
    slack = 0.1 * (learned.high - learned.low)
    outside = (values > learned.high + slack) | (values < learned.low - slack)
    people = f"; it tells {profile.most_people:,} people at most" if values[rows][0] > learned.high else ""
    words = (
        f"reads {span(values[outside], column)}{against(column, values, learned)}{people}",
        "train again with rows of such readings",
    )
    yield about(scene.times, outside, named, [column.name], "beyond", "likely", words)


def _rests_above(scene: Scene, column: Column, learned: Sensor, people: Rows) -> Rows:
    """Return where CO2 rests, for hours without a sign of people, well above its value at rest in training, (N,)."""
    if learned.rest is None:
        return np.zeros(len(scene.readings), bool)
    factor = _factor(column)
    flat = np.abs(scene.rise(column.name, 3600.0)) < _FLAT_PPM / factor
    quiet = ~people & flat
    still = quiet & (scene.mean(pd.Series(quiet.astype(np.float64), scene.times), _QUIET_S).to_numpy() > 0.95)
    since_s = (scene.times - scene.times[np.searchsorted(scene.part, scene.part)]).total_seconds().to_numpy()
    above = scene.values(column.name) > learned.rest + SHIFT_PPM / factor
    return np.asarray(still & above & (since_s >= _QUIET_S))


def _factor(column: Column) -> float:
    """Return how much of the first unit of the kind one of the column's unit is."""
    scale = scale_of(column.kind, column.unit)
    return scale.to_first[0] if scale is not None and scale.to_first is not None else 1.0
