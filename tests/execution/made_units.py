"""Units that take no time, units that do, and units that kill the process that carries them out."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.config import Config, Majority, Model
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.schema import Column, Schema
from occupancy.execution.unit import Unit

ROWS = 60
SCHEMA = Schema(
    name="small",
    time=["when"],
    time_format="%Y-%m-%d %H:%M:%S",
    columns=[Column(name="warm", kind="temperature", unit="degC"), Column(name="air", kind="co2", unit="ppm")],
    count="people",
)


def quick_log() -> Log:
    """Return a log of half an hour whose sensors tell the count but for some noise."""
    rng = np.random.default_rng(0)
    people = np.arange(ROWS) // 5 % 3
    columns = {"warm": 20 + people + rng.normal(0, 0.3, ROWS), "air": 400.0 + 100 * people, "people": people}
    frame = pd.DataFrame(columns, pd.date_range("2024-01-01", periods=ROWS, freq="30s", name="time"))
    return Log("small", "small", SCHEMA, frame, frame[SCHEMA.sensors].isna(), 120.0)


def quick_fold(validation: slice = slice(25, 40)) -> Fold:
    """Return a fold of that log, tested in its last third."""
    rows = {"train": slice(0, 25), "validation": validation, "test": slice(40, ROWS)}
    return Fold(
        1, quick_log(), **{part: np.isin(np.arange(ROWS), np.arange(ROWS)[span]) for part, span in rows.items()}
    )


def model_of(model: Model, seed: int = 0) -> Config:
    return Config(name="small", model=model, seed=seed)


def units_of(count: int, seed: int = 0) -> list[Unit]:
    fold = quick_fold()
    return [Unit(model_of(Majority(), seed + number), fold, "validation") for number in range(count)]


@dataclass(frozen=True)
class Deadly(Fold):
    """A fold that kills the process that looks at it, so many times over all processes."""

    marks: Path = Path()
    deaths: int = 0

    def sealed(self) -> Fold:
        if len(list(self.marks.iterdir())) < self.deaths:
            tempfile.mkstemp(dir=self.marks)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().sealed()


@dataclass(frozen=True)
class Slow(Fold):
    """A fold that takes some seconds to look at."""

    seconds: float = 0.0

    def sealed(self) -> Fold:
        time.sleep(self.seconds)
        return super().sealed()


def slow_unit(seconds: float) -> Unit:
    fold = quick_fold()
    return Unit(
        model_of(Majority()), Slow(1, fold.log, fold.train, fold.validation, fold.test, seconds=seconds), "validation"
    )


def killer(marks: Path, deaths: int) -> Unit:
    fold = quick_fold()
    return Unit(
        model_of(Majority()),
        Deadly(1, fold.log, fold.train, fold.validation, fold.test, marks=marks, deaths=deaths),
        "validation",
    )
