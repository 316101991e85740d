"""A forest whose nodes were altered: compiled code would read foreign memory, or walk in a circle for ever."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree._tree import Tree
from skops.io import dump, dumps, loads

from occupancy.errors import InputError
from occupancy.models.forest_file import EXPECTED_TYPES, read_forest, write_forest

FEATURES, CLASSES = 3, 4


@cache
def grown(regresses: bool) -> bytes:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, FEATURES))
    kind = RandomForestRegressor if regresses else RandomForestClassifier
    return bytes(dumps(kind(3, random_state=0).fit(x, (x[:, 0] > 0) * 3 + (x[:, 1] > 0) * -1 * (x[:, 0] > 0))))


def copy(regresses: bool = False) -> Any:
    return loads(grown(regresses), trusted=sorted(EXPECTED_TYPES))


def read(path: Path, regresses: bool = False) -> Any:
    return read_forest(path, regresses, FEATURES, CLASSES)


def altered(change: Callable[[dict[str, Any]], object], regresses: bool = False) -> Any:
    """Return a forest with another state of its second tree."""
    forest = copy(regresses)
    grown_tree = forest.estimators_[1].tree_
    _, arguments, state = grown_tree.__reduce__()
    state = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in state.items()}
    change(state)
    tree = Tree(*arguments)
    tree.__setstate__(state)
    forest.estimators_[1].tree_ = tree
    return forest


def put(field: str, value: float, node: int = 0) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        state["nodes"][field][node] = value

    return change


@pytest.mark.parametrize("regresses", [False, True])
def test_a_forest_is_read_as_it_was_written(tmp_path: Path, regresses: bool) -> None:
    forest, x = copy(regresses), np.random.default_rng(1).normal(size=(50, FEATURES)).astype(np.float32)
    write_forest(forest, tmp_path / "it")
    np.testing.assert_array_equal(read(tmp_path / "it", regresses).predict(x), forest.predict(x))


ALTERED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a child beyond the end": (put("left_child", 10**6), "leads to none below it"),
    "a child before the start": (put("right_child", -5), "leads to none below it"),
    "a circle": (put("left_child", 0), "leads to none below it"),
    "a way back": (put("left_child", 0, 1), "leads to none below it"),
    "half a leaf": (put("right_child", -1), "leads to none below it"),
    "an input beyond the end": (put("feature", FEATURES), "asks for an input that is not there"),
    "an input before the start": (put("feature", -7), "asks for an input that is not there"),
    "a threshold that is none": (put("threshold", np.nan), "asks for an input that is not there"),
    "a value that is none": (lambda state: state["values"].__setitem__((2, 0, 0), np.nan), "not within 0 to 1"),
    "a share above 1": (lambda state: state["values"].__setitem__((2, 0, 0), 7.0), "not within 0 to 1"),
    "shares of 2": (lambda state: state["values"].__setitem__((2, 0), 1.0), "do not add up to 1"),
}


@pytest.mark.parametrize("name", ALTERED)
def test_a_tree_that_can_not_have_been_grown_is_refused(tmp_path: Path, name: str) -> None:
    change, message = ALTERED[name]
    dump(altered(change), tmp_path / "it")
    with pytest.raises(InputError, match=f"it: tree 1: got .*{message}.*; do not use this file") as caught:
        read(tmp_path / "it")
    assert "\n" not in str(caught.value)


def test_a_regressors_values_are_counts_of_people(tmp_path: Path) -> None:
    dump(altered(lambda state: state["values"].__setitem__(2, CLASSES), regresses=True), tmp_path / "it")
    with pytest.raises(InputError, match=r"tree 1: got values that are not within 0 to 3"):
        read(tmp_path / "it", regresses=True)


@pytest.mark.parametrize("nodes", [0, -1])  # of more than there are, scikit-learn takes as many as there are
def test_a_tree_without_nodes_is_refused_before_they_are_read(tmp_path: Path, nodes: int) -> None:
    def lie(value: Any) -> None:
        if isinstance(value, dict):
            if "node_count" in value:
                value["node_count"]["content"] = str(nodes)
            for each in value.values():
                lie(each)
        elif isinstance(value, list):
            for each in value:
                lie(each)

    with (
        zipfile.ZipFile(io.BytesIO(grown(False))) as source,
        zipfile.ZipFile(tmp_path / "it", "w") as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name == "schema.json":
                tree = json.loads(content)
                lie(tree)
                content = json.dumps(tree).encode()
            target.writestr(name, content)
    with pytest.raises(InputError, match=rf"tree 0: got {nodes} nodes, expected 1 to"):
        read(tmp_path / "it")


def test_a_forest_of_other_sizes_is_refused(tmp_path: Path) -> None:
    write_forest(copy(), tmp_path / "it")
    with pytest.raises(InputError, match="inputs, outputs and labels"):
        read_forest(tmp_path / "it", False, FEATURES + 1, CLASSES)
    with pytest.raises(InputError, match="labels that are not among the counts 0 to 2"):
        read_forest(tmp_path / "it", False, FEATURES, 3)
    with pytest.raises(InputError, match="got a RandomForestClassifier, expected a RandomForestRegressor"):
        read_forest(tmp_path / "it", True, FEATURES, CLASSES)


CHANGES: dict[str, tuple[Callable[[Any], object], str]] = {
    "no trees": (lambda forest: setattr(forest, "estimators_", []), "without trees"),
    "another kind of tree": (
        lambda forest: forest.estimators_.__setitem__(0, KNeighborsClassifier()),
        "tree 0: got a KNeighborsClassifier",
    ),
    "no tree in a tree": (lambda forest: setattr(forest.estimators_[0], "tree_", 3), "tree 0: got a Decision"),
    "no labels": (lambda forest: setattr(forest, "classes_", "abc"), "without labels"),
    "a label below 0": (lambda forest: setattr(forest, "classes_", np.array([-1, 2, 3])), "not among the counts"),
    "labels out of order": (lambda forest: setattr(forest, "classes_", np.array([2, 0, 3])), "not among the counts"),
    "another number of labels": (lambda forest: setattr(forest, "classes_", np.array([0, 2])), "outputs and labels"),
    "a told number of labels": (lambda forest: setattr(forest.estimators_[2], "n_classes_", 9), "tree 2: got a number"),
    "a told number of inputs": (lambda forest: setattr(forest.estimators_[2], "n_features_in_", 9), "tree 2: got ("),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_forest_that_is_none_of_this_package_is_refused(tmp_path: Path, name: str) -> None:
    change, message = CHANGES[name]
    forest = copy()
    change(forest)
    dump(forest, tmp_path / "it")
    with pytest.raises(InputError) as caught:
        read(tmp_path / "it")
    assert message in str(caught.value)
