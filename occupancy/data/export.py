"""Simulated logs as CSV files, under the UCI log's columns, for whoever has no rooms yet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from occupancy.config import Simulation
from occupancy.data.schema import UCI
from occupancy.data.simulated import simulate, simulate_rooms
from occupancy.errors import InputError


def write_log(settings: Simulation, path: Path) -> Path:
    """Return the path of the CSV that now holds the simulated log.

    Raises:
        InputError: it can't be written.
    """
    _write(simulate(settings), path)
    return path


def write_rooms(settings: Simulation, rooms: int, folder: Path) -> list[Path]:
    """Return the paths of the CSVs that now hold the logs of different rooms, made and written one at a time.

    Each has its own people, air, sensors and noise, see `occupancy.data.simulated.simulate_rooms`.

    Args:
        settings: days and seed, and the room that the others scatter around.
        rooms: how many.
        folder: where they go: ``room_1.csv`` and so on, with zeros before so that they sort.

    Raises:
        InputError: one can't be written.
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
        raise InputError(f"{path}: cannot be written ({error.strerror}); give another place") from None
