"""How the air of a simulated room is changed: by leaks, by a fan with a schedule, or by a window that people open.

With a fan or a window the leaks differ from day to day too, with the wind.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.random import SeedSequence, default_rng

from occupancy.arrays import Floats, Rows
from occupancy.config import Room
from occupancy.room.air import State
from occupancy.room.people import DAY_S, SLEEPS_H, WORKING_DAYS

Rule = Callable[[int, int, State], tuple[float, float]]
"""Given a row, the people in it and the air: air changes per hour until the next row, and what the sensor of the
ventilation reads, the level of the fan (0 to 3) or 1 for an open window. It is asked for all rows in their order."""

WIND = 0.3  # standard deviation of the logarithm of the leaks from day to day
TOP_LEVEL = 3
HIGHER_DAYS = 0.4  # share of days on which the fan is a level higher, and of nights

OPENED_PER_H = 0.15  # how often a window is opened while people are in
HIGH_PPM, OPENED_AT_HIGH_PER_H = 1000.0, 2.0  # above this CO2, so much more often
WARM_C, OPENED_WHEN_WARM_PER_H = 1.0, 0.5  # so much warmer than the empty room
OPEN_S = 1200.0  # mean time until somebody closes it
FORGOTTEN = 0.1  # probability that the last one to leave lets it open, until somebody comes
OPEN_DOOR_DAYS, DOOR_SHARE = 0.12, 0.6  # share of days with an open door, and what it adds, as a share of the window


def rule_of(room: Room, days: int, rows: int, seeds: SeedSequence) -> Rule:
    """Return the ventilation of a room over whole days.

    Args:
        room: the kind of its ventilation, its air changes, hours and step.
        days: number of days.
        rows: N, rows in these days.
        seeds: three generators are spawned from it, unless the air changes are the same all the time.
    """
    if room.ventilation == "none":
        always = room.air_changes_per_h, 0.0
        return lambda row, people, state: always
    for_wind, for_days, for_rows = map(default_rng, seeds.spawn(3))
    day = (np.arange(rows) * room.step_s // DAY_S).astype(np.int64)
    leaks = room.air_changes_per_h * np.exp(WIND * for_wind.standard_normal(days))[day]
    used = _used(room, rows)
    drawn = for_days.random((days, 2))[day]
    if room.ventilation == "fan":
        by_day, by_night = 2 + (drawn[:, 0] < HIGHER_DAYS), drawn[:, 1] < HIGHER_DAYS
        return _fan(room, leaks, np.where(used, by_day, by_night).astype(np.float64))
    door = used & (drawn[:, 0] < OPEN_DOOR_DAYS)
    return _window(room, leaks + DOOR_SHARE * room.ventilated_air_changes_per_h * door, for_rows.random(rows))


def _used(room: Room, rows: int) -> Rows:
    """Return which rows lie in hours at which people may be in and awake, (N,)."""
    seconds = np.arange(rows) * room.step_s
    hour = seconds % DAY_S / 3600
    if room.use == "home":
        return np.asarray((hour >= SLEEPS_H[1]) & (hour < SLEEPS_H[0]))
    works = seconds // DAY_S % 7 < WORKING_DAYS
    return np.asarray((hour >= room.opens_h) & (hour < room.closes_h) & works)


def _fan(room: Room, leaks: Floats, levels: Floats) -> Rule:
    """Return the rule of a fan with a level at each row, (N,), beside leaks, (N,) air changes per hour."""
    rates = (leaks + room.ventilated_air_changes_per_h * levels / TOP_LEVEL).tolist()
    read = levels.tolist()
    return lambda row, people, state: (rates[row], read[row])


def _window(room: Room, leaks: Floats, chances: Floats) -> Rule:
    """Return the rule of a window, given the other air changes, (N,) per hour, and a uniform draw a row, (N,)."""
    is_open, is_forgotten, step_h = False, False, room.step_s / 3600
    others, draws = leaks.tolist(), chances.tolist()
    shut = -math.expm1(-room.step_s / OPEN_S)

    def rule(row: int, people: int, state: State) -> tuple[float, float]:
        nonlocal is_open, is_forgotten
        if not people:
            is_forgotten = is_open and (is_forgotten or draws[row] < FORGOTTEN)
            is_open = is_forgotten
        elif is_open:
            is_open, is_forgotten = draws[row] >= shut, False
        else:
            is_warm = state.temperature_c > room.base_temperature_c + WARM_C
            per_h = OPENED_PER_H + OPENED_AT_HIGH_PER_H * (state.co2_ppm > HIGH_PPM) + OPENED_WHEN_WARM_PER_H * is_warm
            is_open = draws[row] < -math.expm1(-per_h * step_h)
        return others[row] + room.ventilated_air_changes_per_h * is_open, float(is_open)

    return rule
