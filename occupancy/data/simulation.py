"""The readings of a simulated room as a log: in the columns of the UCI log, or in one for each kind asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.random import SeedSequence, default_rng

from occupancy.config import Kind, Room, Simulation
from occupancy.data import rolling
from occupancy.data.schema import UCI, Column, Schema
from occupancy.errors import InputError
from occupancy.room.simulator import Readings, read_sensors, vary

SLOPE_SPAN_S = next(column.slope_span_s for column in UCI.columns if column.slope_span_s is not None)

UNITS: Mapping[Kind, str] = {
    "temperature": "degC",
    "light": "lux",
    "sound": "V",
    "co2": "ppm",
    "motion": "0 or 1",
    "humidity": "%",
    "voc": "ppb",
    "ventilation": "0 or 1",
}
"""The kinds of sensors that a room can be simulated with, and the usual unit of each."""


def simulate(settings: Simulation) -> pd.DataFrame:
    """Return a simulated log of whole days: the UCI sensors and the exact count.

    It begins at `occupancy.room.simulator.START`. The index is named ``time``; sensors are floats in the order
    of the schema, the count is int64. The count of a row holds until the next row, the first whose CO2 it
    changes. A longer log with the same seed begins with the shorter one.
    """
    return _log(read_sensors(settings.room, settings.days, SeedSequence(settings.seed)), settings.room)


def simulate_rooms(settings: Simulation, rooms: int, spread: float = 0.3) -> Iterator[pd.DataFrame]:
    """Return an iterator over simulated logs of different rooms; each log is made when it is asked for.

    Args:
        settings: days and seed, and the room that the others vary around.
        rooms: number of rooms.
        spread: every parameter in `occupancy.room.simulator.VARIED` is multiplied by its own uniform draw between
            ``1 - spread`` and ``1 + spread``; with 0, the rooms are equal and only the people differ.

    Raises:
        InputError: if the number of rooms is negative, or the spread is outside [0, 1).
    """
    if rooms < 0:
        raise InputError(f"rooms: got {rooms}, expected 0 or more")
    if not 0 <= spread < 1:
        raise InputError(f"spread: got {spread:g}, expected 0 <= spread < 1, so that no parameter is negative")

    def draw(number: int) -> pd.DataFrame:
        for_room, for_log = SeedSequence(settings.seed, spawn_key=(number,)).spawn(2)
        room = vary(settings.room, spread, default_rng(for_room))
        return _log(read_sensors(room, settings.days, for_log), room)

    return (draw(number) for number in range(rooms))


def simulate_kinds(settings: Simulation, kinds: Sequence[Kind]) -> tuple[pd.DataFrame, Schema]:
    """Return a simulated log of whole days with one sensor of each of these kinds, and its schema.

    The columns have the names of the kinds; the count is ``people``. The visits, and the readings of kinds that the UCI
    log has, are those of `simulate`, where their sensor is the first one. With a fan, ``ventilation`` is its level,
    else whether the window is open.

    Args:
        settings: days, seed and room.
        kinds: of `UNITS`, each once.

    Raises:
        InputError: if a kind is not simulated.
    """
    if unknown := sorted(set(kinds) - set(UNITS)):
        raise InputError(f"kinds: got {', '.join(unknown)}, expected some of {', '.join(UNITS)}")
    room = settings.room
    readings = read_sensors(room, settings.days, SeedSequence(settings.seed), bool({"humidity", "voc"} & set(kinds)))
    values = {
        "temperature": readings.temperature_c[:, 0],
        "light": readings.light_lux[:, 0],
        "sound": readings.sound_v[:, 0],
        "co2": readings.co2_ppm,
        "motion": readings.motion[:, 0],
        "humidity": readings.humidity_percent,
        "voc": readings.voc_ppb,
        "ventilation": readings.ventilation,
    }
    units = {**UNITS, "ventilation": "level" if room.ventilation == "fan" else "0 or 1"}
    schema = Schema(
        name=f"simulated_{room.use}",
        time=["time"],
        time_format="iso",
        columns=[Column(name=kind, kind=kind, unit=units[kind]) for kind in kinds],
        count="people",
        volume_m3=room.volume_m3,
        most_people=room.max_people,
    )
    frame = pd.DataFrame({kind: values[kind] for kind in kinds}, readings.times)
    return frame.assign(people=readings.count), schema


def _log(readings: Readings, room: Room) -> pd.DataFrame:
    """Return the readings in the columns of the UCI log, with the trailing slope of CO2."""
    slope = rolling.slope(readings.co2_ppm, rolling.samples_of(SLOPE_SPAN_S, room.step_s, 2))
    blocks = [
        readings.temperature_c,
        readings.light_lux,
        readings.sound_v,
        readings.co2_ppm,
        slope,
        readings.motion,
    ]
    frame = pd.DataFrame(np.column_stack(blocks), readings.times, UCI.sensors)
    return frame.assign(**{UCI.count: readings.count})
