"""The readings of a simulated room as a log with the columns of the UCI log."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.random import SeedSequence, default_rng

from occupancy.config import Room, Simulation
from occupancy.data import rolling
from occupancy.data.schema import UCI
from occupancy.errors import InputError
from occupancy.room.simulator import Readings, read_sensors, vary

SLOPE_SPAN_S = next(column.slope_span_s for column in UCI.columns if column.slope_span_s is not None)


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


def _log(readings: Readings, room: Room) -> pd.DataFrame:
    """Return the readings in the columns of the UCI log, with the trailing slope of CO2."""
    slope = rolling.slope(readings.co2_ppm, round(SLOPE_SPAN_S / room.step_s))
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
