"""The file of a random forest: written without pickle, and checked before compiled code follows its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.tree._tree import Tree

from occupancy.errors import InputError
from occupancy.models.estimator import check_archive

# The only type in a forest that skops does not trust by itself: the arrays of a tree, which compiled code reads.
EXPECTED_TYPES = frozenset({"sklearn.tree._tree.Tree"})
_LEAF = -1
_SLACK = 1e-6  # possible rounding error of a share or of a mean of counts


def write_forest(forest: RandomForestClassifier | RandomForestRegressor, path: Path) -> None:
    """Write a forest (skops)."""
    from skops.io import dump  # noqa: PLC0415 (late: it takes seconds, and only a saved forest needs it)

    dump(forest, path)


def read_forest(
    path: Path, regresses: bool, features: int, classes: int
) -> RandomForestClassifier | RandomForestRegressor:
    """Return the forest that `write_forest` wrote.

    Its trees are arrays of nodes that compiled code follows without looking: an index beyond their end would read
    foreign memory, and a node that leads back would never end. So every node is checked first.

    Args:
        path: the file.
        regresses: whether its trees regress the count, or classify it.
        features: F, columns of the input.
        classes: C, counts 0..C-1.

    Raises:
        InputError: the file holds objects of other types than a forest's, or a forest that can't have been grown.
    """
    from skops.io import get_untrusted_types, load  # noqa: PLC0415 (as above)

    check_archive(path)
    unexpected = sorted(set(get_untrusted_types(file=path)) - EXPECTED_TYPES)
    if unexpected:
        raise InputError(
            f"{path}: got objects of {', '.join(unexpected)}, expected only those of a random forest; "
            "do not load this file, save the model again"
        )
    forest: RandomForestClassifier | RandomForestRegressor = load(path, trusted=sorted(EXPECTED_TYPES))
    fault = next(_faults(forest, regresses, features, classes), None)
    if fault is not None:
        raise InputError(f"{path}: {fault}; do not use this file, save the model again")
    return forest


def _faults(forest: Any, regresses: bool, features: int, classes: int) -> Iterator[str]:
    """Yield what is wrong with a forest; what comes later is only looked at if nothing came before."""
    kind = RandomForestRegressor if regresses else RandomForestClassifier
    if type(forest) is not kind:
        yield f"got a {type(forest).__name__}, expected a {kind.__name__}"
    trees = getattr(forest, "estimators_", None)
    if not isinstance(trees, list) or not trees:
        yield "got a forest without trees"
    labels = np.zeros(1, np.int64) if regresses else getattr(forest, "classes_", None)
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or labels.dtype.kind not in "iu" or not labels.size:
        yield "got a forest without labels"
    elif labels[0] < 0 or labels[-1] >= classes or (np.diff(labels) <= 0).any():
        yield f"got labels that are not among the counts 0 to {classes - 1}"
    for number, tree in enumerate(trees or []):
        yield from (f"tree {number}: {fault}" for fault in _tree_faults(tree, regresses, features, classes, labels))


def _tree_faults(tree: Any, regresses: bool, features: int, classes: int, labels: Any) -> Iterator[str]:
    """Yield what is wrong with one tree of a forest."""
    kind = DecisionTreeRegressor if regresses else DecisionTreeClassifier
    nodes: Any = getattr(tree, "tree_", None)
    if type(tree) is not kind or type(nodes) is not Tree:
        yield f"got a {type(tree).__name__}, expected a grown {kind.__name__}"
    sizes = (nodes.n_features, nodes.n_outputs, nodes.max_n_classes)
    told = (getattr(tree, "n_features_in_", None), getattr(tree, "n_outputs_", None))
    if sizes != (features, 1, len(labels)) or told != sizes[:2]:
        yield f"got {sizes} inputs, outputs and labels, expected {(features, 1, len(labels))}"
    if not regresses and getattr(tree, "n_classes_", None) != len(labels):
        yield f"got a number of labels that is not {len(labels)}"
    if not 0 < nodes.node_count <= nodes.capacity:  # before any array is read, for this is taken for its length
        yield f"got {nodes.node_count} nodes, expected 1 to {nodes.capacity}"
    if not _leads_down(nodes):
        yield "got a node that leads to none below it, or asks for an input that is not there"
    most = classes - 1 if regresses else 1
    values = nodes.value
    if not np.isfinite(values).all() or values.min() < -_SLACK or values.max() > most + _SLACK:
        yield f"got values that are not within 0 to {most}"
    if not regresses and np.abs(values.sum(axis=2) - 1).max() > _SLACK:
        yield "got shares of labels that do not add up to 1"


def _leads_down(nodes: Tree) -> bool:
    """Return whether every node of a tree is a leaf, or splits by an input to two later nodes: then each walk ends."""
    left, right, feature = nodes.children_left, nodes.children_right, nodes.feature
    own, count = np.arange(nodes.node_count), nodes.node_count
    leaf = left == _LEAF
    below = (left > own) & (left < count) & (right > own) & (right < count)
    known = (feature >= 0) & (feature < nodes.n_features) & np.isfinite(nodes.threshold)
    return bool(np.where(leaf, right == _LEAF, below & known).all())
