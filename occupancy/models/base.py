"""Base classes of estimators: the fields of the contract, and a fit in one step for models without epochs."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.features.sensors import columns_of
from occupancy.models.estimator import FORMAT, FORMAT_KEY, SETTINGS, Steps

MOST_NUMBERS = 2**25
"""The most numbers of samples (S, N, C) that are held at once, 256 MB; with more, rows are predicted in parts."""
PART_ROWS = 1024
"""The parts are multiples of so many rows."""


def parts_of(rows: Ints, numbers: int) -> list[Ints]:
    """Return the positions of rows (N,) in parts, of which each has few enough samples to be held at once.

    Args:
        rows: (N,) positions.
        numbers: S * C, how many numbers the samples of one row are.
    """
    size = max(MOST_NUMBERS // (numbers * PART_ROWS), 1) * PART_ROWS
    return np.split(rows, range(size, len(rows), size))


class EstimatorBase:
    """The fields of an estimator before its fit, and what most estimators do."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.history = pd.DataFrame()
        self.chosen_epochs = 0
        self.held_out: Floats | None = None

    @property
    def cross_fits(self) -> bool:
        """Whether the fit makes models that leave visits out; it does not, unless a model overrides this."""
        return False

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs; 0 unless a model overrides this."""
        return 0.0

    @property
    def step_s(self) -> float:
        """Seconds between rows in training; NaN for a model without sensors."""
        return float(self.features.step_s) if hasattr(self, "features") else math.nan

    @property
    def classes(self) -> int:
        """C, the number of labels."""
        return self.config.data.max_count + 1

    def check(self, log: Log) -> None:
        """Check that a log has the sensors that the model needs.

        Raises:
            InputError: if it lacks one without which the model cannot work, or has none that ``features`` names.
        """
        columns_of(log, self.config.features)

    def learned(self, fold: Fold) -> Rows:
        """Return the rows (N,) of a fold that the fitted model has learned from."""
        return fold.learned(validation=self.config.learns_validation)

    def write(self, folder: Path, **learned: Any) -> None:
        """Write the experiment and what was learned as JSON into a folder."""
        settings = {FORMAT_KEY: FORMAT, "config": self.config.shown(), **learned}
        (folder / SETTINGS).write_text(json.dumps(settings, indent=2), encoding="utf-8")


class OneStepEstimator(EstimatorBase, ABC):
    """An estimator that learns in one step, without epochs.

    It learns from training and validation rows together under both protocols, unless ``train.refit`` is false.
    """

    def fit(self, fold: Fold, steps: Steps) -> None:
        """Learn from a fold's rows, as one step of progress."""
        steps.plan(1)
        self._fit(fold)
        steps.done()

    @abstractmethod
    def _fit(self, fold: Fold) -> None:
        """Learn from a fold's rows."""
