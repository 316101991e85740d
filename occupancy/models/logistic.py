"""Multinomial logistic regression on the inputs of single rows, saved as plain numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from occupancy.arrays import Floats, Ints
from occupancy.config import Config, Logistic
from occupancy.data.folds import Fold
from occupancy.features.learned import Learned
from occupancy.models.estimator import read_settings
from occupancy.models.holes import WHOLE, Matrix
from occupancy.models.tabular import TabularEstimator
from occupancy.prediction import Prediction, from_probabilities

ITERATIONS = 2000  # limit of the optimizer; on some thousand rows it needs about ten


class LogisticEstimator(TabularEstimator[Floats]):
    """Scikit-learn's multinomial logistic regression with a ridge penalty; ``balanced`` gives all labels equal weight.

    The penalty is on standardised inputs, so that it does not depend on their units.
    """

    def __init__(self, config: Config, settings: Logistic) -> None:
        super().__init__(config, settings.hour)
        self.settings = settings
        self.weights: Floats = np.empty((0, 0))  # (C, F + 1), for the inputs and for a constant 1

    @property
    def parameters(self) -> int:
        """How many weights were learned for rows that lack nothing."""
        return int(np.isfinite(self.weights).sum())

    def _fit(self, fold: Fold) -> None:
        """Learn from a fold's rows."""
        self.weights = self._reduce(*self._learn(fold, self.learned(fold)))

    def _reduce(self, inputs: Matrix, counts: Ints) -> Floats:
        """Return the weights (C, F + 1) for inputs (N, F) with counts (N,)."""
        weights = np.full((self.classes, inputs.shape[1] + 1), -np.inf)  # a label without rows keeps probability 0
        if len(labels := np.unique(counts)) == 1:  # scikit-learn refuses a single label
            weights[labels] = 0.0
            return weights
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
        weights[model.classes_] = known
        return weights

    def _by(self, lacking: str, times: pd.DatetimeIndex, inputs: Matrix) -> Prediction | None:
        """Return the prediction of rows by the weights for what they lack; None without such weights."""
        weights = self.weights if lacking == WHOLE else self.reduced.of(lacking)
        if weights is None:
            return None
        learned = np.isfinite(weights[:, 0])
        known = weights[learned]
        probs = np.zeros((len(inputs), self.classes))
        probs[:, learned] = softmax(inputs.astype(np.float64) @ known[:, :-1].T + known[:, -1], axis=1)
        return from_probabilities(times, probs[None], not self.config.looks_ahead)

    def save(self, folder: Path) -> None:
        """Write inputs and weights as JSON into a folder; the weights of a label without rows are null."""
        self.write(
            folder,
            **self._learned(),
            weights=_rows_of(self.weights),
            reduced={lacking: _rows_of(weights) for lacking, weights in self.reduced.all().items()},
        )

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder; those of earlier versions have no reduced weights."""
        learned = read_settings(folder)
        self._read(learned)
        self.weights = self._read_weights(learned, "weights", len(self.kinds))
        for lacking, width in self._read_names(learned).items():
            self.reduced.found[lacking] = self._read_weights(learned.part("reduced"), lacking, width)

    def _read_weights(self, learned: Learned, key: str, inputs: int) -> Floats:
        """Return saved weights (C, F + 1) for so many inputs. Raise InputError if they are not as they are saved."""
        rows = learned.value(key)
        if not isinstance(rows, list) or len(rows) != self.classes or all(row is None for row in rows):
            raise learned.wrong(key, f"{self.classes} rows of weights")
        weights = Learned({str(label): row for label, row in enumerate(rows)}, learned.name(key))
        empty = np.full(inputs + 1, -np.inf)
        return np.stack(
            [empty if row is None else weights.numbers(str(label), (inputs + 1,)) for label, row in enumerate(rows)]
        )


def _rows_of(weights: Floats) -> list[list[float] | None]:
    """Return the weights of each label, None for a label without rows."""
    return [row.tolist() if np.isfinite(row).all() else None for row in weights]
