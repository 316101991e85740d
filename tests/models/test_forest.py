from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from skops.io import dump

from occupancy.arrays import Rows
from occupancy.config import Config, Data, RandomForest, Room, Simulation
from occupancy.data.folds import Fold, cut, load_scheme
from occupancy.data.schema import UCI
from occupancy.data.source import open_log
from occupancy.data.times import stretches
from occupancy.errors import InputError
from occupancy.features.sensors import Features
from occupancy.models.estimator import NO_STEPS, SETTINGS
from occupancy.models.forest import FOREST, REDUCED, ForestEstimator
from occupancy.models.holes import reductions
from occupancy.prediction import Prediction

Head = Literal["regression", "classification"]
HEADS: list[Head] = ["regression", "classification"]


@cache
def fold_of() -> Fold:
    """Return a fold of one simulated day to learn from and one to test; nobody may write into it."""
    data = Data(source="simulated", simulation=Simulation(days=5, room=Room(step_s=60.0)))
    return cut(open_log(data)[0], load_scheme("simulated"))[0]


def fit(model: RandomForest, fold: Fold | None = None, **changes: Any) -> ForestEstimator:
    estimator = ForestEstimator(Config(name="forest", model=model, **changes), model)
    estimator.fit(fold or fold_of().sealed(), NO_STEPS)
    return estimator


@cache
def fitted(head: Head, trees: int = 7, seed: int = 0) -> ForestEstimator:
    return fit(RandomForest(head=head, trees=trees), seed=seed)


def predicted(estimator: ForestEstimator) -> Prediction:
    return estimator.predict(fold_of().log.frame.drop(columns=UCI.count), fold_of().test)


def inputs(fitting: Rows, seen: Rows, rows: Rows) -> Any:
    """Return the scaled inputs of some rows, from the features alone."""
    log = fold_of().log
    features = Features.fit(log, fitting, "no_light")
    return features.transform(log.frame, stretches(log.times, seen, log.max_gap))[rows]


def forest_of(settings: RandomForest) -> RandomForestClassifier | RandomForestRegressor:
    kind = RandomForestRegressor if settings.head == "regression" else RandomForestClassifier
    seed = np.random.SeedSequence(0).generate_state(1)[0]
    return kind(
        n_estimators=settings.trees,
        max_depth=settings.max_depth,
        min_samples_leaf=settings.min_samples_leaf,
        random_state=int(seed),
    )


@pytest.mark.parametrize("changes", [{}, {"max_depth": 3}, {"min_samples_leaf": 40}], ids=str)
@pytest.mark.parametrize("head", HEADS)
def test_the_forest_is_scikit_learns_own(head: Head, changes: dict[str, int]) -> None:
    fold = fold_of()
    settings = RandomForest(head=head, trees=7, **changes)  # type: ignore[arg-type]
    learned = fold.train | fold.validation
    own = forest_of(settings).fit(inputs(learned, learned, learned), fold.counts(learned))
    prediction = predicted(fit(settings))
    x = inputs(learned, np.ones(len(learned), bool), fold.test)
    if head == "regression":
        np.testing.assert_allclose(prediction.mean, own.predict(x))
    else:
        np.testing.assert_allclose(prediction.probs, own.predict_proba(x))
        np.testing.assert_array_equal(prediction.label, own.predict(x))


@pytest.mark.parametrize("head", HEADS)
def test_every_tree_is_a_sample(head: Head) -> None:
    prediction = predicted(fitted(head))
    assert prediction.samples is not None
    assert prediction.samples.shape == (7, len(prediction), *([4] if head == "classification" else []))
    assert prediction.epistemic.max() > 0.1


def test_the_residual_variance_is_the_error_on_validation_rows_of_a_forest_without_them() -> None:
    fold = fold_of()
    learned = fold.train | fold.validation
    own = forest_of(RandomForest(head="regression", trees=7))
    own.fit(inputs(fold.train, fold.train, fold.train), fold.counts(fold.train))
    errors = own.predict(inputs(fold.train, learned, fold.validation)) - fold.counts(fold.validation)
    estimator = fitted("regression")
    assert estimator.residual_var == pytest.approx(np.mean(errors**2))
    prediction = predicted(estimator)
    assert prediction.samples is not None
    np.testing.assert_allclose(prediction.std**2, prediction.samples.var(axis=0) + estimator.residual_var)


def test_a_classification_needs_no_residual_variance() -> None:
    assert fitted("classification").residual_var == 0


def test_a_label_that_was_never_learned_has_probability_zero() -> None:
    fold = fold_of()
    frame = fold.log.frame.copy()
    frame.loc[frame[UCI.count] == 1, UCI.count] = 2
    without = dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=frame))
    prediction = predicted(fit(RandomForest(trees=5), without, data=Data(max_count=5)))
    assert prediction.probs.shape[1] == 6
    assert (prediction.probs[:, [1, 4, 5]] == 0).all()
    assert (prediction.probs[:, [0, 2, 3]].max(axis=0) > 0.5).all()


@pytest.mark.parametrize("head", HEADS)
def test_the_same_seed_grows_the_same_forest_and_another_seed_another(head: Head) -> None:
    first, again, other = fitted(head), fit(RandomForest(head=head, trees=7)), fitted(head, seed=2**40)
    np.testing.assert_array_equal(predicted(again).mean, predicted(first).mean)
    assert not np.array_equal(predicted(other).mean, predicted(first).mean)


def test_features_are_those_that_the_experiment_chose() -> None:
    names = fit(RandomForest(trees=2), features=["sound"]).features.names
    assert names == ("S1_Sound", "S2_Sound", "S3_Sound", "S4_Sound")
    assert fitted("classification").history_s == 762.5  # of the slope of CO2
    assert fit(RandomForest(trees=2), features=["sound"]).history_s == 0


def test_parameters_are_the_nodes_of_all_trees() -> None:
    stumps = fit(RandomForest(trees=3, max_depth=1))
    assert stumps.parameters == 3 * 3


class Stranger(BaseEstimator):  # type: ignore[misc]
    pass


def test_a_file_with_anything_but_a_forest_is_refused(tmp_path: Path) -> None:
    estimator = fitted("classification")
    estimator.save(tmp_path)
    reduced = {REDUCED.format(lacking) for lacking in reductions(estimator.features.kinds)}
    assert {path.name for path in tmp_path.iterdir()} == {SETTINGS, FOREST, *reduced}
    dump([estimator.forest, Stranger()], tmp_path / FOREST)
    loaded = ForestEstimator(estimator.config, estimator.settings)
    with pytest.raises(InputError, match=r"got objects of .*Stranger, expected only those of a random forest"):
        loaded.load(tmp_path)
