"""A room with known visits, a model that says what its sensors tell it to, and a simulated room."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Config, Data, Majority, Room, Simulation, Train
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.schema import UCI, Column, Schema
from occupancy.data.source import open_log
from occupancy.models.estimator import Steps
from occupancy.prediction import Prediction, from_probabilities

STEP_S, MAX_GAP = 60.0, 600.0
CLASSES = 4
SAYS = [f"says{count}" for count in range(CLASSES)]
SCHEMA = Schema(
    name="den",
    time=["time"],
    time_format="%Y-%m-%d %H:%M:%S",
    columns=[Column(name=name, kind="other", unit="probability") for name in [*SAYS, *(f"also{n}" for n in range(4))]],
    count="people",
)
DATA = Data(source="simulated", max_gap=MAX_GAP, simulation=Simulation(days=5, room=Room(step_s=300)))


def config_of(model: Any = None, **changes: Any) -> Config:
    training = Train(max_epochs=1, members=1, batch_size=256, device="cpu")
    return Config(**{"name": "it", "data": DATA, "model": model or Majority(), "train": training, **changes})


@cache
def simulated(step_s: float = 300.0) -> Log:
    """Return five simulated days; nobody may write into it."""
    room = DATA.simulation.model_copy(update={"room": Room(step_s=step_s)})
    return open_log(DATA.model_copy(update={"simulation": room}))[0]


def simulated_fold(step_s: float = 300.0) -> Fold:
    """Return two and a half days to train on, half a day to validate, and the rest to test."""
    log = simulated(step_s)
    days = (log.times - log.times[0]).total_seconds() / 86_400
    parts = days < 2.5, (days >= 2.5) & (days < 3), days >= 3
    return Fold(1, log, *(np.asarray(part) for part in parts))


def counts_of(*runs: tuple[int, float]) -> Ints:
    """Return the counts (N,) of successive runs, each of so many people for so many minutes."""
    return np.concatenate([np.full(round(minutes * 60 / STEP_S), people) for people, minutes in runs])


def log_of(counts: Ints, columns: Mapping[str, Floats] | None = None, gaps: Sequence[int] = ()) -> Log:
    """Return a log of counts (N,), with gaps of an hour before some rows; its columns say what they are given."""
    seconds = np.arange(len(counts)) * STEP_S + 3600.0 * sum(np.arange(len(counts)) >= row for row in gaps)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s")
    cells = {column.name: (columns or {}).get(column.name, np.zeros(len(counts))) for column in SCHEMA.columns}
    frame = pd.DataFrame({**cells, "people": counts}, pd.DatetimeIndex(times, name="time"))
    return Log("den", "den", SCHEMA, frame, frame[list(cells)].isna(), MAX_GAP)


def told(probs: Floats, prefix: str = "says") -> dict[str, Floats]:
    """Return the columns that make a model say probabilities (N, C)."""
    return {f"{prefix}{count}": probs[:, count] for count in range(probs.shape[1])}


def fold_of(log: Log, validation: slice = slice(0, 0), test: slice = slice(0, 0)) -> Fold:
    parts = np.zeros((3, len(log.frame)), bool)
    parts[1, validation] = True
    parts[2, test] = True
    parts[0] = ~parts[1] & ~parts[2]
    return Fold(1, log, *parts)


@dataclass
class Told:
    """Gives the probabilities that its columns hold, whatever it was trained on."""

    config: Config
    prefix: str = "says"
    folds: list[Fold] = field(default_factory=list)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    chosen_epochs: int = 0
    parameters: int = 0
    history_s: float = 0.0
    step_s: float = math.nan
    held_out: Floats | None = None
    cross_fits: bool = False

    def check(self, log: Log) -> None:
        pass

    def fit(self, fold: Fold, steps: Steps) -> None:
        self.folds.append(fold)

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        assert SCHEMA.count not in frame
        assert not frame.isna().to_numpy().any()
        probs = frame.loc[rows, [f"{self.prefix}{count}" for count in range(CLASSES)]].to_numpy()
        return from_probabilities(pd.DatetimeIndex(frame.index)[rows], probs[None])

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    def load(self, folder: Path) -> None:
        raise NotImplementedError


def sensors(log: Log) -> pd.DataFrame:
    return log.frame.drop(columns=log.schema.count)


def everything(log: Log) -> Rows:
    return np.ones(len(log.frame), bool)


def garbled(log: Log, rows: Rows, seed: int = 0) -> Log:
    """Return the simulated log with other readings and counts in some rows."""
    frame = log.frame.copy()
    frame.loc[rows, UCI.sensors] = np.random.default_rng(seed).uniform(0, 900, (rows.sum(), len(UCI.sensors)))
    frame.loc[rows, UCI.count] = 3 - frame.loc[rows, UCI.count]
    return Log(log.name, log.family, log.schema, frame, log.missing, log.max_gap)
