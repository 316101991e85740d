"""Random forest on the inputs of single rows, saved without pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from occupancy.arrays import Floats, Rows
from occupancy.config import Config, RandomForest
from occupancy.data.folds import Fold
from occupancy.data.times import check_cadence, stretches
from occupancy.features.inputs import Inputs, fit_inputs, inputs_from
from occupancy.models.base import OneStepEstimator, parts_of
from occupancy.models.estimator import read_settings
from occupancy.models.forest_file import read_forest, write_forest
from occupancy.prediction import Prediction, from_people, from_probabilities, join

FOREST = "forest.skops"

Matrix = NDArray[np.float32]


class ForestEstimator(OneStepEstimator):
    """Scikit-learn's random forest (Breiman, 2001) on the inputs of single rows; each tree is a sample."""

    def __init__(self, config: Config, settings: RandomForest) -> None:
        super().__init__(config)
        self.settings = settings
        self.features: Inputs
        self.forest: RandomForestClassifier | RandomForestRegressor
        self.residual_var = 0.0

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs."""
        return self.features.history_s

    @property
    def parameters(self) -> int:
        """How many nodes all trees have together."""
        return sum(tree.tree_.node_count for tree in self.forest.estimators_)

    def _fit(self, fold: Fold) -> None:
        """Learn from a fold's rows.

        A regressor's residual variance is the mean squared error on the validation rows of a forest grown without
        them. Out-of-bag rows would need no second forest, but their neighbours, half a minute away and almost equal,
        are in the bag.
        """
        if self.settings.head == "regression" or not self.config.learns_validation:
            self._grow(fold, fold.train)
        if self.settings.head == "regression":
            known = fold.train | fold.validation
            held_out = self._samples(self._inputs(fold.log.frame, known, fold.log.max_gap)[fold.validation])
            errors = held_out.mean(axis=0) - fold.counts(fold.validation)
            self.residual_var = float(np.mean(np.square(errors)))
        if self.config.learns_validation:
            self._grow(fold, fold.train | fold.validation)

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return predictions for the given rows (N,) of a frame of sensors; earlier rows serve as history.

        Raises:
            InputError: if the frame lacks a sensor that the model was trained on, or has another step.
        """
        times = pd.DatetimeIndex(frame.index)
        settings = self.config.data
        check_cadence(self.features.step_s, times, settings.max_gap)
        inputs = self._inputs(frame, np.ones(len(frame), bool), settings.max_gap)[rows]
        causal = not self.config.looks_ahead
        if self.settings.head == "regression":
            samples = self._samples(inputs)
            return from_people(times[rows], samples, self.residual_var, settings.max_count, causal)
        asked = times[rows]
        parts = parts_of(np.arange(len(inputs)), len(self.forest.estimators_) * self.classes)
        found = (from_probabilities(asked[part], self._samples(inputs[part]), causal) for part in parts)
        return next(found) if len(parts) == 1 else join(found)

    def save(self, folder: Path) -> None:
        """Write the forest (skops) and the settings (JSON) into a folder."""
        self.write(folder, features=self.features.to_settings(), residual_var=self.residual_var)
        write_forest(self.forest, folder / FOREST)

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder.

        Raises:
            InputError: if the file of the forest holds objects of other types than a forest's, or a forest that can't
                have been grown.
        """
        learned = read_settings(folder)
        self.features = inputs_from(learned.value("features"))
        self.residual_var = learned.number("residual_var", 0.0)
        regresses, width = self.settings.head == "regression", len(self.features.names)
        self.forest = read_forest(folder / FOREST, regresses, width, self.classes)
        self._samples(np.zeros((1, width), np.float32))  # what scikit-learn checks only in use, it checks here

    def _grow(self, fold: Fold, rows: Rows) -> None:
        """Fit features and a new forest to the given rows (N,) of a fold."""
        self.features = fit_inputs(fold.log, rows, self.config.features)
        inputs = self._inputs(fold.log.frame, rows, fold.log.max_gap)[rows]
        weighting = {"class_weight": "balanced"} if self.settings.balanced else {}
        grow = RandomForestRegressor if self.settings.head == "regression" else RandomForestClassifier
        self.forest = grow(
            self.settings.trees,
            max_depth=self.settings.max_depth,
            min_samples_leaf=self.settings.min_samples_leaf,
            random_state=int(np.random.SeedSequence(self.config.seed).generate_state(1)[0]),
            n_jobs=1,
            **weighting,
        )
        self.forest.fit(inputs, fold.counts(rows))

    def _inputs(self, frame: pd.DataFrame, seen: Rows, max_gap: float) -> Matrix:
        """Return the inputs of all rows of a frame, (N, F); trailing columns are computed from the rows seen (N,)."""
        return self.features.transform(frame, stretches(pd.DatetimeIndex(frame.index), seen, max_gap))

    def _samples(self, inputs: Matrix) -> Floats:
        """Return each tree's counts (S, N), in people, or probabilities (S, N, C)."""
        trees = self.forest.estimators_
        if self.settings.head == "regression":
            return np.stack([tree.predict(inputs) for tree in trees])
        samples = np.zeros((len(trees), len(inputs), self.classes))
        for tree, probs in zip(trees, samples, strict=True):
            probs[:, self.forest.classes_] = tree.predict_proba(
                inputs
            )  # a label that does not occur in the learned rows keeps 0
        return samples
