"""Sensors that stopped: one value in a long run, and motion sensors that see nobody while others show people."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Kind
from occupancy.data.schema import Column
from occupancy.health.finding import Finding, about
from occupancy.health.profile import Profile, Sensor
from occupancy.health.scene import Scene, reached, runs_of, total
from occupancy.health.words import duration, number, reading

TIMES = 1.5
"""A run is too long if it is so many times as long as the longest in training, and at least as long as here:"""
LEAST_BUSY_S: dict[Kind, float] = {
    "co2": 1200.0,
    "sound": 3600.0,
    "voc": 3600.0,
    "humidity": 10_800.0,
    "power": 10_800.0,
    "temperature": 21_600.0,
}
"""Seconds with people in which a sensor of each kind does not stay at one value."""
LEAST_SILENCE_S = 900.0
"""Seconds in which others show people, after which a motion sensor that sees none is called silent."""
LEAST_ONE_S = 7200.0
"""The same for one of several motion sensors, which may not look at the desk that is used."""
UNTRAINED = 3.0  # times as long without a profile, which could tell what is usual in this room
_IDLE_S, _IDLE_PPM = 4 * 3600.0, 100.0
_FEWEST = 6  # rows
_RETURNS = 3
"""Runs at its lowest reading, between which it leaves it, from which this is where a sensor rests, people or not."""
_SEEING_ROWS = 20
_ON_S, _ON_TIMES = 3600.0, 3.0  # people rest: a sensor that nothing stops sees motion for so long
_REPLACE = "restart or replace the sensor; until then counts do without it"


def check_stuck(scene: Scene, column: Column, people: Rows, profile: Profile | None) -> Iterator[Finding]:
    """Yield a finding for each run of one value in which a working sensor would have changed.

    Args:
        scene: the readings.
        column: the sensor.
        people: (N,) where others show people.
        profile: what was learned in training.
    """
    values = scene.values(column.name)
    learned = None if profile is None else profile.sensors.get(column.name)
    first, last = runs_of(scene, values)
    if column.kind == "motion":
        yield from _stuck_on(scene, column, first, last, learned)
        return
    if column.kind not in LEAST_BUSY_S or not len(first):
        return
    limit = _limit(LEAST_BUSY_S[column.kind], None if learned is None else learned.busy_s)
    known = ~np.isnan(values)
    busy = scene.seconds * (people & known)
    busy_s, whole_s, rows = (total(part, first, last) for part in (busy, scene.seconds, known.astype(np.float64)))
    idle = _is_idle(values[first], whole_s, learned) if column.kind == "co2" else np.zeros(len(first), bool)
    suspect = (rows >= _FEWEST) & (idle | (busy_s > limit))
    if learned is None and column.kind != "co2":  # which cannot rest while people breathe
        suspect &= ~_rests(values[first], suspect)
    for run in np.flatnonzero(suspect):
        start, end = int(first[run]), int(last[run])
        named = reached(busy, start, limit) if busy_s[run] > limit else reached(scene.seconds, start, _idle_s(learned))
        before = "" if learned is None else f", {learned.longest_rows:,} at most where the model was trained"
        shown = f", while others show people for {duration(busy_s[run])}" if busy_s[run] else ""
        read = "reads" if rows[run] < known.sum() else "never changes, it reads"
        what = f"{read} {reading(values[start], column)} in {rows[run]:,.0f} rows on end ({duration(whole_s[run])})"
        about_rows, words = _between(values, start, end), (f"{what}{before}{shown}", _REPLACE)
        yield about(scene.times, about_rows, min(named, end), [column.name], "stuck", "likely", words)


def _rests(values: Floats, suspect: Rows) -> Rows:
    """Return the runs (n,) at a sensor's lowest reading, if it stays there time and again while people are in."""
    lowest: Rows = values == values.min()
    left = np.diff(np.flatnonzero(lowest & suspect)) > 1  # a gap in the log may divide a run that never ended
    return lowest if left.sum() + 1 >= _RETURNS else np.zeros(len(values), bool)


def check_silent(
    scene: Scene, motion: list[str], people: Rows, limit_s: float | None, is_one: bool = False
) -> Iterator[Finding]:
    """Yield a finding for each time in which motion sensors see nobody while others show people.

    Args:
        scene: the readings.
        motion: the names of the sensors.
        people: (N,) where others show people.
        limit_s: the longest such time in training, in seconds; None if that is not known.
        is_one: whether it is one of several motion sensors.
    """
    there = scene.readings[motion].notna()
    known = there.any(axis=1).to_numpy()
    # With half of the readings, half as much is seen in half the time.
    seeing = np.square(there.mean(axis=1).rolling(_SEEING_ROWS, min_periods=1).mean().to_numpy())
    seen = np.where(known, scene.readings[motion].max(axis=1).to_numpy() > 0, np.nan)
    shown = scene.seconds * seeing * (people & known)
    limit = _limit(LEAST_ONE_S if is_one else LEAST_SILENCE_S, limit_s)
    first, last = runs_of(scene, seen)
    shown_s = total(shown, first, last)
    for run in np.flatnonzero((seen[first] == 0) & (shown_s > limit)) if len(first) else ():
        start, end = int(first[run]), int(last[run])
        co2 = "".join(f", {column} rises to {number(top)}" for column, top in _tops(scene, start, end))
        rows = _between(seen, start, end)
        what = f"no motion in {rows.sum():,} rows on end, while others show people for {duration(shown_s[run])}{co2}"
        named, words = min(reached(shown, start, limit), end), (what, _REPLACE)
        yield about(scene.times, rows, named, motion, "silent", "likely", words)


def _tops(scene: Scene, start: int, end: int) -> list[tuple[str, float]]:
    """Return the largest reading of each CO2 sensor in some rows, where it is clearly above its first one."""
    found = []
    for name in scene.of_kind("co2"):
        part = scene.values(name)[start : end + 1]
        part = part[~np.isnan(part)]
        if len(part) and part.max() > part[0]:
            found.append((name, float(part.max())))
    return found


def _stuck_on(scene: Scene, column: Column, first: Ints, last: Ints, learned: Sensor | None) -> Iterator[Finding]:
    """Yield a finding for each run in which a motion sensor sees somebody for too long without a pause."""
    values = scene.values(column.name)
    limit = 2 * UNTRAINED * _ON_S if learned is None else max(_ON_S, _ON_TIMES * learned.longest_s)
    on_s = total(scene.seconds, first, last)
    rows = total((~np.isnan(values)).astype(np.float64), first, last)
    on = (values[first] > 0) & (on_s > limit) & (rows > _FEWEST) & (rows < rows.sum())  # else it is constant
    for run in np.flatnonzero(on):
        start, end = int(first[run]), int(last[run])
        what = f"motion in {rows[run]:,.0f} rows on end ({duration(on_s[run])}) without a pause"
        named, cells = min(reached(scene.seconds, start, limit), end), _between(values, start, end)
        yield about(scene.times, cells, named, [column.name], "stuck", "likely", (what, _REPLACE))


def _limit(least: float, learned: float | None) -> float:
    return UNTRAINED * least if learned is None else max(least, TIMES * learned)


def _idle_s(learned: Sensor | None) -> float:
    return max(_IDLE_S, 2 * learned.longest_s) if learned is not None else _IDLE_S


def _is_idle(values: Floats, whole_s: Floats, learned: Sensor | None) -> Rows:
    """Return the runs in which CO2 stays where it can't: well above its value at rest, where it would sink."""
    if learned is None or learned.rest is None:
        return np.zeros(len(values), bool)
    return np.asarray((whole_s > _idle_s(learned)) & (values > learned.rest + _IDLE_PPM))


def _between(values: Floats, start: int, end: int) -> Rows:
    rows = np.zeros(len(values), bool)
    rows[start : end + 1] = True
    return rows & ~np.isnan(values)
