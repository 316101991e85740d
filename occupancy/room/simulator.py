"""A simulated room: the readings of its sensors and the exact counts; the same seed gives the same readings.

By default people come to sessions: they arrive in the first half of a session and leave in its second half, with
short breaks. Saturdays and Sundays are empty. `occupancy.room.people` has the other uses of a room, and
`occupancy.room.ventilation` what changes its air. Each person has a desk, and each sensor is near another desk, so the
sensors react differently to different people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.random import Generator, SeedSequence, default_rng

from occupancy.arrays import Floats, Ints
from occupancy.config import Room
from occupancy.room import sensors
from occupancy.room.air import State, advance
from occupancy.room.people import DAY_S, people_of
from occupancy.room.ventilation import Rule, rule_of

START = pd.Timestamp("2024-01-01")  # a Monday

# Parameters that differ between simulated rooms.
VARIED = (
    "volume_m3",
    "air_changes_per_h",
    "generation_l_per_h",
    "co2_noise_ppm",
    "temperature_rise_c_per_person",
    "temperature_time_constant_s",
    "light_when_occupied_lux",
    "daylight_lux",
    "sound_when_occupied_v",
    "movements_per_min",
    "disturbances_per_h",
    "breaks_per_h",
    "break_s",
)


def vary(room: Room, spread: float, rng: Generator) -> Room:
    """Return a room whose parameters in `VARIED` are each multiplied by a draw between 1 - spread and 1 + spread."""
    factors = rng.uniform(1 - spread, 1 + spread, len(VARIED))
    varied = {name: getattr(room, name) * float(factor) for name, factor in zip(VARIED, factors, strict=True)}
    return room.model_copy(update=varied)  # unchecked, since a room at its bounds varies beyond them


@dataclass(frozen=True)
class Readings:
    """The readings of the sensors of a room over whole days, and the exact count.

    Attributes:
        times: (N,) times, from `START`.
        temperature_c: (N, 4) degrees Celsius.
        light_lux: (N, 4) lux.
        sound_v: (N, 4) volts.
        co2_ppm: (N,) ppm.
        motion: (N, 2) 0 or 1.
        count: (N,) people.
        air_changes_per_h: (N,) outdoor air supplied until the next row, in room volumes per hour; no sensor reads it.
        ventilation: (N,) level of the fan, 0 to 3, or 1 for an open window; 0 without either.
        humidity_percent: (N,) relative humidity in %; None if it was not asked for.
        voc_ppb: (N,) volatile organic compounds in ppb; None if they were not asked for.
    """

    times: pd.DatetimeIndex
    temperature_c: Floats
    light_lux: Floats
    sound_v: Floats
    co2_ppm: Floats
    motion: Floats
    count: Ints
    air_changes_per_h: Floats
    ventilation: Floats
    humidity_percent: Floats | None = None
    voc_ppb: Floats | None = None


def read_sensors(room: Room, days: int, seeds: SeedSequence, further: bool = False) -> Readings:
    """Return the readings of a room over whole days from `START`; the same seeds give the same readings.

    The count of a row holds until the next row, the first whose CO2 it changes. A longer log with the same
    seeds begins with the shorter one.

    Args:
        room: the room.
        days: number of days.
        seeds: a generator for each sensor is spawned from it.
        further: whether humidity and VOC are read too; the other readings stay the same.
    """
    # Each sensor has its own generator, which draws row by row, so more days do not change the earlier rows.
    spawned = seeds.spawn(10)
    for_people, for_temperature, for_light, for_activity, for_sound, for_co2, for_motion = map(default_rng, spawned[:7])
    rows = math.ceil(round(days * DAY_S / room.step_s, 6))
    seconds = np.arange(rows, dtype=np.float64) * room.step_s
    people = people_of(room, days, rows, for_people)
    count = people.present.sum(axis=1)
    co2_ppm, temperature_c, rates, levels = _air(room, count, rule_of(room, days, rows, spawned[7]))
    activity = sensors.wander(room, for_activity, 300, rows, room.max_people)
    noticed = people.present & people.noticed
    for_humidity, for_voc = map(default_rng, spawned[8:])
    return Readings(
        times=pd.DatetimeIndex(START + pd.to_timedelta(seconds, unit="s"), name="time"),
        temperature_c=sensors.read_temperature(room, temperature_c, seconds, for_temperature),
        light_lux=sensors.read_light(room, people.lamps, seconds, for_light),
        sound_v=sensors.read_sound(room, noticed, activity, for_sound),
        co2_ppm=sensors.read_co2(room, co2_ppm, for_co2),
        motion=sensors.read_motion(room, noticed, activity, for_motion),
        count=count,
        air_changes_per_h=rates,
        ventilation=levels,
        humidity_percent=sensors.read_humidity(room, count, temperature_c, rates, for_humidity) if further else None,
        voc_ppb=sensors.read_voc(room, count, rates, for_voc) if further else None,
    )


def _air(room: Room, count: Ints, rule: Rule) -> tuple[Floats, Floats, Floats, Floats]:
    """Return CO2 in ppm, temperature in degC, air changes per hour and the level of the ventilation, (N,) each.

    The first row has outdoor air; the air changes of a row hold until the next one.
    """
    state = State(room.outdoor_ppm, room.base_temperature_c)
    found = []
    for row, people in enumerate(count.tolist()):
        rate, level = rule(row, people, state)
        found.append((state.co2_ppm, state.temperature_c, rate, level))
        state = advance(room, state, people, rate)
    co2_ppm, temperature_c, rates, levels = np.array(found).T
    return co2_ppm, temperature_c, rates, levels
