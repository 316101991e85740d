"""A fitted model whose explanations are known, on a log of any readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Rows
from occupancy.config import Config, Data
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.schema import Column, Schema
from occupancy.data.times import recordings
from occupancy.models.estimator import Estimator
from occupancy.prediction import Prediction

STEP_S, MAX_GAP = 60.0, 120.0
SCHEMA = Schema(
    name="den",
    time=["time"],
    time_format="%Y-%m-%d %H:%M:%S",
    columns=[
        Column(name="east", kind="temperature", unit="degC"),
        Column(name="west", kind="temperature", unit="degC"),
        Column(name="air", kind="co2", unit="ppm"),
        Column(name="rise", kind="co2_slope", unit="ppm per sample", optional=True, slope_of="air", slope_span_s=300),
        Column(name="lamp", kind="light", unit="lux"),
        Column(name="door", kind="motion", unit="0 or 1"),
    ],
    count="people",
)


@dataclass
class Linear:
    """Sees the weighted sum of the sensors' trailing means over some rows of a recording, as people; not clipped."""

    weights: Mapping[str, float]
    rows: int
    config: Config
    seen: list[pd.DataFrame] = field(default_factory=list)

    @property
    def history_s(self) -> float:
        return (self.rows - 1) * STEP_S

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        assert "people" not in frame
        self.seen.append(frame)
        times = pd.DatetimeIndex(frame.index)
        smooth = frame.groupby(recordings(times, MAX_GAP)).rolling(self.rows, min_periods=1).mean()
        people = sum(weight * smooth[name].to_numpy() for name, weight in self.weights.items())[rows]  # type: ignore[index]
        return certain(times[rows], people)


def certain(times: pd.DatetimeIndex, people: Floats) -> Prediction:
    label = people.round().clip(0, 3).astype(np.int64)
    return Prediction(times, label, np.eye(4)[label], people, np.zeros(len(label)), *np.stack([label, label]) * 1.0)


def model(rows: int = 1, **weights: float) -> Estimator:
    return cast(Estimator, Linear(weights, rows, Config(name="den", data=Data(max_gap=MAX_GAP))))


def log_of(minutes: int = 240, seed: int = 0, gaps: tuple[int, ...] = ()) -> Log:
    """A row a minute of readings that follow nothing, an hour missing before each of the rows named by gaps."""
    random = np.random.default_rng(seed)
    away = np.isin(np.arange(minutes), gaps).cumsum() * 60
    times = pd.DatetimeIndex(pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(minutes) + away, "min"))
    frame = pd.DataFrame(
        random.normal(size=(minutes, len(SCHEMA.sensors))), times.rename("time"), columns=SCHEMA.sensors
    )
    frame["people"] = random.integers(0, 4, minutes)
    return Log("den", "den", SCHEMA, frame, frame[SCHEMA.sensors].isna(), MAX_GAP)


def fold_of(log: Log, tested_from: int) -> Fold:
    place = np.arange(len(log.frame))
    early = place < tested_from // 2
    return Fold(1, log, early, ~early & (place < tested_from), place >= tested_from)
