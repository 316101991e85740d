"""What the sensors of a simulated room read, from who is in and from the air; each draws its own noise, row by row."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from scipy.signal import lfilter

from occupancy.arrays import Floats, Ints
from occupancy.config import Room
from occupancy.room.air import mix
from occupancy.room.people import DAY_S, Booleans

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

DRIFT_S, DRIFT = (
    1.5 * DAY_S,
    0.15,
)  # of the water outdoors: time constant, and standard deviation as a share of its mean
HUMIDITY_NOISE = 0.3  # % relative humidity
COLDEST_C = -60.0  # where the formula of saturated vapour ends
FURNITURE_PPB_PER_H = 60.0  # VOC that furniture gives off
EVENT_PPB = 300.0  # median VOC that an event adds
VOC_NOISE = 0.03  # as a share of the reading


def wander(room: Room, rng: Generator, time_constant_s: float, rows: int, columns: int) -> Floats:
    """Return standard normal values, (rows, columns), whose autocorrelation decays with a time constant."""
    kept = math.exp(-room.step_s / time_constant_s)
    shocks = rng.standard_normal((rows, columns))
    shocks[0] /= math.sqrt(1 - kept**2)
    values: Floats = lfilter([math.sqrt(1 - kept**2)], [1.0, -kept], shocks, axis=0)
    return values


def read_co2(room: Room, co2_ppm: Floats, rng: Generator) -> Floats:
    """Return CO2 in ppm, (N,), as a sensor reads that of the room, (N,)."""
    mixing, noise = rng.spawn(2)
    excess_ppm = co2_ppm - room.outdoor_ppm
    imperfect_ppm = room.co2_mixing_share * excess_ppm * wander(room, mixing, 600, len(co2_ppm), 1)[:, 0]
    reading = co2_ppm + imperfect_ppm + room.co2_noise_ppm * noise.standard_normal(len(co2_ppm))
    return np.round(np.maximum(reading, room.outdoor_ppm) / room.co2_resolution_ppm) * room.co2_resolution_ppm


def read_temperature(room: Room, temperature_c: Floats, seconds: Floats, rng: Generator) -> Floats:
    """Return degrees Celsius, (N, 4), given those of the air, (N,), and the seconds since the first midnight, (N,)."""
    heat_c = (temperature_c - room.base_temperature_c)[:, None] * HEAT_GAINS
    day_c = 0.2 * np.cos(2 * np.pi * (seconds / DAY_S - 17 / 24))[:, None]  # warmest at 17:00
    noise_c = 0.02 * rng.standard_normal(heat_c.shape)
    reading = room.base_temperature_c + TEMPERATURE_OFFSETS_C + heat_c + day_c + noise_c
    written: Floats = np.round(np.round(reading * 16) / 16, 2)  # sixteenths of a degree, with two decimals
    return written


def read_light(room: Room, lamps: Booleans, seconds: Floats, rng: Generator) -> Floats:
    """Return lux, (N, 4), given whose lamp is on, (N, people), and the seconds since the first midnight, (N,)."""
    clouds, flicker = rng.spawn(2)
    hour = seconds % DAY_S / 3600
    sun = np.where((hour > 7) & (hour < 17.5), np.sin(np.pi * (hour - 7) / 10.5), 0.0)
    sky = np.clip(0.8 + 0.2 * wander(room, clouds, 7200, len(sun), 1)[:, 0], 0.1, None)
    daylight = room.daylight_lux * (sun * sky)[:, None] * DAYLIGHT_GAINS
    lux = daylight + room.light_when_occupied_lux * (lamps @ _desks(LIGHT_GAINS, lamps))
    reading: Floats = np.round(lux * (1 + 0.01 * flicker.standard_normal(lux.shape)))
    return reading


def read_sound(room: Room, present: Booleans, activity: Floats, rng: Generator) -> Floats:
    """Return volts, (N, 4), given who can be heard, and how active each person is, both (N, people)."""
    bursts, events, noise = rng.spawn(3)
    # Heavy-tailed: half of the variance of the logarithm lasts for minutes, half is new in every sample.
    loudness = np.exp(0.8 * activity + 0.8 * bursts.standard_normal(activity.shape)) * present
    slams = events.poisson(room.disturbances_per_h * room.step_s / 3600, (len(present), 1))
    volts = room.sound_when_occupied_v * (loudness @ _desks(SOUND_GAINS, present) + 2 * slams)
    quiet_v = SILENCE_V + 0.006 * noise.standard_normal(volts.shape)
    return np.round(np.clip(quiet_v + volts, 0.04, LOUDEST_V), 2).astype(np.float64)


def read_motion(room: Room, present: Booleans, activity: Floats, rng: Generator) -> Floats:
    """Return 0 or 1, (N, 2), given who can be seen to move, and how active each person is, both (N, people)."""
    seen_per_min = room.movements_per_min * (np.exp(0.8 * activity) * present) @ _desks(MOTION_GAINS, present)
    events = (seen_per_min + room.disturbances_per_h / 60) * room.step_s / 60
    return np.asarray(rng.random(events.shape) < -np.expm1(-events), dtype=np.float64)


def read_humidity(room: Room, count: Ints, temperature_c: Floats, rates: Floats, rng: Generator) -> Floats:
    """Return relative humidity in %, (N,): breath adds water, and outdoor water drifts with the weather.

    Args:
        room: its volume, water and step.
        count: (N,) people.
        temperature_c: (N,) of the air.
        rates: (N,) air changes per hour.
        rng: draws the weather and the noise.
    """
    weather, noise = rng.spawn(2)
    drift = np.clip(1 + DRIFT * wander(room, weather, DRIFT_S, len(count), 1)[:, 0], 0.2, None)
    sources: Floats = room.water_g_per_h * count.astype(np.float64) / room.volume_m3
    water = mix(sources, room.outdoor_water_g_per_m3 * drift, rates, room.step_s)
    # Magnus formula: pressure of saturated water vapour in hPa, and by the gas law its mass in g/m3.
    celsius = np.maximum(temperature_c, COLDEST_C)
    saturated = 216.7 * 6.112 * np.exp(17.62 * celsius / (243.12 + celsius)) / (273.15 + celsius)
    percent = 100 * water / saturated + HUMIDITY_NOISE * noise.standard_normal(len(count))
    return np.round(np.clip(percent, 0, 100), 1).astype(np.float64)


def read_voc(room: Room, count: Ints, rates: Floats, rng: Generator) -> Floats:
    """Return VOC in ppb, (N,): people and furniture give it off, and events add some at once.

    Args:
        room: its volume, VOC and step.
        count: (N,) people.
        rates: (N,) air changes per hour.
        rng: draws events and noise.
    """
    events, sizes, noise = rng.spawn(3)
    step_h = room.step_s / 3600
    happened = (events.random(len(count)) < -np.expm1(-room.voc_events_per_h * step_h)) & (count > 0)
    added_ppb = EVENT_PPB * np.exp(0.5 * sizes.standard_normal(len(count))) * happened
    people_ppb_per_h = room.voc_ml_per_h * 1e3 * count / room.volume_m3  # ml per m3 are 1e3 ppb
    sources = FURNITURE_PPB_PER_H + people_ppb_per_h + added_ppb / step_h
    ppb = mix(sources, np.zeros(len(count)), rates, room.step_s)
    return np.round(np.maximum(ppb * (1 + VOC_NOISE * noise.standard_normal(len(count))), 0)).astype(np.float64)


def _desks(gains: Floats, people: Booleans) -> Floats:
    """Return the row of gains of each person; if there are more people than desks, they share desks."""
    return gains[np.arange(people.shape[1]) % len(gains)]
