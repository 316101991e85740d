from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from occupancy.arrays import Floats, Ints
from occupancy.config import BoostedTrees
from occupancy.errors import InputError
from occupancy.models import load_estimator
from occupancy.models.boosted_trees import TREES, BoostedTreesEstimator, Trees
from occupancy.models.estimator import NO_STEPS
from tests.models.made_visits import config_of, sensors, simulated, simulated_fold

SETTINGS = BoostedTrees(rounds=8, max_leaves=6, min_samples_leaf=20, penalty=1.0)


def told(labels: int) -> tuple[Any, Ints]:
    """Return inputs (500, 5) and counts (500,) that the first input tells."""
    rng = np.random.default_rng(labels)
    inputs = rng.normal(size=(500, 5)).astype(np.float32)
    counts = np.clip(np.rint(inputs[:, 0] * 2 + rng.normal(size=500) / 2), 0, labels - 1).astype(np.int64)
    return inputs, 2 * counts  # every second label does not occur


@pytest.mark.parametrize("labels", [2, 4])
def test_the_trees_give_what_scikit_learn_gives(labels: int) -> None:
    inputs, counts = told(labels)
    own = HistGradientBoostingClassifier(
        max_iter=8, max_leaf_nodes=6, min_samples_leaf=20, l2_regularization=1.0, early_stopping=False
    ).fit(inputs, counts)
    probs = Trees.grow(inputs, counts, SETTINGS, 0).probabilities(inputs, 2 * labels)
    expected: Floats = np.zeros_like(probs)
    expected[:, own.classes_] = own.predict_proba(inputs)
    np.testing.assert_allclose(probs, expected, atol=1e-12)


def test_of_a_single_label_it_is_sure() -> None:
    inputs, _ = told(2)
    trees = Trees.grow(inputs, np.full(500, 3), SETTINGS, 0)
    np.testing.assert_array_equal(trees.probabilities(inputs[:4], 5), np.eye(5)[[3] * 4])


@pytest.mark.parametrize("hour", [False, True])
def test_a_saved_model_is_the_same_whole_and_where_sensors_are_gone(tmp_path: Path, hour: bool) -> None:
    settings = SETTINGS.model_copy(update={"hour": hour})
    estimator = BoostedTreesEstimator(config_of(settings, features="physics"), settings)
    estimator.fit(simulated_fold().sealed(), NO_STEPS)
    frame = sensors(simulated())
    dull = frame.assign(S5_CO2=np.nan)
    before = [estimator.predict(each, simulated_fold().test) for each in (frame, dull)]
    assert np.abs(before[0].probs - before[1].probs).max() > 0.01
    assert before[1].is_answered.all()
    estimator.save(tmp_path)
    loaded = load_estimator(tmp_path)
    assert loaded.parameters == estimator.parameters
    for each, one in zip((frame, dull), before, strict=True):
        np.testing.assert_array_equal(loaded.predict(each, simulated_fold().test).probs, one.probs)


def test_by_the_hour_the_same_readings_are_another_count() -> None:
    settings = SETTINGS.model_copy(update={"hour": True})
    estimator = BoostedTreesEstimator(config_of(settings, features="physics"), settings)
    estimator.fit(simulated_fold().sealed(), NO_STEPS)
    frame, rows = sensors(simulated()), simulated_fold().test
    later = frame.set_axis(frame.index + np.timedelta64(12, "h"))
    assert np.abs(estimator.predict(frame, rows).probs - estimator.predict(later, rows).probs).max() > 0.01


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("left", lambda values: values + 10**6, "leads to none"),
        ("feature", lambda values: values - 1, "an input that is not there"),
        ("value", lambda values: values * np.nan, "not finite"),
        ("labels", lambda values: values + 10, "not among the counts"),
        ("roots", lambda values: values[:, :1], "no tree for each"),
        ("threshold", lambda values: values[1:], "do not belong together"),
        ("value", lambda values: values.astype(np.float32), "expected the arrays"),
    ],
)
def test_altered_trees_are_refused(tmp_path: Path, name: str, change: Any, said: str) -> None:
    inputs, counts = told(4)
    path = tmp_path / TREES
    Trees.grow(inputs, counts, SETTINGS, 0).save(path)
    with np.load(path) as file:
        arrays = {**file, name: change(file[name])}
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=said):
        Trees.load(path, 5, 8)
