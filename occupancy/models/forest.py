"""Random forest on the inputs of single rows, saved without pickle."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Config, RandomForest
from occupancy.data.folds import Fold
from occupancy.models.base import parts_of
from occupancy.models.estimator import read_settings
from occupancy.models.forest_file import read_forest, write_forest
from occupancy.models.holes import WHOLE, Matrix
from occupancy.models.tabular import TabularEstimator
from occupancy.prediction import Prediction, from_people, from_probabilities, join

FOREST = "forest.skops"
REDUCED = "forest_without_{}.skops"
"""The file of a forest that was grown without some kinds of sensors."""
FEWER = 5  # times fewer trees have the reduced forests

Forest: TypeAlias = RandomForestClassifier | RandomForestRegressor


class ForestEstimator(TabularEstimator[Forest]):
    """Scikit-learn's random forest (Breiman, 2001) on the inputs of single rows; each tree is a sample."""

    def __init__(self, config: Config, settings: RandomForest) -> None:
        super().__init__(config, settings.hour)
        self.settings = settings
        self.forest: Forest
        self.residual_var = 0.0

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
            known = fold.seen(fold.train | fold.validation)
            held_out = self._inputs(fold.log.frame, known, fold.log.wall)[fold.validation]
            whole = ~np.isnan(held_out).any(axis=1)
            if whole.any():
                errors = self._samples(held_out[whole]).mean(axis=0) - fold.counts(fold.validation)[whole]
                self.residual_var = float(np.mean(np.square(errors)))
        if self.config.learns_validation:
            self._grow(fold, fold.train | fold.validation)

    def _by(self, lacking: str, times: pd.DatetimeIndex, inputs: Matrix) -> Prediction | None:
        """Return the prediction of rows by the forest for what they lack; None without such a forest."""
        forest = self.forest if lacking == WHOLE else self.reduced.of(lacking)
        if forest is None:
            return None
        causal = not self.config.looks_ahead
        if self.settings.head == "regression":
            samples = self._samples(inputs, forest)
            return from_people(times, samples, self.residual_var, self.config.data.max_count, causal)
        parts = parts_of(np.arange(len(inputs)), len(forest.estimators_) * self.classes)
        found = (from_probabilities(times[part], self._samples(inputs[part], forest), causal) for part in parts)
        return next(found) if len(parts) == 1 else join(found)

    def save(self, folder: Path) -> None:
        """Write the forests (skops) and the settings (JSON) into a folder."""
        reduced = self.reduced.all()
        self.write(
            folder,
            **self._learned(),
            residual_var=self.residual_var,
            reduced=list(reduced),
        )
        write_forest(self.forest, folder / FOREST)
        for lacking, forest in reduced.items():
            write_forest(forest, folder / REDUCED.format(lacking))

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder; those of earlier versions have no reduced forests.

        Raises:
            InputError: if the file of the forest holds objects of other types than a forest's, or a forest that can't
                have been grown.
        """
        learned = read_settings(folder)
        self._read(learned)
        self.residual_var = learned.number("residual_var", 0.0)
        regresses = self.settings.head == "regression"
        self.forest = read_forest(folder / FOREST, regresses, len(self.kinds), self.classes)
        for lacking, width in self._read_names(learned).items():
            self.reduced.found[lacking] = read_forest(
                folder / REDUCED.format(lacking), regresses, width, self.classes
            )
        for forest in (self.forest, *self.reduced.found.values()):  # what scikit-learn checks only in use
            self._samples(np.zeros((1, forest.n_features_in_), np.float32), forest)

    def _grow(self, fold: Fold, rows: Rows) -> None:
        """Fit features and a new forest to the given rows (N,) of a fold."""
        self.forest = self._grown(*self._learn(fold, rows), self.settings.trees)

    def _reduce(self, inputs: Matrix, counts: Ints) -> Forest:
        """Return a smaller forest for inputs (N, F) with counts (N,)."""
        return self._grown(inputs, counts, max(self.settings.trees // FEWER, 1))

    def _grown(self, inputs: Matrix, counts: Ints, trees: int) -> Forest:
        """Return a forest of so many trees for inputs (N, F) with counts (N,)."""
        weighting = {"class_weight": "balanced"} if self.settings.balanced else {}
        grow = RandomForestRegressor if self.settings.head == "regression" else RandomForestClassifier
        return grow(
            trees,
            max_depth=self.settings.max_depth,
            min_samples_leaf=self.settings.min_samples_leaf,
            random_state=int(np.random.SeedSequence(self.config.seed).generate_state(1)[0]),
            n_jobs=1,
            **weighting,
        ).fit(inputs, counts)

    def _samples(self, inputs: Matrix, forest: Forest | None = None) -> Floats:
        """Return the counts (S, N) of each tree of a forest, in people, or probabilities (S, N, C)."""
        forest = self.forest if forest is None else forest
        trees = forest.estimators_
        if self.settings.head == "regression":
            return np.stack([tree.predict(inputs) for tree in trees])
        samples = np.zeros((len(trees), len(inputs), self.classes))
        for tree, probs in zip(trees, samples, strict=True):
            # A label that does not occur in the learned rows keeps 0.
            probs[:, forest.classes_] = tree.predict_proba(inputs)
        return samples
