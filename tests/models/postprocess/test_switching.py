from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Floats, Ints
from occupancy.config import Calibration, Config, Decision, Decoding, RandomForest
from occupancy.models import load_estimator, make_estimator
from occupancy.models.estimator import NO_STEPS
from occupancy.models.postprocess.durations import AGE_EDGES_S
from occupancy.models.postprocess.switching import switched_labels
from occupancy.prediction import Loss, best_label
from tests.models.made_visits import config_of, everything, sensors, simulated, simulated_fold

pytestmark = pytest.mark.filterwarnings("ignore:calibration.answered_mse.*can't be promised")

EACH_LOSS = pytest.mark.parametrize("loss", get_args(Loss))
SETTINGS: list[dict[str, Any]] = [
    {},
    {"calibration": Calibration()},
    {"decoding": Decoding(), "calibration": Calibration()},
]


def drawn(rows: int, classes: int = 4) -> tuple[Floats, Floats]:
    probs = np.random.default_rng(0).dirichlet(np.full(classes, 0.7), rows)
    return probs, probs @ np.arange(classes)


def by_hand(probs: Floats, loss: Loss, cost: float, held: int | None) -> int:
    """Return the count with the smallest expected loss plus cost, from the losses of every count in every case."""
    counts = np.arange(probs.size)
    errors = counts[:, None] - counts
    losses = {"squared": np.square(errors), "absolute": np.abs(errors), "zero_one": errors != 0}[loss] @ probs
    return int(np.argmin(losses + cost * (counts != held) * (held is not None)))


def fit(**changes: Any) -> Any:
    estimator = make_estimator(config_of(RandomForest(trees=5, head="classification"), **changes))
    estimator.fit(simulated_fold().sealed(), NO_STEPS)
    return estimator


@EACH_LOSS
@pytest.mark.parametrize("cost", [0.05, 0.3, 1.0])
def test_each_row_takes_the_smallest_expected_loss_plus_cost(loss: Loss, cost: float) -> None:
    probs, mean = drawn(300)
    expected: list[int] = []
    for number, row in enumerate(probs):
        expected.append(by_hand(row, loss, cost, None if number in {0, 100} else expected[-1]))
    runs = [np.arange(100), np.arange(100, 300)]
    found = switched_labels(probs, mean, loss, cost, runs)
    assert found.tolist() == expected
    assert (np.diff(found) != 0).sum() < (np.diff(best_label(probs, mean, loss)) != 0).sum()


@EACH_LOSS
def test_without_a_cost_each_row_decides_for_itself(loss: Loss) -> None:
    probs, mean = drawn(200)
    np.testing.assert_array_equal(
        switched_labels(probs, mean, loss, 0.0, [np.arange(200)]), best_label(probs, mean, loss)
    )


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_row_asked_for_alone_has_the_count_that_it_has_among_all(settings: dict[str, Any]) -> None:
    estimator = fit(**settings, decision=Decision(switch_cost=0.5))
    whole = estimator.predict(sensors(simulated()), everything(simulated())).to_frame()
    for row in (0, 700, len(whole) - 1):
        alone = np.arange(len(whole)) == row
        table = estimator.predict(sensors(simulated()), alone).to_frame()
        pd.testing.assert_frame_equal(table, whole[alone].reset_index(drop=True), rtol=1e-9, check_dtype=False)


@pytest.mark.parametrize("settings", SETTINGS)
def test_counts_change_less_often_and_nothing_else_but_the_interval_that_holds_them(settings: dict[str, Any]) -> None:
    plain, costly = (
        fit(**settings, decision=Decision(switch_cost=cost)).predict(sensors(simulated()), everything(simulated()))
        for cost in (0.0, 0.8)
    )
    changes = [(np.diff(each.label) != 0).sum() for each in (plain, costly)]
    assert 0 < changes[1] < changes[0]
    np.testing.assert_allclose(costly.probs, plain.probs, rtol=1e-9)
    np.testing.assert_allclose(costly.mean, plain.mean, rtol=1e-9)
    assert (costly.lower <= costly.label).all()
    assert (costly.label <= costly.upper).all()
    assert (costly.lower <= plain.lower).all()
    assert (costly.upper >= plain.upper).all()


def test_the_rows_that_are_answered_are_chosen_by_the_counts_that_are_given() -> None:
    plain, costly = (
        fit(calibration=Calibration(answered_mse=0.2), decision=Decision(switch_cost=c)) for c in (0.0, 5.0)
    )
    assert costly.calibrator.temperature == plain.calibrator.temperature
    assert costly.calibrator.most_std < plain.calibrator.most_std, "counts that hardly change err more"


def test_a_model_that_holds_its_count_looks_back_as_far_as_a_decoder() -> None:
    plain, costly = (fit(features="physics", decision=Decision(switch_cost=cost)) for cost in (0.0, 0.5))
    assert costly.history_s == plain.history_s + AGE_EDGES_S[-1]


def test_it_is_saved_with_the_model(tmp_path: Any) -> None:
    estimator = fit(calibration=Calibration(), decision=Decision(switch_cost=0.5))
    estimator.save(tmp_path)
    before, after = (
        each.predict(sensors(simulated()), everything(simulated())).to_frame()
        for each in (estimator, load_estimator(tmp_path))
    )
    pd.testing.assert_frame_equal(after, before, check_exact=True)


@pytest.mark.parametrize("calibration", [None, Calibration()])
def test_no_cost_is_the_experiment_that_it_was_and_each_cost_another_one(calibration: Calibration | None) -> None:
    def key(decision: Decision | None) -> str:
        return Config(name="x", calibration=calibration, decision=decision).key

    keys = [key(Decision(switch_cost=cost)) for cost in (0.0, 0.25, 0.5)]
    assert len({*keys}) == 3
    if calibration is not None:
        assert keys[0] == key(None)


def labels(*runs: tuple[int, int]) -> Ints:
    return np.concatenate([np.full(rows, count) for count, rows in runs])


def test_a_count_between_two_others_does_not_flicker() -> None:
    mean = np.where(np.arange(40) % 2 == 0, 0.45, 0.55)
    mean[20:] += 1.0
    probs = np.stack([1 - mean / 2, np.zeros(40), mean / 2], axis=1)
    assert (np.diff(best_label(probs, mean, "squared")) != 0).sum() == 38
    np.testing.assert_array_equal(
        switched_labels(probs, mean, "squared", 0.5, [np.arange(40)]), labels((0, 20), (1, 20))
    )


def test_rows_without_evidence_keep_the_count_before_them() -> None:
    mean = np.array([1.0, 0.0, 1.0, 0.3, 0.3])
    probs = np.stack([1 - mean / 2, np.zeros(5), mean / 2], axis=1)
    known = np.array([False, True, False, True, True])
    runs = [np.arange(5), np.empty(0, np.int64)]
    assert switched_labels(probs, mean, "squared", 0.5, runs, known).tolist() == [1, 0, 0, 0, 0]
    assert switched_labels(probs, mean, "squared", 0.5, runs).tolist() == [1, 0, 1, 1, 1]
