"""What models of single rows share: inputs with or without the hour, and what to do where some are missing."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Generic

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Config
from occupancy.data.clock import wall_of
from occupancy.data.folds import Fold
from occupancy.data.times import check_cadence, stretches
from occupancy.features import hours
from occupancy.features.inputs import Inputs, fit_inputs, inputs_from
from occupancy.features.learned import Learned
from occupancy.models.base import OneStepEstimator
from occupancy.models.holes import Matrix, Model, Reduced, complete, predict_rows, read_lacking, read_shares, remaining
from occupancy.models.postprocess.calibration import label_shares
from occupancy.prediction import Prediction


class TabularEstimator(OneStepEstimator, Generic[Model]):
    """A model of the inputs of single rows, and reduced ones for rows that lack some kinds of sensors.

    Attributes:
        features: what computes the inputs of the sensors.
        hour: whether the hour and the weekday are inputs too.
        reduced: models without the inputs of some kinds of sensors.
        shares: (C,) share of each label in the learned rows.
    """

    features: Inputs
    reduced: Reduced[Model]

    def __init__(self, config: Config, hour: bool) -> None:
        super().__init__(config)
        self.hour = hour
        self.shares: Floats = np.empty(0)

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs."""
        return self.features.history_s

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of sensors that each input is computed from, (F,)."""
        return (*self.features.kinds, *((hours.KIND,) * len(hours.NAMES) if self.hour else ()))

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return predictions for the given rows (N,) of a frame of sensors; earlier rows serve as history.

        A row that lacks the readings of some kinds of sensors is predicted by a model fitted without them.

        Raises:
            InputError: if the frame has no sensor that the model was trained on, or has another step.
        """
        times = pd.DatetimeIndex(frame.index)
        check_cadence(self.features.step_s, times, self.config.data.max_gap)
        inputs = self._inputs(frame, np.ones(len(frame), bool), wall_of(frame))[rows]
        causal = not self.config.looks_ahead
        return predict_rows(times[rows], inputs, self.kinds, self._by, self.shares, causal)

    @abstractmethod
    def _by(self, lacking: str, times: pd.DatetimeIndex, inputs: Matrix) -> Prediction | None:
        """Return the prediction of rows by the model for what they lack; None without such a model."""

    @abstractmethod
    def _reduce(self, inputs: Matrix, counts: Ints) -> Model:
        """Return a reduced model for inputs (N, F) with counts (N,)."""

    def _learn(self, fold: Fold, rows: Rows) -> tuple[Matrix, Ints]:
        """Fit the inputs to the given rows (N,) of a fold; return those of the rows that lack nothing, and the counts.

        Reduced models learn from the rows when they are needed.
        """
        seen = fold.seen(rows)
        self.features = fit_inputs(fold.log, rows, self.config.features, seen)
        inputs, counts = self._inputs(fold.log.frame, seen, fold.log.wall)[rows], fold.counts(rows)
        whole = complete(inputs, self.kinds)
        self.shares = label_shares(counts, self.classes)
        self.reduced = Reduced(self._reduce, self.kinds)
        self.reduced.learn(inputs, counts)
        return inputs[whole], counts[whole]

    def _inputs(self, frame: pd.DataFrame, seen: Rows, wall: pd.DatetimeIndex) -> Matrix:
        """Return the inputs of all rows of a frame, (N, F); trailing columns are computed from the rows seen (N,)."""
        times = pd.DatetimeIndex(frame.index)
        inputs = self.features.transform(frame, stretches(times, seen, self.config.data.max_gap))
        return np.hstack([inputs, hours.hours(wall)]) if self.hour else inputs

    def _learned(self) -> dict[str, Any]:
        """Return what `_read` reads, for the settings of a saved model."""
        return {"features": self.features.to_settings(), "shares": self.shares.tolist()}

    def _read(self, learned: Learned) -> None:
        """Take the inputs and the shares from the settings of a saved model, as `_learned` gave them."""
        self.features = inputs_from(learned.value("features"))
        self.shares = read_shares(learned, self.classes)
        self.reduced = Reduced(self._reduce, self.kinds)

    def _read_names(self, learned: Learned) -> dict[str, int]:
        """Return how many inputs each saved reduced model has, by what it lacks; none from earlier versions.

        Raises:
            InputError: one lacks what no reduced model lacks.
        """
        saved = learned.value("reduced") if "reduced" in learned else []
        if not isinstance(saved, list | dict):
            raise learned.wrong("reduced", "a list")
        names = read_lacking(learned, list(saved), self.kinds)
        return {lacking: int(remaining(self.kinds, lacking).sum()) for lacking in names}
