import dataclasses
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.stats import norm

from occupancy import config, prediction
from occupancy.arrays import Floats
from occupancy.errors import InputError
from occupancy.prediction import (
    COLUMNS,
    Prediction,
    central_interval,
    class_shares,
    from_people,
    from_probabilities,
    join,
)

MAX_COUNT = 3


def times(rows: int) -> pd.DatetimeIndex:
    return pd.date_range("2017-12-22", periods=rows, freq="30s")


def random_probs(rows: int, classes: int, seed: int) -> Floats:
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), size=rows)


def test_a_prediction_is_as_long_as_its_times() -> None:
    assert len(from_people(times(7), np.zeros((2, 7)), 0.1, MAX_COUNT)) == 7


@pytest.mark.parametrize("mean", [-2.0, 0.0, 0.5, 1.3, 2.999, 7.0])
@pytest.mark.parametrize("std", [0.01, 0.4, 3.0])
def test_a_count_gets_the_normal_mass_between_half_integers_and_the_outermost_ones_the_tails(
    mean: float, std: float
) -> None:
    prediction = from_people(times(1), np.array([[mean]]), std**2, MAX_COUNT)
    rest = norm(mean, std)
    expected = [rest.cdf(0.5), rest.cdf(1.5) - rest.cdf(0.5), rest.cdf(2.5) - rest.cdf(1.5), rest.sf(2.5)]
    np.testing.assert_allclose(prediction.probs[0], expected, atol=1e-12)


@settings(deadline=None)
@given(
    arrays(np.float64, (3, 5), elements=st.floats(-10, 10)),
    st.floats(0, 5),
    st.integers(0, 6),
)
def test_a_regressors_probabilities_are_a_distribution(samples: Floats, residual_var: float, max_count: int) -> None:
    probs = from_people(times(5), samples, residual_var, max_count).probs
    assert probs.shape == (5, max_count + 1)
    assert (probs >= 0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, atol=1e-12)


def test_a_regressors_variance_is_the_spread_of_samples_plus_the_residual_variance() -> None:
    prediction = from_people(times(2), np.array([[1.0, 0.0], [3.0, 0.0]]), 0.25, MAX_COUNT)
    np.testing.assert_allclose(prediction.mean, [2.0, 0.0])
    np.testing.assert_allclose(prediction.std, [np.sqrt(1.25), 0.5])


def test_equal_samples_without_a_residual_are_certain() -> None:
    prediction = from_people(times(2), np.array([[2.0, 0.75]] * 4), 0.0, MAX_COUNT)
    np.testing.assert_array_equal(prediction.std, 0.0)
    np.testing.assert_array_equal(prediction.probs, [[0, 0, 1, 0], [0, 1, 0, 0]])
    np.testing.assert_array_equal(prediction.lower, [2, 1])
    np.testing.assert_array_equal(prediction.upper, [2, 1])


def test_a_regressors_label_is_the_rounded_mean_clipped_to_the_counts() -> None:
    prediction = from_people(times(5), np.array([[-1.2, 0.4, 0.6, 2.7, 9.0]]), 0.1, MAX_COUNT)
    np.testing.assert_array_equal(prediction.label, [0, 0, 1, 3, 3])
    assert prediction.label.dtype == np.int64


def test_a_classifiers_moments_and_label_are_those_of_its_mean_probabilities() -> None:
    samples = np.array([[[0.5, 0.5, 0.0, 0.0]], [[0.1, 0.1, 0.0, 0.8]]])
    prediction = from_probabilities(times(1), samples)
    np.testing.assert_allclose(prediction.probs, [[0.3, 0.3, 0.0, 0.4]])
    np.testing.assert_array_equal(prediction.label, [3])
    np.testing.assert_allclose(prediction.mean, [0.3 * 1 + 0.4 * 3])
    np.testing.assert_allclose(prediction.std, [np.sqrt(0.3 * 1 + 0.4 * 9 - 1.5**2)])
    assert prediction.samples is samples


@settings(deadline=None)
@given(st.integers(1, 8), st.floats(0, 1))
def test_a_classifiers_moments_are_the_binomials_when_its_probabilities_are(trials: int, chance: float) -> None:
    binomial = np.array([1.0])
    for _ in range(trials):
        binomial = np.convolve(binomial, [1 - chance, chance])
    prediction = from_probabilities(times(1), binomial[None, None])
    np.testing.assert_allclose(prediction.mean, trials * chance, atol=1e-12)
    np.testing.assert_allclose(prediction.std, np.sqrt(trials * chance * (1 - chance)), atol=1e-7)


def test_a_sure_classifier_keeps_a_small_std_when_its_probabilities_come_in_single_precision() -> None:
    logits = np.random.default_rng(0).normal(0, 20, (500, 4)).astype(np.float32)

    def softmax(values: NDArray[np.floating]) -> Floats:
        exp = np.exp(values - values.max(axis=1, keepdims=True))
        return np.asarray(exp / exp.sum(axis=1, keepdims=True), dtype=np.float64)

    single = from_probabilities(times(500), softmax(logits)[None])
    double = from_probabilities(times(500), softmax(logits.astype(np.float64))[None])
    np.testing.assert_allclose(single.std, double.std, atol=1e-6)


def test_class_shares_counts_the_samples_that_prefer_each_label() -> None:
    samples = np.array([[[0.6, 0.4], [0.1, 0.9]], [[0.3, 0.7], [0.2, 0.8]], [[0.9, 0.1], [0.0, 1.0]]])
    np.testing.assert_allclose(class_shares(samples), [[2 / 3, 1 / 3], [0.0, 1.0]])


@settings(deadline=None)
@given(st.integers(2, 6), st.integers(0, 10_000))
def test_class_shares_agree_with_counting_one_row_at_a_time(classes: int, seed: int) -> None:
    samples = random_probs(7 * 5, classes, seed).reshape(7, 5, classes)
    shares = class_shares(samples)
    for row in range(5):
        winners = [int(sample[row].argmax()) for sample in samples]
        np.testing.assert_allclose(shares[row], [winners.count(c) / 7 for c in range(classes)])


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000), st.sampled_from([0.5, 0.8, 0.9, 0.99]))
def test_the_central_interval_is_the_smallest_that_leaves_at_most_half_the_rest_on_each_side(
    classes: int, seed: int, level: float
) -> None:
    probs = random_probs(20, classes, seed)
    tail = (1 - level) / 2
    lowers, uppers = central_interval(probs, level)
    for row, lower, upper in zip(probs, lowers, uppers, strict=True):
        # Every end that leaves no more than a tail outside; the innermost ones are the interval.
        assert lower == max(end for end in range(classes) if row[:end].sum() < tail)
        assert upper == min(end for end in range(classes) if row[end + 1 :].sum() <= tail)


@settings(deadline=None)
@given(
    arrays(np.float64, (1, 5), elements=st.floats(0, 10)).filter(lambda weights: weights.sum() > 0),
    st.floats(0.05, 0.99),
)
def test_the_central_interval_holds_its_level_and_a_whole_count(weights: Floats, level: float) -> None:
    probs = weights / weights.sum()
    lower, upper = (int(end[0]) for end in central_interval(probs, level))
    assert 0 <= lower <= upper <= 4
    assert probs[0, lower : upper + 1].sum() >= level - 1e-9


def test_the_central_interval_of_a_certain_row_is_its_count() -> None:
    lower, upper = central_interval(np.eye(3))
    np.testing.assert_array_equal(lower, [0, 1, 2])
    np.testing.assert_array_equal(upper, [0, 1, 2])


@pytest.mark.parametrize(
    ("level", "probs", "interval"),
    [(0.5, [0.05, 0.18, 0.02, 0.75], (2, 3)), (0.8, [0.5, 0.11, 0.29, 0.1], (0, 2))],
)
def test_the_central_interval_is_that_of_exact_sums_where_floating_point_falls_short_of_a_tail(
    level: float, probs: list[float], interval: tuple[int, int]
) -> None:
    lower, upper = central_interval(np.array([probs]), level)
    assert (lower[0], upper[0]) == interval


def test_tails_of_exactly_half_the_rest_stay_outside_above_and_inside_below() -> None:
    lower, upper = central_interval(np.array([[0.05, 0.9, 0.05]]))
    assert (lower[0], upper[0]) == (0, 1)


def test_the_table_has_a_column_for_each_probability_after_the_spreads() -> None:
    prediction = from_probabilities(times(2), np.array([[[0.2, 0.8], [1.0, 0.0]]]))
    frame = prediction.to_frame()
    assert list(frame.columns) == [*COLUMNS, "p0", "p1"]
    assert list(frame["time"]) == list(prediction.times)
    assert list(frame["count"]) == [1, 0]
    np.testing.assert_allclose(
        frame[["mean", "std", "lower", "upper", "p0", "p1"]],
        np.array([[0.8, 0.4, 0, 1, 0.2, 0.8], [0, 0, 0, 0, 1, 0]]),
        atol=1e-12,
    )


def test_a_prediction_is_causal_unless_it_says_otherwise() -> None:
    assert from_probabilities(times(1), np.array([[[1.0, 0.0]]])).causal
    assert from_people(times(1), np.zeros((1, 1)), 0.1, 1).causal


def test_the_spread_of_a_regressor_is_that_of_its_samples_and_the_rest() -> None:
    samples = np.random.default_rng(0).normal(1.0, 0.4, size=(20, 6))
    prediction = from_people(times(6), samples, 0.09, MAX_COUNT)
    np.testing.assert_allclose(prediction.epistemic, samples.std(axis=0))
    np.testing.assert_allclose(prediction.aleatoric, 0.3)


def test_the_spread_of_a_classifier_is_that_between_samples_and_that_within_them() -> None:
    samples = np.stack([random_probs(6, 4, seed) for seed in range(9)])
    prediction = from_probabilities(times(6), samples)
    people = samples @ np.arange(4)
    within = samples @ np.square(np.arange(4)) - people**2
    np.testing.assert_allclose(prediction.epistemic**2, people.var(axis=0), atol=1e-12)
    np.testing.assert_allclose(prediction.aleatoric**2, within.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(prediction.epistemic**2 + prediction.aleatoric**2, prediction.std**2)


def test_one_sample_leaves_nothing_to_the_model() -> None:
    sure = from_probabilities(times(2), np.eye(4)[[1, 3]][None])
    assert (sure.epistemic == 0).all()
    assert (sure.aleatoric == 0).all()
    assert (dataclasses.replace(sure, samples=None).epistemic == 0).all()


def test_parts_join_to_what_they_were_taken_from_in_every_field_but_the_samples() -> None:
    generator = np.random.default_rng(0)
    whole = from_probabilities(times(9), generator.dirichlet(np.ones(4), (5, 9)), causal=False)
    whole = dataclasses.replace(whole, answered=generator.random(9) < 0.5, delay_s=300.0)
    joined = join(whole.at(slice(first, first + 3)) for first in (0, 3, 6))
    for field in dataclasses.fields(Prediction):
        if field.name == "samples":
            assert joined.samples is None
        elif field.name == "disagreement":  # what the samples say, kept in their place
            np.testing.assert_allclose(joined.epistemic, whole.epistemic)
        else:
            np.testing.assert_array_equal(getattr(joined, field.name), getattr(whole, field.name), err_msg=field.name)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e308])
def test_a_row_that_is_not_finite_leaves_no_prediction_of_people(wrong: float) -> None:
    samples = np.ones((2, 5))
    samples[0, 2:4] = wrong
    samples[1, 2:4] = -1.0  # so that the variance of 1e308 overflows
    with pytest.raises(InputError, match=r"the model gives 2 of 5 rows no finite count, the first at .* 00:01:00;"):
        from_people(times(5), samples, 0.1, MAX_COUNT)


def test_a_row_that_is_not_finite_leaves_no_prediction_of_probabilities() -> None:
    samples = np.full((2, 4, 3), 1 / 3)
    samples[1, 3, 0] = np.nan
    with pytest.raises(InputError, match=r"the model gives 1 of 4 rows no finite count, the first at .* 00:01:30;"):
        from_probabilities(times(4), samples)


@pytest.mark.parametrize("column", ["mean", "std", "lower", "upper", "probs"])
def test_no_number_of_a_prediction_may_be_other_than_finite(column: str) -> None:
    prediction = from_people(times(3), np.ones((2, 3)), 0.1, MAX_COUNT)
    spoilt = getattr(prediction, column).copy()
    spoilt[1] = np.inf
    with pytest.raises(InputError, match="1 of 3 rows"):
        dataclasses.replace(prediction, **{column: spoilt})


def test_the_share_of_each_label_is_that_of_the_samples_that_choose_it() -> None:
    samples = np.random.default_rng(0).dirichlet(np.ones(6), size=(9, 40))
    expected = np.stack([np.eye(6)[sample.argmax(1)] for sample in samples]).mean(axis=0)
    np.testing.assert_array_equal(class_shares(samples), expected)


def test_the_losses_are_those_of_the_settings() -> None:
    assert get_args(prediction.Loss) == get_args(config.Loss)
