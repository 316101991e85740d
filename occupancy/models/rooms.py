"""Predictions for a log of many rooms, one room at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Rows
from occupancy.data.clock import CLOCK, Clock
from occupancy.data.log import Log
from occupancy.models.estimator import VOLUME, Estimator
from occupancy.prediction import Prediction, join


def predict_by_room(
    estimator: Estimator, frame: pd.DataFrame, rows: Rows, log: Log, past: Rows | None = None
) -> Prediction:
    """Return predictions for rows (N,) of a frame that holds rows of a log in their order, see `Estimator.predict`.

    Room by room, as a room is met in use, and because all samples of many rooms would not fit into memory.

    Args:
        estimator: the fitted model.
        frame: N rows of sensors, some or all of the log's.
        rows: (N,) rows to predict.
        log: the log; its rooms are what the frame is cut into.
        past: (N,) rows that a model with memory may run over; None for all.
    """
    if not log.rooms:
        return estimator.predict(_in_room(frame, None, log.clock), rows, past)
    ends = [place.end for place in log.rooms]
    room = np.searchsorted(ends, log.times.get_indexer(pd.DatetimeIndex(frame.index)), side="right")
    wanted = np.unique(room[rows])
    bounds = zip(np.searchsorted(room, wanted), np.searchsorted(room, wanted, side="right"), strict=True)
    spans = [slice(first, end) for first, end in bounds]
    places = [log.rooms[number] for number in wanted]
    parts = (_in_room(frame.iloc[at], one.volume_m3, one.clock) for one, at in zip(places, spans, strict=True))
    return join(
        estimator.predict(part, rows[at], None if past is None else past[at])
        for part, at in zip(parts, spans, strict=True)
    )


def sizes_of(log: Log, volume_m3: float) -> Floats:
    """Return by how much the room of each row is larger than a volume, (N,); 1 where its own is not known."""
    sizes = np.ones(len(log.frame))
    for place in log.rooms:
        if place.volume_m3:
            sizes[place.first : place.end] = place.volume_m3 / volume_m3
    return sizes


def _in_room(frame: pd.DataFrame, volume_m3: float | None, clock: Clock | None) -> pd.DataFrame:
    """Return the rows of a room, which say its volume and its clock if they are known."""
    part = frame.copy(deep=False)
    part.attrs |= {VOLUME: volume_m3, CLOCK: clock}
    return part
