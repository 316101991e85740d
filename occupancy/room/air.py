"""The air of a room: the exact solution of its mass balance over one step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from occupancy.arrays import Floats
from occupancy.config import Room


@dataclass(frozen=True, slots=True)
class State:
    """The air of a room at one time, without sensor noise."""

    co2_ppm: float
    temperature_c: float


def advance(room: Room, state: State, people: int, air_changes_per_h: float) -> State:
    """Return the air one step later, if people and ventilation stay the same during the step.

    The exact solution of ``V dC/dt = G N - Q (C - C_out)``, where ``Q`` is the air changes times ``V``.
    It also holds without ventilation, when CO2 rises linearly. Temperature approaches
    ``base + rise * N`` exponentially, with its own time constant.

    Args:
        room: volume, generation, outdoor level and step.
        state: the air at the start of the step.
        people: number of people in the room during the step.
        air_changes_per_h: outdoor air supplied, in room volumes per hour.
    """
    step_h = room.step_s / 3600
    decay = air_changes_per_h * step_h
    # (1 - exp(-decay)) / decay, the mean of exp(-decay) over the step; 1 in the limit.
    mean_left = -math.expm1(-decay) / decay if decay > 0 else 1.0
    growth_ppm_per_h = room.generation_l_per_h * 1e3 * people / room.volume_m3  # l per m3 are 1e3 ppm
    loss_ppm_per_h = air_changes_per_h * (state.co2_ppm - room.outdoor_ppm)
    target_c = room.base_temperature_c + room.temperature_rise_c_per_person * people
    kept = math.exp(-room.step_s / room.temperature_time_constant_s)
    return State(
        co2_ppm=state.co2_ppm + (growth_ppm_per_h - loss_ppm_per_h) * mean_left * step_h,
        temperature_c=target_c + (state.temperature_c - target_c) * kept,
    )


def mix(sources_per_h: Floats, outdoors: Floats, air_changes_per_h: Floats, step_s: float) -> Floats:
    """Return what the air of a room holds of something at each row, (N,), by the balance that CO2 obeys.

    The exact solution of ``dX/dt = S - A (X - X_out)`` over each step; the first row has outdoor air.

    Args:
        sources_per_h: (N,) S, what is added during the step of each row, in the unit of X per hour.
        outdoors: (N,) X_out during that step.
        air_changes_per_h: (N,) A during that step.
        step_s: seconds between rows.
    """
    step_h = step_s / 3600
    decay = air_changes_per_h * step_h
    mean_left = np.where(decay > 0, -np.expm1(-decay) / np.where(decay > 0, decay, 1.0), 1.0)
    added = (sources_per_h + air_changes_per_h * outdoors) * mean_left * step_h
    held = [float(outdoors[0])]
    for left, new in zip(np.exp(-decay[:-1]).tolist(), added[:-1].tolist(), strict=True):
        held.append(held[-1] * left + new)
    return np.array(held)
