"""Simulated logs as CSV files with the columns of the UCI log, for users who have no rooms yet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from occupancy.config import Simulation
from occupancy.data.schema import UCI
from occupancy.data.simulated_log import simulate, simulate_rooms
from occupancy.errors import InputError


def write_log(settings: Simulation, path: Path) -> Path:
    """Write the simulated log as CSV, and return its path.

    Raises:
        InputError: if the file can't be written.
    """
    _write(simulate(settings), path)
    return path


def write_rooms(settings: Simulation, rooms: int, folder: Path) -> list[Path]:
    """Write the simulated logs of different rooms as CSV, one after another, and return their paths.

    Each room has its own people, air, sensors and noise, see `occupancy.data.simulated_log.simulate_rooms`.

    Args:
        settings: days and seed, and the room that the others vary around.
        rooms: number of rooms.
        folder: the folder for the files ``room_1.csv`` and so on; zeros in front of the numbers keep them in order.

    Raises:
        InputError: if a file can't be written.
    """
    digits = len(str(rooms))
    paths = [folder / f"room_{number:0{digits}}.csv" for number in range(1, rooms + 1)]
    for path, frame in zip(paths, simulate_rooms(settings, rooms), strict=True):
        _write(frame, path)
    return paths


def _write(frame: pd.DataFrame, path: Path) -> None:
    times = pd.DatetimeIndex(frame.index).strftime(UCI.time_format).str.split(" ", expand=True)
    table = pd.DataFrame(list(times), columns=UCI.time)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        table.join(frame.reset_index(drop=True)).to_csv(path, index=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); give another path") from None
