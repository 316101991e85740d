"""Gradient-boosted trees on the inputs of single rows, saved as plain arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.ensemble import HistGradientBoostingClassifier

from occupancy.arrays import Floats, Ints
from occupancy.config import BoostedTrees, Config
from occupancy.data.folds import Fold
from occupancy.errors import InputError
from occupancy.models.estimator import check_archive, read_settings
from occupancy.models.holes import WHOLE, Matrix
from occupancy.models.tabular import TabularEstimator
from occupancy.prediction import Prediction, from_probabilities

TREES = "trees.npz"
REDUCED = "trees_without_{}.npz"
"""The file of trees that were grown without some kinds of sensors."""
_TYPES = {"value": np.float64, "feature": np.int64, "threshold": np.float64, "left": np.int64, "right": np.int64}


@dataclass(frozen=True)
class Trees:
    """Boosted trees as arrays over the nodes of all of them; a node without children leads to itself.

    Attributes:
        labels: (L,) the labels that occur in the learned rows, ascending.
        base: (L,) score of each before the first tree; (1,) with two labels, for the second; empty with one.
        roots: (R, len(base)) the first node of each tree.
        depth: the longest walk from a root to a leaf.
        value: (n,) what a leaf adds to the score.
        feature: (n,) the input that a node asks for.
        threshold: (n,) up to which a row goes left.
        left: (n,) the node on the left.
        right: (n,) the node on the right.
        inputs: F.
    """

    labels: Ints
    base: Floats
    roots: Ints
    depth: int
    value: Floats
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    inputs: int

    @classmethod
    def grow(cls, inputs: Matrix, counts: Ints, settings: BoostedTrees, seed: int) -> Self:
        """Return trees for inputs (N, F) with counts (N,)."""
        labels = np.unique(counts)
        if len(labels) == 1:  # scikit-learn refuses a single label
            none = np.empty(0, np.int64)
            no_value = np.empty(0, np.float64)
            return cls(labels, no_value, none[:, None], 0, no_value, none, no_value, none, none, inputs.shape[1])
        grown: Any = HistGradientBoostingClassifier(
            max_iter=settings.rounds,
            learning_rate=settings.learning_rate,
            max_leaf_nodes=settings.max_leaves,
            min_samples_leaf=settings.min_samples_leaf,
            l2_regularization=settings.penalty,
            early_stopping=False,
            random_state=seed,
        ).fit(inputs, counts)
        trees = [tree.nodes for round_ in grown._predictors for tree in round_]
        starts = np.cumsum([0, *map(len, trees)])
        nodes = np.concatenate(trees)
        own, first = np.arange(len(nodes)), np.repeat(starts[:-1], [len(tree) for tree in trees])
        leaf = nodes["is_leaf"].astype(bool)
        base = np.asarray(grown._baseline_prediction, np.float64).ravel()
        return cls(
            labels,
            base,
            starts[:-1].reshape(-1, len(base)),
            int(nodes["depth"].max()),
            nodes["value"].astype(np.float64),
            np.where(leaf, 0, nodes["feature_idx"]),
            np.where(leaf, 0.0, nodes["num_threshold"]),
            np.where(leaf, own, first + nodes["left"]),
            np.where(leaf, own, first + nodes["right"]),
            inputs.shape[1],
        )

    def probabilities(self, inputs: Matrix, classes: int) -> Floats:
        """Return the probability of each of so many labels, (N, C), for inputs (N, F) of which none is missing."""
        probs = np.zeros((len(inputs), classes))
        if len(self.labels) == 1:
            probs[:, self.labels] = 1.0
            return probs
        scores = np.tile(self.base, (len(inputs), 1))
        rows = np.arange(len(inputs))
        for place, root in np.ndenumerate(self.roots):
            node = np.full(len(inputs), root)
            for _ in range(self.depth):
                goes_left = inputs[rows, self.feature[node]] <= self.threshold[node]
                node = np.where(goes_left, self.left[node], self.right[node])
            scores[:, place[1]] += self.value[node]
        if scores.shape[1] == 1:
            second = expit(scores[:, 0])
            probs[:, self.labels] = np.column_stack([1 - second, second])
        else:
            probs[:, self.labels] = softmax(scores, axis=1)
        return probs

    def save(self, path: Path) -> None:
        """Write the arrays into a file."""
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in _TYPES}
        sizes = np.array([self.depth, self.inputs])
        arrays |= {"labels": self.labels, "base": self.base, "roots": self.roots, "sizes": sizes}
        np.savez(path, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path, inputs: int, classes: int) -> Self:
        """Return the trees that `save` wrote, for F inputs and C labels.

        Raises:
            InputError: they can't have been grown.
            ValueError: the file holds other objects than arrays.
        """
        check_archive(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        fault = next(_faults(arrays, inputs, classes), None)
        if fault is not None:
            raise InputError(f"{path.name}: {fault}; do not use this file, save the model again")
        depth = int(arrays.pop("sizes")[0])
        return cls(**arrays, depth=depth, inputs=inputs)


def _faults(arrays: dict[str, NDArray[Any]], inputs: int, classes: int) -> Iterator[str]:
    """Yield what is wrong with saved arrays; what comes later is only looked at if nothing came before."""
    whole = {"labels": np.int64, "base": np.float64, "roots": np.int64, "sizes": np.int64, **_TYPES}
    if set(arrays) != set(whole) or any(arrays[name].dtype != kind for name, kind in whole.items()):
        yield f"expected the arrays {', '.join(whole)}"
    labels, base, roots, sizes = (arrays[name] for name in ("labels", "base", "roots", "sizes"))
    nodes = arrays["value"].shape
    if len(nodes) != 1 or any(arrays[name].shape != nodes for name in _TYPES) or sizes.shape != (2,):
        yield "got arrays of nodes that do not belong together"
    if labels.ndim != 1 or not labels.size or labels[0] < 0 or labels[-1] >= classes or (np.diff(labels) <= 0).any():
        yield f"got labels that are not among the counts 0 to {classes - 1}"
    width = {1: 0, 2: 1}.get(len(labels), len(labels))
    if base.shape != (width,) or roots.ndim != 2 or (width and roots.shape[1] != width):
        yield f"got no tree for each of {len(labels)} labels"
    if sizes[1] != inputs or not 0 <= sizes[0] <= nodes[0]:
        yield f"got trees of {sizes[1]} inputs and depth {sizes[0]}, expected {inputs} inputs"
    if any(((each < 0) | (each >= nodes[0])).any() for each in (roots, arrays["left"], arrays["right"])):
        yield "got a node that leads to none"
    if ((arrays["feature"] < 0) | (arrays["feature"] >= inputs)).any():
        yield "got a node that asks for an input that is not there"
    if not all(np.isfinite(arrays[name]).all() for name in ("value", "base")) or np.isnan(arrays["threshold"]).any():
        yield "got values that are not finite"


class BoostedTreesEstimator(TabularEstimator[Trees]):
    """Scikit-learn's histogram gradient boosting (after LightGBM, Ke et al. 2017), grown without early stopping."""

    def __init__(self, config: Config, settings: BoostedTrees) -> None:
        super().__init__(config, settings.hour)
        self.settings = settings
        self.trees: Trees

    @property
    def parameters(self) -> int:
        """How many nodes all trees have together."""
        return len(self.trees.value)

    def _fit(self, fold: Fold) -> None:
        """Learn from a fold's rows."""
        self.trees = self._reduce(*self._learn(fold, self.learned(fold)))

    def _reduce(self, inputs: Matrix, counts: Ints) -> Trees:
        """Return trees for inputs (N, F) with counts (N,)."""
        seed = int(np.random.SeedSequence(self.config.seed).generate_state(1)[0])
        return Trees.grow(inputs, counts, self.settings, seed)

    def _by(self, lacking: str, times: pd.DatetimeIndex, inputs: Matrix) -> Prediction | None:
        """Return the prediction of rows by the trees for what they lack; None without such trees."""
        trees = self.trees if lacking == WHOLE else self.reduced.of(lacking)
        if trees is None:
            return None
        return from_probabilities(times, trees.probabilities(inputs, self.classes)[None], not self.config.looks_ahead)

    def save(self, folder: Path) -> None:
        """Write the trees (npz) and the settings (JSON) into a folder."""
        reduced = self.reduced.all()
        self.write(folder, **self._learned(), reduced=list(reduced))
        self.trees.save(folder / TREES)
        for lacking, trees in reduced.items():
            trees.save(folder / REDUCED.format(lacking))

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder."""
        learned = read_settings(folder)
        self._read(learned)
        self.trees = Trees.load(folder / TREES, len(self.kinds), self.classes)
        for lacking, width in self._read_names(learned).items():
            self.reduced.found[lacking] = Trees.load(folder / REDUCED.format(lacking), width, self.classes)
