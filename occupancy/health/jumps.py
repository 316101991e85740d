"""Jumps that no room makes: a unit that changes in mid-file, and readings that are shifted from one row on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints
from occupancy.config import Kind
from occupancy.data.kinds import KINDS, Scale, scale_of
from occupancy.data.schema import Column
from occupancy.health.finding import Finding, about
from occupancy.health.profile import Profile
from occupancy.health.scene import Scene
from occupancy.health.words import number, reading

# By how much air can change between two rows (in the first unit of the kind), and the seconds for which that holds;
# for a longer step, in proportion. A window that is thrown open changes the CO2 at a sensor by less in a minute.
LIMITS: dict[Kind, tuple[float, float]] = {
    "temperature": (5.0, 600.0),
    "co2": (100.0, 60.0),
    "humidity": (20.0, 300.0),
    "pressure": (5.0, 600.0),
}
TIMES = 6.0
"""A jump is this many times as large as the change that one of a thousand rows exceeds in training."""
_ROWS = 5  # whose median is compared before and after
_CLOSE = 0.15  # of a jump, within which it fits a conversion
_FACTORS = (10.0, 100.0, 1000.0)


def check_jumps(scene: Scene, column: Column, profile: Profile | None) -> Iterator[Finding]:
    """Yield a finding for each jump of a sensor to another level, with the rows up to the jump back."""
    if column.kind not in LIMITS:
        return
    values = scene.values(column.name)
    there = np.flatnonzero(~np.isnan(values))
    if len(there) < 2 * _ROWS:
        return
    known = values[there]
    learned = None if profile is None else profile.sensors.get(column.name)
    found = _jumps(scene, column, there, known, 0.0 if learned is None else learned.change)
    while len(found):
        at = int(found[0])
        before, after = (float(np.median(part)) for part in (known[at - _ROWS : at], known[at : at + _ROWS]))
        back = [
            later
            for later in found[1:]
            if np.sign(known[later] - known[later - 1]) != np.sign(after - before)
            and abs(known[later] - known[later - 1]) > 0.5 * abs(after - before)  # a stuck sensor may be elsewhere then
        ]
        rows = np.zeros(len(values), bool)
        end = int(there[back[0]]) if back else len(values)
        unit, was_wrong = _conversion(column, before, after)
        first = 0 if was_wrong else int(there[at])
        rows[first : int(there[at]) if was_wrong else end] = True
        rows &= ~np.isnan(values)
        what = f"jumps from {number(before)} to {reading(after, column)} between two rows ({scene.times[there[at]]})"
        named = int(there[min(at + _ROWS - 1, len(there) - 1)])
        if unit:
            words = (f"{what}, which fits {unit}", f"give all readings in {column.unit}")
            yield about(scene.times, rows, named, [column.name], "unit", "certain", words)
        else:
            words = (f"{what}, as no room does", "calibrate the sensor, or replace it")
            yield about(scene.times, rows, named, [column.name], "shifted", "likely", words)
        found = found[found > back[0]] if back else found[:0]


def _jumps(scene: Scene, column: Column, there: Ints, known: Floats, typical: float) -> Ints:
    """Return the positions, among the readings that are there, of the first reading after each jump."""
    largest, span_s = LIMITS[column.kind]
    scale = scale_of(column.kind, column.unit)
    factor = scale.to_first[0] if scale is not None and scale.to_first is not None else 1.0
    steps_s = np.diff(scene.times[there].to_numpy()) / np.timedelta64(1, "s")
    own = float(np.quantile(np.abs(np.diff(known)), 0.99))  # of this log: few rows jump
    limit = np.maximum(largest / factor * np.maximum(steps_s / span_s, 1.0), TIMES * max(own, typical))
    changes = np.diff(known)
    found = np.flatnonzero((np.abs(changes) > limit) & (steps_s <= max(scene.max_gap, 3 * scene.step_s))) + 1
    found = found[(found >= _ROWS) & (found <= len(known) - _ROWS)]
    medians = pd.Series(known).rolling(_ROWS).median().to_numpy()
    levels = medians[found + _ROWS - 1] - medians[found - 1]
    return np.asarray(found[(np.abs(levels) > limit[found - 1]) & (np.sign(levels) == np.sign(changes[found - 1]))])


def _conversion(column: Column, before: float, after: float) -> tuple[str, bool]:
    """Return which change of unit a jump fits, empty for none, and whether the readings before it are wrong."""
    own = scale_of(column.kind, column.unit)
    close = _CLOSE * abs(after - before)
    for other in KINDS[column.kind].scales if own is not None else ():
        assert own is not None
        if other is own or (converted := _converted(before, own, other)) is None:
            continue
        if abs(converted - after) < close:
            return f"a change from {own.unit} to {other.unit}", False
        back = _converted(after, own, other)
        if back is not None and abs(back - before) < close:
            return f"a change from {other.unit} to {own.unit}", True
    for factor in _FACTORS:
        for times in (factor, 1 / factor):
            if before and abs(before * times - after) < 0.05 * abs(after):
                return f"a factor of {times:g}", False
    return "", False


def _converted(value: float, own: Scale, other: Scale) -> float | None:
    """Return a reading of one unit in another; None if no formula does that."""
    first = KINDS_FIRST
    source, target = own.to_first or first, other.to_first or first
    if own.to_first is None and other.to_first is None:
        return None
    return (value * source[0] + source[1] - target[1]) / target[0]


KINDS_FIRST = (1.0, 0.0)
"""Factor and offset of the first unit of a kind."""
