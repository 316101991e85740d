from __future__ import annotations

import json
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.arrays import Floats, Ints
from occupancy.config import Calibration, Decision, Loss
from occupancy.models.postprocess.calibration import MOST_TAIL, Calibrator
from occupancy.prediction import Prediction, from_people, from_probabilities

CLASSES = 4
SETTINGS = Calibration()
LOSSES = st.sampled_from(get_args(Loss))


def times(rows: int) -> pd.DatetimeIndex:
    return pd.date_range("2024-01-01", periods=rows, freq="30s", name="time")


def watched(rows: int, seed: int = 0, sharpness: float = 1.0, run: int = 1) -> tuple[Floats, Ints]:
    """Return probabilities (rows, C) that come true as they say, and counts (rows,) that last for some rows."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(CLASSES, 0.6 / sharpness), -(-rows // run)).clip(1e-4)
    probs /= probs.sum(axis=1, keepdims=True)
    counts = (probs.cumsum(axis=1) < rng.random((len(probs), 1))).sum(axis=1)
    return probs.repeat(run, axis=0)[:rows], counts.repeat(run)[:rows]


def sharpened(probs: Floats, exponent: float) -> Floats:
    powers = probs**exponent
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit(
    probs: Floats,
    counts: Ints,
    settings: Calibration = SETTINGS,
    loss: Loss = "squared",
    path: Ints | None = None,
) -> Calibrator:
    return Calibrator.fit(probs, counts, [np.arange(len(counts))], settings, Decision(loss=loss), path)


def applied(calibrator: Calibrator, probs: Floats, loss: Loss = "squared", keep_label: bool = False) -> Prediction:
    return calibrator.apply(from_probabilities(times(len(probs)), probs[None]), loss, keep_label)


def as_it_is(most_std: float = np.inf, tail: float = 0.05) -> Calibrator:
    return Calibrator(1.0, 0.0, np.full(CLASSES, 1 / CLASSES), tail, most_std)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_a_known_temperature_is_taken_back(temperature: float) -> None:
    probs, counts = watched(20_000)
    calibrator = fit(sharpened(probs, temperature), counts)
    assert calibrator.temperature == pytest.approx(temperature, rel=0.05)
    assert calibrator.prior == pytest.approx(0.0, abs=0.1)
    back = applied(calibrator, sharpened(probs, temperature)).probs
    assert np.abs(back - probs).mean() < 0.02


def test_shares_that_the_model_does_not_know_are_brought_in() -> None:
    probs, counts = watched(20_000, seed=1)
    shares = np.bincount(counts, np.array([8.0, 1.0, 1.0, 1.0])[counts], CLASSES)
    kept = np.random.default_rng(0).random(len(counts)) < np.array([1.0, 0.125, 0.125, 0.125])[counts]
    before, after = (
        np.log(each[np.arange(kept.sum()), counts[kept]]).mean()
        for each in (probs[kept], applied(fit(probs[kept], counts[kept]), probs[kept]).probs)
    )
    assert fit(probs[kept], counts[kept]).prior > 0.5
    assert after > before + 0.05
    assert shares.argmax() == 0


def test_few_label_runs_change_little_however_many_rows_they_have() -> None:
    few, counts = watched(4000, run=1000)
    many, other = watched(4000, run=4)
    temperatures = [fit(sharpened(probs, 4.0), each).temperature for probs, each in ((few, counts), (many, other))]
    assert temperatures[1] == pytest.approx(4.0, rel=0.15)
    assert temperatures[0] < temperatures[1] / 1.5


def test_pieces_cut_the_runs_that_count() -> None:
    probs, counts = watched(1000, run=1000)
    wrong = np.roll(probs, 1, axis=1)  # sure of another count
    whole = Calibrator.fit(wrong, counts, [np.arange(1000)], SETTINGS)
    cut = Calibrator.fit(wrong, counts, np.split(np.arange(1000), 50), SETTINGS)
    assert abs(np.log(cut.temperature)) > abs(np.log(whole.temperature))


@given(st.integers(0, 500), st.floats(0.3, 4.0))
def test_the_intervals_hold_nine_in_ten_of_the_rows_learned_from_and_of_the_occupied_ones(
    seed: int, exponent: float
) -> None:
    probs, counts = watched(200, seed, run=5)
    probs = sharpened(np.roll(probs, seed % 2, axis=1), exponent)  # at times wholly wrong
    prediction = applied(fit(probs, counts), probs)
    held = (prediction.lower <= counts) & (counts <= prediction.upper)
    assert held.mean() >= 0.9
    assert held[counts > 0].mean() >= 0.9


def test_intervals_hold_nine_in_ten_where_rows_are_all_alike() -> None:
    counts = np.repeat([0, 1, 2, 3], [50, 30, 12, 8])
    prediction = applied(fit(np.tile([0.5, 0.3, 0.12, 0.08], (100, 1)), counts), np.full((100, 4), 0.25))
    held = (prediction.lower <= counts) & (counts <= prediction.upper)
    assert held.mean() >= 0.9
    assert held[counts > 0].mean() >= 0.9


def test_no_interval_is_narrower_than_that_of_three_fifths_of_the_distribution() -> None:
    probs = np.tile([0.9, 0.04, 0.03, 0.03], (400, 1))
    calibrator = fit(probs, np.zeros(400, np.int64))
    assert calibrator.tail == MOST_TAIL
    assert MOST_TAIL == 0.2


@given(st.integers(0, 500), st.booleans(), LOSSES)
def test_the_interval_always_holds_the_label(seed: int, keep_label: bool, loss: Loss) -> None:
    probs, counts = watched(100, seed)
    prediction = applied(fit(probs, counts, loss=loss), probs, loss, keep_label)
    assert (prediction.lower <= prediction.label).all()
    assert (prediction.label <= prediction.upper).all()


def test_the_label_has_the_smallest_expected_loss_or_is_the_one_there_was() -> None:
    probs = np.array([[0.45, 0.0, 0.1, 0.45], [0.0, 0.6, 0.0, 0.4], [0.0, 0.0, 0.1, 0.9]])
    np.testing.assert_array_equal(applied(as_it_is(), probs, "squared").label, [2, 2, 3])
    np.testing.assert_array_equal(applied(as_it_is(), probs, "absolute").label, [2, 1, 3])
    np.testing.assert_array_equal(applied(as_it_is(), probs, "zero_one").label, [0, 1, 3])
    followed = from_people(times(3), np.array([[3.0, 0.0, 1.0]]), 0.1, 3)
    np.testing.assert_array_equal(as_it_is().apply(followed, keep_label=True).label, [3, 0, 1])


def answered_by_hand(std: Floats, errors: Floats, most: float) -> Any:
    """Return the largest set of surest rows, all that are as sure with them, whose mean error is small enough."""
    sets = [std <= bound + 1e-9 for bound in np.unique(std)]
    return max((each for each in sets if errors[each].mean() <= most), key=np.sum, default=np.zeros(len(std), bool))


@given(st.integers(0, 500), st.sampled_from([0.01, 0.05, 0.3, 5.0]), LOSSES)
def test_as_many_rows_are_answered_as_have_the_error_asked_for(seed: int, most: float, loss: Loss) -> None:
    probs, counts = watched(150, seed, run=3)
    prediction = applied(fit(probs, counts, Calibration(answered_mse=most), loss), probs, loss)
    expected = answered_by_hand(prediction.std, np.square(prediction.label - counts).astype(np.float64), most)
    np.testing.assert_array_equal(prediction.answered, expected)


def test_rows_that_are_as_sure_as_each_other_are_answered_together_or_not_at_all() -> None:
    probs, counts = np.tile([0.7, 0.1, 0.1, 0.1], (100, 1)), np.repeat([0, 3], [70, 30])
    answered = applied(fit(probs, counts), probs).answered
    assert answered is not None
    assert not answered.any()  # the first seventy are right, but not more sure than the others


def test_what_is_always_right_is_always_answered() -> None:
    probs = np.eye(CLASSES)[np.arange(200) % CLASSES] * 0.96 + 0.01
    calibrator = fit(probs, np.arange(200) % CLASSES)
    assert calibrator.most_std == np.inf
    assert applied(calibrator, np.full((5, CLASSES), 0.25)).answered.tolist() == [True] * 5  # type: ignore[union-attr]


def test_the_error_of_a_path_is_that_of_its_labels() -> None:
    probs, counts = watched(300, seed=3, sharpness=4.0)
    settings = Calibration(answered_mse=0.2)
    right = fit(probs, counts, settings, path=counts)
    wrong = fit(probs, counts, settings, path=(counts + 2) % CLASSES)
    assert right.most_std == np.inf
    assert wrong.most_std == 0.0
    assert right.temperature == wrong.temperature


def test_an_error_that_differs_from_day_to_day_is_not_promised() -> None:
    probs = np.tile([0.9, 0.1, 0.0, 0.0], (400, 1))
    counts, days = np.zeros(400, np.int64), np.split(np.arange(400), 4)
    settings = Calibration(answered_mse=0.05)
    steady, shaky = counts.copy(), counts.copy()
    steady[::25] = 1  # 4 % wrong on every day
    shaky[:16] = 1  # as many, all of them on one day
    kept = [Calibrator.fit(probs, each, days, settings).unkept(probs, each, days, settings) for each in (steady, shaky)]
    assert kept[0] is None
    assert kept[1] is not None
    assert "calibration.answered_mse: 0.05 can't be promised" in kept[1]
    assert "100% of the rows are answered, with a squared error of 0.04 ± 0.04" in kept[1]


def test_disagreement_stays_as_far_as_the_spread_goes() -> None:
    samples = np.random.default_rng(0).dirichlet(np.full(CLASSES, 0.5), (9, 50))
    before = from_probabilities(times(50), samples)
    sharper = Calibrator(3.0, 0.0, np.full(CLASSES, 0.25), 0.05, np.inf)
    after = sharper.apply(before)
    np.testing.assert_allclose(after.epistemic, np.minimum(before.epistemic, after.std))
    np.testing.assert_allclose(after.epistemic**2 + after.aleatoric**2, after.std**2)
    assert after.samples is None


def test_moments_are_those_of_the_calibrated_probabilities() -> None:
    probs, counts = watched(100, seed=5)
    prediction = applied(fit(probs, counts), probs)
    labels = np.arange(CLASSES)
    np.testing.assert_allclose(prediction.probs.sum(axis=1), 1.0)
    np.testing.assert_allclose(prediction.mean, prediction.probs @ labels)
    np.testing.assert_allclose(prediction.std**2, prediction.probs @ labels**2 - prediction.mean**2, atol=1e-9)


@pytest.mark.parametrize("most", [0.05, 50.0])
def test_a_calibrator_survives_as_text(most: float) -> None:
    probs, counts = watched(200, seed=6)
    settings = Calibration(answered_mse=most)
    calibrator = fit(probs, counts, settings)
    text = json.dumps(calibrator.to_settings(), allow_nan=False)
    again = Calibrator.from_settings(json.loads(text))
    one, other = (applied(each, probs).to_frame() for each in (calibrator, again))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_probabilities_of_0_that_come_true_make_all_others_less_sure() -> None:
    probs = np.eye(CLASSES)[np.arange(100) % CLASSES]
    counts = (np.arange(100) + (np.arange(100) % 10 == 0)) % CLASSES  # one in ten is wrong
    calibrator = fit(probs, counts)
    assert calibrator.temperature > 2.5
    assert np.isfinite(applied(calibrator, probs).to_frame().drop(columns="time").to_numpy(np.float64)).all()


@pytest.mark.parametrize(("tail", "lower", "upper"), [(0.1, 1.0, 2.0), (0.07, 0.0, 3.0)])
def test_an_interval_leaves_out_the_tail_at_each_end(tail: float, lower: float, upper: float) -> None:
    prediction = applied(as_it_is(tail=tail), np.array([[0.08, 0.42, 0.42, 0.08]]))
    assert (prediction.lower[0], prediction.upper[0]) == (lower, upper)
