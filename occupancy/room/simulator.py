"""A simulated room: the readings of its sensors and the exact counts; the same seed gives the same readings.

People come to sessions: they arrive in the first half of a session and leave in its second half, with
short breaks. Saturdays and Sundays are empty. Each person has a desk, and each sensor is near another
desk, so the sensors react differently to different people.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray
from scipy.signal import lfilter

from occupancy.arrays import Floats, Ints
from occupancy.config import Room
from occupancy.room.air import State, advance

Booleans = NDArray[np.bool_]

START = pd.Timestamp("2024-01-01")  # a Monday
DAY_S = 86_400

# How strongly the sensors (columns) react to each desk (rows), estimated from the UCI log: there a single
# person sits at the first desk, and lamps are switched on desk by desk.
LIGHT_GAINS = np.array([[0.95, 0.15, 0.30, 0.06], [0.28, 1.75, 0.02, 0.02], [0.02, 0.02, 1.20, 0.02]])
SOUND_GAINS = np.array([[1.00, 0.20, 0.15, 0.05], [0.30, 1.00, 0.20, 0.20], [0.10, 0.15, 1.60, 0.35]])
MOTION_GAINS = np.array([[1.00, 0.10], [0.60, 0.50], [0.10, 1.00]])
DAYLIGHT_GAINS = np.array([0.25, 0.30, 1.20, 1.00])
HEAT_GAINS = np.array([1.0, 1.6, 1.0, 0.7])
TEMPERATURE_OFFSETS_C = np.array([0.25, 0.30, -0.15, 0.65])
SILENCE_V = np.array([0.07, 0.05, 0.06, 0.08])
LOUDEST_V = 3.9  # here the amplifier saturates

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
    """

    times: pd.DatetimeIndex
    temperature_c: Floats
    light_lux: Floats
    sound_v: Floats
    co2_ppm: Floats
    motion: Floats
    count: Ints


def read_sensors(room: Room, days: int, seeds: SeedSequence) -> Readings:
    """Return the readings of a room over whole days from `START`; the same seeds give the same readings.

    The count of a row holds until the next row, the first whose CO2 it changes. A longer log with the same
    seeds begins with the shorter one.
    """
    # Each sensor has its own generator, which draws row by row, so more days do not change the earlier rows.
    for_people, for_temperature, for_light, for_activity, for_sound, for_co2, for_motion = map(
        default_rng, seeds.spawn(7)
    )
    rows = math.ceil(round(days * DAY_S / room.step_s, 6))
    seconds = np.arange(rows, dtype=np.float64) * room.step_s
    present, lamps = _presence(room, days, rows, for_people)
    count = present.sum(axis=1)
    co2_ppm, temperature_c = _air(room, count)
    activity = _wander(room, for_activity, 300, rows, room.max_people)
    return Readings(
        times=pd.DatetimeIndex(START + pd.to_timedelta(seconds, unit="s"), name="time"),
        temperature_c=_read_temperature(room, temperature_c, seconds, for_temperature),
        light_lux=_read_light(room, lamps, seconds, for_light),
        sound_v=_read_sound(room, present, activity, for_sound),
        co2_ppm=_read_co2(room, co2_ppm, for_co2),
        motion=_read_motion(room, present, activity, for_motion),
        count=count,
    )


def _presence(room: Room, days: int, rows: int, rng: Generator) -> tuple[Booleans, Booleans]:
    """Return who is in and whose lamp is on, both (rows, people); a lamp stays on during breaks."""
    present = np.zeros((rows, room.max_people), dtype=np.bool_)
    lamps = np.zeros_like(present)

    def span(start_s: float, end_s: float) -> slice:
        return slice(math.ceil(start_s / room.step_s), math.ceil(end_s / room.step_s))

    for day in range(days):
        if (START.dayofweek + day) % 7 >= 5:
            continue
        for person, arrival_s, departure_s in _visits(room, day * DAY_S, rng):
            present[span(arrival_s, departure_s), person] = True
            lamps[span(arrival_s, departure_s), person] = rng.random() < 0.9
            for _ in range(rng.poisson(room.breaks_per_h * (departure_s - arrival_s) / 3600)):
                start_s = rng.uniform(arrival_s, departure_s)
                present[span(start_s, min(start_s + rng.exponential(room.break_s), departure_s)), person] = False
    return present, lamps


def _visits(room: Room, midnight_s: float, rng: Generator) -> Iterator[tuple[int, float, float]]:
    """Yield person, arrival and departure of each visit of one day, in seconds from the start of the log."""
    part_s = (room.closes_h - room.opens_h) * 3600 / room.sessions_per_day
    for part in range(room.sessions_per_day):
        length_s = rng.uniform(0.6, 1.0) * room.longest_session_s
        start_s = midnight_s + room.opens_h * 3600 + part * part_s + rng.uniform(0, part_s - length_s)
        for person in range(room.max_people):
            if rng.random() >= room.attendance:
                continue
            # Half of the people leave together at the end, as in the UCI log.
            early_s = rng.uniform(0, length_s / 2) if rng.random() < 0.5 else 0.0
            yield person, start_s + rng.uniform(0, length_s / 2), start_s + length_s - early_s


def _air(room: Room, count: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return CO2 in ppm and temperature in degC at every row, (N,) each; the first row has outdoor air."""
    state = State(room.outdoor_ppm, room.base_temperature_c)
    states = [state]
    for people in count[:-1].tolist():
        state = advance(room, state, people, room.air_changes_per_h)
        states.append(state)
    return np.array([state.co2_ppm for state in states]), np.array([state.temperature_c for state in states])


def _wander(room: Room, rng: Generator, time_constant_s: float, rows: int, columns: int) -> Floats:
    """Return standard normal values, (rows, columns), whose autocorrelation decays with a time constant."""
    kept = math.exp(-room.step_s / time_constant_s)
    shocks = rng.standard_normal((rows, columns))
    shocks[0] /= math.sqrt(1 - kept**2)
    wander: Floats = lfilter([math.sqrt(1 - kept**2)], [1.0, -kept], shocks, axis=0)
    return wander


def _read_co2(room: Room, co2_ppm: Floats, rng: Generator) -> Floats:
    mixing, noise = rng.spawn(2)
    excess_ppm = co2_ppm - room.outdoor_ppm
    imperfect_ppm = room.co2_mixing_share * excess_ppm * _wander(room, mixing, 600, len(co2_ppm), 1)[:, 0]
    reading = co2_ppm + imperfect_ppm + room.co2_noise_ppm * noise.standard_normal(len(co2_ppm))
    return np.round(np.maximum(reading, room.outdoor_ppm) / room.co2_resolution_ppm) * room.co2_resolution_ppm


def _read_temperature(room: Room, temperature_c: Floats, seconds: Floats, rng: Generator) -> Floats:
    heat_c = (temperature_c - room.base_temperature_c)[:, None] * HEAT_GAINS
    day_c = 0.2 * np.cos(2 * np.pi * (seconds / DAY_S - 17 / 24))[:, None]  # warmest at 17:00
    noise_c = 0.02 * rng.standard_normal(heat_c.shape)
    reading = room.base_temperature_c + TEMPERATURE_OFFSETS_C + heat_c + day_c + noise_c
    written: Floats = np.round(np.round(reading * 16) / 16, 2)  # sixteenths of a degree, with two decimals
    return written


def _read_light(room: Room, lamps: Booleans, seconds: Floats, rng: Generator) -> Floats:
    clouds, flicker = rng.spawn(2)
    hour = seconds % DAY_S / 3600
    sun = np.where((hour > 7) & (hour < 17.5), np.sin(np.pi * (hour - 7) / 10.5), 0.0)
    sky = np.clip(0.8 + 0.2 * _wander(room, clouds, 7200, len(sun), 1)[:, 0], 0.1, None)
    daylight = room.daylight_lux * (sun * sky)[:, None] * DAYLIGHT_GAINS
    lux = daylight + room.light_when_occupied_lux * (lamps @ _desks(LIGHT_GAINS, lamps))
    reading: Floats = np.round(lux * (1 + 0.01 * flicker.standard_normal(lux.shape)))
    return reading


def _read_sound(room: Room, present: Booleans, activity: Floats, rng: Generator) -> Floats:
    bursts, events, noise = rng.spawn(3)
    # Heavy-tailed: half of the variance of the logarithm lasts for minutes, half is new in every sample.
    loudness = np.exp(0.8 * activity + 0.8 * bursts.standard_normal(activity.shape)) * present
    slams = events.poisson(room.disturbances_per_h * room.step_s / 3600, (len(present), 1))
    volts = room.sound_when_occupied_v * (loudness @ _desks(SOUND_GAINS, present) + 2 * slams)
    quiet_v = SILENCE_V + 0.006 * noise.standard_normal(volts.shape)
    return np.round(np.clip(quiet_v + volts, 0.04, LOUDEST_V), 2).astype(np.float64)


def _read_motion(room: Room, present: Booleans, activity: Floats, rng: Generator) -> Floats:
    seen_per_min = room.movements_per_min * (np.exp(0.8 * activity) * present) @ _desks(MOTION_GAINS, present)
    events = (seen_per_min + room.disturbances_per_h / 60) * room.step_s / 60
    return np.asarray(rng.random(events.shape) < -np.expm1(-events), dtype=np.float64)


def _desks(gains: Floats, people: Booleans) -> Floats:
    """Return the row of gains of each person; if there are more people than desks, they share desks."""
    return gains[np.arange(people.shape[1]) % len(gains)]
