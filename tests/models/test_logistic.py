from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from occupancy.arrays import Floats
from occupancy.config import Logistic
from occupancy.data.folds import Fold
from occupancy.data.schema import UCI
from occupancy.data.times import stretches
from occupancy.errors import InputError
from occupancy.features.inputs import fit_inputs
from occupancy.models import load_estimator
from occupancy.models.estimator import NO_STEPS
from occupancy.models.logistic import LogisticEstimator
from tests.models.made_visits import DATA, config_of, everything, garbled, sensors, simulated, simulated_fold


def fit(fold: Fold | None = None, settings: Logistic | None = None, **changes: Any) -> LogisticEstimator:
    settings = settings or Logistic()
    estimator = LogisticEstimator(config_of(settings, **changes), settings)
    estimator.fit((fold or simulated_fold()).sealed(), NO_STEPS)
    return estimator


def relabelled(labels: dict[int, int], fold: Fold | None = None) -> Fold:
    """Return the fold with some labels replaced by others."""
    fold = fold or simulated_fold()
    frame = fold.log.frame.assign(**{UCI.count: fold.log.frame[UCI.count].replace(labels)})
    return dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=frame))


def probs_of(estimator: LogisticEstimator) -> Floats:
    return estimator.predict(sensors(simulated()), simulated_fold().test).probs


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("features", ["physics", "no_light", "centred_physics"])
@pytest.mark.parametrize("labels", [{}, {2: 1, 3: 1}, {1: 3, 2: 3}], ids=str)
def test_it_is_scikit_learns_own_pipeline(features: str, balanced: bool, labels: dict[int, int]) -> None:
    fold = relabelled(labels)
    log, learned = fold.log, fold.train | fold.validation
    inputs = fit_inputs(log, learned, features)
    x = inputs.transform(log.frame, stretches(log.times, learned, log.max_gap))[learned].astype(np.float64)
    weighting = "balanced" if balanced else None
    own = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight=weighting, max_iter=2000))
    own.fit(x, fold.counts(learned))
    asked = inputs.transform(log.frame, stretches(log.times, everything(log), log.max_gap))[fold.test]
    estimator = fit(fold, Logistic(inverse_penalty=0.1, balanced=balanced), features=features)
    probs = probs_of(estimator)
    np.testing.assert_allclose(probs[:, own.classes_], own.predict_proba(asked.astype(np.float64)), atol=1e-6)
    assert (np.delete(probs, own.classes_, axis=1) == 0).all()


def test_a_label_that_was_never_learned_has_probability_zero() -> None:
    probs = probs_of(fit(relabelled({1: 2}), data=DATA.model_copy(update={"max_count": 5})))
    assert probs.shape[1] == 6
    assert (probs[:, [1, 4, 5]] == 0).all()
    assert (probs[:, [0, 2, 3]].max(axis=0) > 0.5).all()


def test_where_one_label_was_learned_nothing_else_is_expected(tmp_path: Path) -> None:
    estimator = fit(relabelled({0: 2, 1: 2, 3: 2}))
    np.testing.assert_array_equal(probs_of(estimator), np.tile([0.0, 0.0, 1.0, 0.0], (simulated_fold().test.sum(), 1)))
    estimator.save(tmp_path)
    loaded = load_estimator(tmp_path)
    assert isinstance(loaded, LogisticEstimator)
    np.testing.assert_array_equal(probs_of(loaded), probs_of(estimator))


@pytest.mark.parametrize("labels", [{}, {1: 2}, {2: 1, 3: 1}], ids=str)
def test_a_saved_model_predicts_the_same_to_the_last_digit(labels: dict[int, int], tmp_path: Path) -> None:
    estimator = fit(relabelled(labels), features="physics")
    estimator.save(tmp_path)
    json.loads((tmp_path / "settings.json").read_text(), parse_constant=pytest.fail)  # JSON has no infinity
    loaded = load_estimator(tmp_path)
    one, other = (
        each.predict(sensors(simulated()), everything(simulated())).to_frame() for each in (estimator, loaded)
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert loaded.parameters == estimator.parameters
    assert loaded.history_s == estimator.history_s == 1525


def test_test_rows_change_nothing_in_what_is_learned() -> None:
    fold = simulated_fold()
    other = dataclasses.replace(fold, log=garbled(fold.log, fold.test))
    np.testing.assert_array_equal(fit(other, features="physics").weights, fit(features="physics").weights)


def test_without_a_refit_validation_rows_change_nothing_either() -> None:
    fold = simulated_fold()
    other = dataclasses.replace(fold, log=garbled(fold.log, fold.validation))
    training = config_of().train.model_copy(update={"refit": False})
    np.testing.assert_array_equal(fit(other, train=training).weights, fit(train=training).weights)
    assert not np.array_equal(fit(other).weights, fit().weights)


def test_only_inputs_that_look_ahead_make_it_not_causal() -> None:
    frame, test = sensors(simulated()), simulated_fold().test
    assert fit(features="physics").predict(frame, test).causal
    assert not fit(features="centred_physics").predict(frame, test).causal


def test_a_weight_for_each_input_and_label_was_learned() -> None:
    assert fit(features=["co2", "motion"]).parameters == 4 * (3 + 1)


def test_a_frame_at_another_step_is_refused() -> None:
    with pytest.raises(InputError, match=r"got a row every 600 s, but the model was trained on one every 300 s"):
        fit().predict(sensors(simulated())[::2], everything(simulated())[::2])
