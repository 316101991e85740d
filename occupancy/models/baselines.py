"""Baselines that every model should beat: the label shares, and the label shares by hour of the week."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Rows
from occupancy.config import Clock, Config
from occupancy.data.clock import wall_of
from occupancy.data.folds import Fold
from occupancy.data.times import step_of
from occupancy.models.base import OneStepEstimator
from occupancy.models.estimator import read_settings
from occupancy.prediction import Prediction, from_probabilities

DAYS, HOURS = 7, 24


class MajorityEstimator(OneStepEstimator):
    """Predicts for every row the label shares of the learned rows."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.shares: Floats = np.empty(0)

    @property
    def parameters(self) -> int:
        """How many shares were learned, C."""
        return self.shares.size

    def _fit(self, fold: Fold) -> None:
        """Count the labels of a fold's rows."""
        labels = fold.labels(self.learned(fold), self.classes)
        self.shares = labels / labels.sum()

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return the same prediction for each of the given rows (N,) of a frame."""
        times = pd.DatetimeIndex(frame.index)[rows]
        return from_probabilities(times, np.broadcast_to(self.shares, (1, len(times), self.classes)))

    def save(self, folder: Path) -> None:
        """Write the shares as JSON into a folder."""
        self.write(folder, shares=self.shares.tolist())

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder."""
        self.shares = read_settings(folder).distributions("shares", (self.classes,))


class ClockEstimator(OneStepEstimator):
    """Predicts for a row the label shares of the learned rows at its hour of the week, by the clock on the wall.

    Additive smoothing pulls the shares of an hour on one weekday towards those of the hour on any day, these towards
    those of all rows, and these towards equal shares.
    """

    def __init__(self, config: Config, settings: Clock) -> None:
        super().__init__(config)
        self.settings = settings
        self.shares: Floats = np.empty((DAYS, HOURS, 0))

    @property
    def parameters(self) -> int:
        """How many shares the table of weekdays, hours and labels holds."""
        return self.shares.size

    def _fit(self, fold: Fold) -> None:
        """Count labels by hour in a fold's rows."""
        learned = self.learned(fold)
        times = fold.log.wall[learned]
        labels = np.zeros((DAYS, HOURS, self.classes))
        np.add.at(labels, (times.dayofweek, times.hour, fold.counts(learned)), 1)
        prior_rows = self.settings.prior_s / step_of(fold.log.times[fold.seen(learned)], fold.log.max_gap)
        everywhere = _smooth(labels.sum(axis=(0, 1)), np.full(self.classes, 1 / self.classes), prior_rows)
        hourly = _smooth(labels.sum(axis=0), everywhere, prior_rows)  # (24, C)
        self.shares = _smooth(labels, hourly, prior_rows)  # (7, 24, C)

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return predictions for the given rows (N,) of a frame by their times; its sensors are not used."""
        times, wall = pd.DatetimeIndex(frame.index)[rows], wall_of(frame)[rows]
        return from_probabilities(times, self.shares[wall.dayofweek, wall.hour][None])

    def save(self, folder: Path) -> None:
        """Write the table as JSON into a folder."""
        self.write(folder, shares=self.shares.tolist())

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder."""
        self.shares = read_settings(folder).distributions("shares", (DAYS, HOURS, self.classes))


def _smooth(labels: Floats, wider: Floats, prior_rows: float) -> Floats:
    """Return label shares (..., C) from counts (..., C), with ``prior_rows`` rows of wider shares (..., C) added."""
    smoothed: Floats = (labels + prior_rows * wider) / (labels.sum(axis=-1, keepdims=True) + prior_rows)
    return smoothed
