"""Multinomial logistic regression on the inputs of single rows, saved as plain numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from occupancy.arrays import Floats, Rows
from occupancy.config import Config, Logistic
from occupancy.data.folds import Fold
from occupancy.data.times import check_cadence, stretches
from occupancy.features.inputs import Inputs, fit_inputs, inputs_from
from occupancy.features.learned import Learned
from occupancy.models.base import OneStepEstimator
from occupancy.models.estimator import read_settings
from occupancy.prediction import Prediction, from_probabilities

ITERATIONS = 2000  # limit of the optimizer; on some thousand rows it needs about ten


class LogisticEstimator(OneStepEstimator):
    """Scikit-learn's multinomial logistic regression with a ridge penalty; ``balanced`` gives all labels equal weight.

    The penalty is on standardised inputs, so that it does not depend on their units.
    """

    def __init__(self, config: Config, settings: Logistic) -> None:
        super().__init__(config)
        self.settings = settings
        self.features: Inputs
        self.weights: Floats = np.empty((0, 0))  # (C, F + 1), for the inputs and for a constant 1

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs."""
        return self.features.history_s

    @property
    def parameters(self) -> int:
        """How many weights were learned."""
        return int(np.isfinite(self.weights).sum())

    def _fit(self, fold: Fold) -> None:
        """Learn from a fold's rows."""
        rows = self.learned(fold)
        self.features = fit_inputs(fold.log, rows, self.config.features)
        inputs = self.features.transform(fold.log.frame, stretches(fold.log.times, rows, fold.log.max_gap))[rows]
        counts = fold.counts(rows)
        self.weights = np.full((self.classes, inputs.shape[1] + 1), -np.inf)  # a label without rows keeps probability 0
        if len(labels := np.unique(counts)) == 1:  # scikit-learn refuses a single label
            self.weights[labels] = 0.0
            return
        scaler = StandardScaler().fit(inputs.astype(np.float64))
        model = LogisticRegression(
            C=self.settings.inverse_penalty,
            class_weight="balanced" if self.settings.balanced else None,
            max_iter=ITERATIONS,
        ).fit(scaler.transform(inputs.astype(np.float64)), counts)
        slopes = model.coef_ / scaler.scale_
        known = np.column_stack([slopes, model.intercept_ - slopes @ scaler.mean_])
        if len(known) == 1:  # for two labels scikit-learn keeps one row of weights; the other is 0
            known = np.vstack([np.zeros_like(known), known])
        self.weights[model.classes_] = known

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return predictions for the given rows (N,) of a frame of sensors; earlier rows serve as history.

        Raises:
            InputError: if the frame lacks a sensor that the model was trained on, or has another step.
        """
        times = pd.DatetimeIndex(frame.index)
        max_gap = self.config.data.max_gap
        check_cadence(self.features.step_s, times, max_gap)
        inputs = self.features.transform(frame, stretches(times, np.ones(len(frame), bool), max_gap))[rows]
        learned = np.isfinite(self.weights[:, 0])
        known = self.weights[learned]
        probs = np.zeros((len(inputs), self.classes))
        probs[:, learned] = softmax(inputs.astype(np.float64) @ known[:, :-1].T + known[:, -1], axis=1)
        return from_probabilities(times[rows], probs[None], not self.config.looks_ahead)

    def save(self, folder: Path) -> None:
        """Write inputs and weights as JSON into a folder; the weights of a label without rows are null."""
        weights = [row.tolist() if np.isfinite(row).all() else None for row in self.weights]
        self.write(folder, features=self.features.to_settings(), weights=weights)

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder."""
        learned = read_settings(folder)
        self.features = inputs_from(learned.value("features"))
        width = len(self.features.names) + 1
        rows = learned.value("weights")
        if not isinstance(rows, list) or len(rows) != self.classes or all(row is None for row in rows):
            raise learned.wrong("weights", f"{self.classes} rows of weights")
        weights = Learned({str(label): row for label, row in enumerate(rows)}, "weights")
        empty = np.full(width, -np.inf)
        self.weights = np.stack(
            [empty if row is None else weights.numbers(str(label), (width,)) for label, row in enumerate(rows)]
        )
