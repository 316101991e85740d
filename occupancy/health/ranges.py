"""Readings that no room has, codes for an error, other units, and sensors that never change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from occupancy.arrays import Floats, Rows
from occupancy.data.kinds import KINDS, Scale, scale_of
from occupancy.data.schema import Column
from occupancy.health.finding import Finding, about
from occupancy.health.profile import Profile
from occupancy.health.scene import Scene, lasting
from occupancy.health.words import EMPTY_CELLS, against, duration, number, reading, span

_CONSTANT_S = 6 * 3600.0
_BUSY_S = 3600.0
_FEWEST = 12  # rows; of fewer, nothing can be said
_ALWAYS_CHANGE = ("co2", "sound", "humidity", "voc", "power")  # wherever people are


def sentinels(scene: Scene, column: Column) -> Rows:
    """Return the readings (N,) that are codes for an error.

    A code that could be a reading counts if no other reading comes near it: it is farther from all of them than these
    are from each other.
    """
    values, scale = scene.values(column.name), scale_of(column.kind, column.unit)
    found = np.zeros(len(values), bool)
    for code in KINDS[column.kind].sentinels:
        coded = values == code
        others = values[~coded & ~np.isnan(values) & ~found]
        if not coded.any() or not len(others):
            continue
        impossible = scale is not None and not scale.low <= code <= scale.high
        apart = np.abs(others - code).min() > max(np.ptp(others), 1.0)
        if impossible or apart:
            found |= coded
    return found


def check_codes(scene: Scene, column: Column) -> Iterator[Finding]:
    """Yield a finding about the error codes of a sensor, if there are any."""
    rows = sentinels(scene, column)
    if rows.any():
        codes = ", ".join(number(code) for code in np.unique(scene.values(column.name)[rows]))
        what = f"reads {codes} {column.unit} in {rows.sum():,} rows, which is a code for an error and no reading"
        words = (what, EMPTY_CELLS)
        yield about(scene.times, rows, int(rows.argmax()), [column.name], "impossible", "certain", words)


def check_range(scene: Scene, column: Column, profile: Profile | None) -> Iterator[Finding]:
    """Yield a finding about readings that no room has, if there are any."""
    values, scale = scene.values(column.name), scale_of(column.kind, column.unit)
    if scale is None:
        return
    out = (values < scale.low) | (values > scale.high)
    if not out.any():
        return
    known = ~np.isnan(values)
    trained = against(column, values, None if profile is None else profile.sensors.get(column.name))
    read = f"reads {span(values[out], column)} in {out.sum():,} of {known.sum():,} rows{trained}"
    limits = f"a room has {number(scale.low)} to {number(scale.high)}"
    named = lasting(scene, out)
    other = None if named is None else other_scale(column, scale, values[out])
    if named is not None and other is not None:
        rows = known if out.sum() > known.sum() / 2 else out
        words = (
            f"{read}; {limits}, and these fit {other.unit}",
            f"give the readings in {column.unit}, or set unit: {other.unit} in the schema and train again",
        )
        yield about(scene.times, rows, named, [column.name], "unit", "certain", words)
    elif named is not None:
        words = (f"{read}; {limits}, so all its readings are shifted", "calibrate the sensor, or replace it")
        yield about(scene.times, known, named, [column.name], "shifted", "certain", words)
    else:
        words = (f"{read}; {limits}", EMPTY_CELLS)
        yield about(scene.times, out, int(out.argmax()), [column.name], "impossible", "certain", words)


def other_scale(column: Column, scale: Scale, values: Floats) -> Scale | None:
    """Return another unit of the kind that impossible readings fit; None if there is none."""
    for other in KINDS[column.kind].scales:
        fits = (values >= other.low) & (values <= other.high)
        if other is not scale and fits.mean() > 0.95:
            return other
    return None


def check_constant(scene: Scene, column: Column, people: Rows) -> Iterator[Finding]:
    """Yield a finding about a sensor that reads one value in the whole log, although it should change.

    Args:
        scene: the readings.
        column: the sensor.
        people: (N,) where others show people.
    """
    values = scene.values(column.name)
    known = ~np.isnan(values)
    if known.sum() < _FEWEST or np.ptp(values[known]) > 0:
        return
    value, busy_s = values[known][0], float(scene.seconds[people & known].sum())
    whole_s = float(scene.seconds.sum())
    if column.kind == "motion":
        wrong = whole_s >= _CONSTANT_S if value > 0 else busy_s >= 2 * _BUSY_S
    elif column.kind in _ALWAYS_CHANGE:
        wrong = busy_s >= _BUSY_S or whole_s >= 86_400
    else:
        wrong = column.kind in {"temperature", "pressure"} and whole_s >= 86_400
    if not wrong:
        return
    lacking = (~known).sum()
    blank = f" and none in {lacking:,}" if lacking else ""
    shown = f", {duration(busy_s)} of them with people" if busy_s else ""
    hint = "if an empty cell means no motion, write 0 there; else " if column.kind == "motion" and lacking else ""
    words = (
        f"never changes: it reads {reading(value, column)} in all {known.sum():,} rows with a reading{blank}, "
        f"{duration(whole_s)}{shown}",
        f"{hint}replace the sensor, and leave its column out until then (ignore in the schema)",
    )
    named = int(known.argmax()) if busy_s == 0 else int(np.flatnonzero(known)[-1])
    yield about(scene.times, known, named, [column.name], "constant", "likely", words)
