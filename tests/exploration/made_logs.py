"""Small logs with a known content, for the parts of an exploration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.schema import Column, Schema
from occupancy.exploration.parts import Subject

START = pd.Timestamp("2024-03-04 08:00")
SCHEMA = Schema(
    name="made",
    time=["time"],
    time_format="%Y-%m-%d %H:%M:%S",
    columns=[
        Column(name="air", kind="co2", unit="ppm"),
        Column(name="warmth", kind="temperature", unit="degC"),
        Column(name="lamp", kind="light", unit="lux"),
        Column(name="stir", kind="motion", unit="0 or 1"),
    ],
    count="people",
)


def times(minutes: Sequence[float] | np.ndarray) -> pd.DatetimeIndex:
    """Return times so many minutes after `START`."""
    return pd.DatetimeIndex(START + pd.to_timedelta(np.asarray(minutes, np.float64), unit="min"), name="time")


def subject(
    at: pd.DatetimeIndex,
    counts: Sequence[float] | np.ndarray | None,
    readings: Mapping[str, Sequence[float] | np.ndarray],
    max_gap: float = 120.0,
    parts: Sequence[Sequence[str]] = (),
) -> Subject:
    """Return a log of a row a minute or so.

    Args:
        at: (N,) times.
        counts: (N,) people, if labelled; NaN where a row has no count.
        readings: (N,) of each sensor by its name; others are not in the log.
        max_gap: seconds.
        parts: of each fold the part of each row.
    """
    frame = pd.DataFrame({name: np.asarray(cells, np.float64) for name, cells in readings.items()}, at)
    missing = frame.isna()
    frame = frame.ffill()
    if counts is not None:
        frame["people"] = np.asarray(counts)
    log = Log("made.csv", "made", SCHEMA, frame, missing, max_gap)
    masks = [[np.array(part) == name for name in ("train", "validation", "test")] for part in parts]
    folds = [Fold(number, log, *mask) for number, mask in enumerate(masks, start=1)]
    return Subject(log, counts is not None, folds=folds, scheme="by hand" if folds else "none fits")
