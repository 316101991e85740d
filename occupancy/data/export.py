"""Simulated logs as CSV files with the columns of the UCI log, for users who have no rooms yet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from occupancy.config import Simulation
from occupancy.data.schema import UCI
from occupancy.data.simulation import simulate, simulate_rooms
from occupancy.errors import InputError
from occupancy.files import write


def write_log(settings: Simulation, path: Path) -> Path:
    """Write the simulated log as CSV, and return its path.

    Raises:
        InputError: if the file can't be written.
    """
    write({path: _csv(simulate(settings))})
    return path


def write_rooms(settings: Simulation, rooms: int, folder: Path) -> list[Path]:
    """Write the simulated logs of different rooms as CSV, one after another, and return their paths.

    Each room has its own people, air, sensors and noise, see `occupancy.data.simulation.simulate_rooms`.

    Args:
        settings: days and seed, and the room that the others vary around.
        rooms: number of rooms.
        folder: the folder for the files ``room_1.csv`` and so on; zeros in front of the numbers keep them in order.

    Raises:
        InputError: if a file can't be written.
    """
    digits = len(str(rooms))
    paths = [folder / f"room_{number:0{digits}}.csv" for number in range(1, rooms + 1)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: can't be made ({error.strerror}); name another folder") from None
    written: list[Path] = []
    try:
        for path, frame in zip(paths, simulate_rooms(settings, rooms), strict=True):
            write({path: _csv(frame)})
            written.append(path)
    except BaseException:  # fewer rooms than were asked for look like all of them
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return paths


def _csv(frame: pd.DataFrame) -> bytes:
    times = pd.DatetimeIndex(frame.index).strftime(str(UCI.time_format)).str.split(" ", expand=True)
    table = pd.DataFrame(list(times), columns=UCI.time)
    return str(table.join(frame.reset_index(drop=True)).to_csv(index=False)).encode()
