"""Simulated rooms as CSV files, and what tests ask of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from occupancy.config import Data, Room, Simulation
from occupancy.data.folds import Fold

ROOMS = 6
SMALL = Simulation(days=2, room=Room(step_s=300.0))


def settings(rooms: Path | str, **changes: object) -> Data:
    return Data(rooms=str(rooms), **{"folds": "leave_rooms_out", "max_gap": 600.0, **changes})  # type: ignore[arg-type]


def edit(path: Path, **columns: Any) -> None:
    """Give columns of a room other cells; None takes a column away."""
    table = pd.read_csv(path, dtype=str)
    for name, cells in columns.items():
        table[name] = cells
    table.drop(columns=[name for name, cells in columns.items() if cells is None]).to_csv(path, index=False)


def rooms_of(fold: Fold, part: str) -> set[str]:
    rows = getattr(fold, part)
    return {place.name for place in fold.log.rooms if rows[place.first : place.end].any()}
