from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from occupancy.arrays import Floats, Ints
from occupancy.metrics import HOLD_S, aggregate, change_latencies, risk_coverage, score
from occupancy.prediction import Prediction, from_probabilities

KEYS = [
    "mse", "mse_mean", "f1_macro", "f1_macro_all", "f1_macro_present", "f1_micro", "nll", "brier", "ece", "coverage_90",
    "coverage_90_occupied", "width_90", "set_size", "aurc", "epistemic", "aleatoric", "mse_kept_80", "latency_s",
    "missed_changes", "flicker",
]  # fmt: skip
START = pd.Timestamp("2017-12-22 10:00:00")
GAP = 120.0
CLASSES = 4


def predict(
    label: Sequence[int] | Ints,
    *,
    probs: Floats | None = None,
    mean: Sequence[float] | Floats | None = None,
    std: Sequence[float] | Floats | None = None,
    lower: Sequence[float] | Floats | None = None,
    upper: Sequence[float] | Floats | None = None,
    seconds: Sequence[float] | Ints | None = None,
) -> Prediction:
    """Return a prediction every 30 s that is certain of its labels wherever nothing else is given."""
    labels = np.asarray(label, dtype=np.int64)
    elapsed = np.arange(len(labels)) * 30 if seconds is None else np.asarray(seconds)

    def given_or(values: Sequence[float] | Floats | None, default: Floats) -> Floats:
        return default if values is None else np.asarray(values, dtype=np.float64)

    certain = labels.astype(np.float64)
    return Prediction(
        times=pd.DatetimeIndex(START + pd.to_timedelta(elapsed, unit="s")),
        label=labels,
        probs=np.eye(CLASSES)[labels] if probs is None else probs,
        mean=given_or(mean, certain),
        std=given_or(std, np.zeros(len(labels))),
        lower=given_or(lower, certain),
        upper=given_or(upper, certain),
    )


def counts(*values: int) -> Ints:
    return np.array(values, dtype=np.int64)


def scored(prediction: Prediction, truth: Ints) -> dict[str, float]:
    return score([(prediction, truth)], GAP)


def random_part(rows: int, seed: int) -> tuple[Prediction, Ints]:
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(CLASSES), size=rows)
    lower = rng.integers(0, 3, rows)
    label, mean, std = probs.argmax(axis=1), rng.normal(1, 1, rows), rng.choice([0.1, 0.2, 0.3], rows)
    upper = lower + rng.integers(0, 2, rows)
    prediction = predict(label, probs=probs, mean=mean, std=std, lower=lower.astype(float), upper=upper.astype(float))
    return prediction, rng.integers(0, CLASSES, rows)


def test_a_score_has_every_key_of_the_design_and_no_other() -> None:
    assert sorted(scored(*random_part(50, 0))) == sorted(KEYS)


def test_a_perfect_prediction_has_the_best_score_in_everything() -> None:
    truth = counts(0, 0, 0, 0, 1, 2, 3, 3, 3, 3)
    assert scored(predict(truth), truth) == pytest.approx(
        dict.fromkeys(KEYS, 0.0)
        | dict.fromkeys(["f1_macro", "f1_macro_all", "f1_macro_present", "f1_micro"], 1.0)
        | {"coverage_90": 1.0, "coverage_90_occupied": 1.0, "set_size": 1.0, "flicker": 1.0},
        abs=2e-6,
    )


def test_squared_errors_are_those_of_the_label_and_of_the_unrounded_mean() -> None:
    result = scored(predict([0, 2, 3], mean=[0.5, 1.5, 2.5]), counts(0, 0, 2))
    assert result["mse"] == pytest.approx((0 + 4 + 1) / 3)
    assert result["mse_mean"] == pytest.approx((0.25 + 2.25 + 0.25) / 3)


def test_the_parts_of_the_spread_are_averaged_over_rows() -> None:
    samples = np.array([[[0.8, 0.2], [0.5, 0.5]], [[0.4, 0.6], [0.5, 0.5]]])  # (S, N, C)
    prediction = from_probabilities(pd.date_range(START, periods=2, freq="30s"), samples)
    result = scored(prediction, counts(0, 1))
    assert result["epistemic"] == pytest.approx((0.2 + 0.0) / 2)
    assert result["aleatoric"] == pytest.approx((math.sqrt((0.16 + 0.24) / 2) + 0.5) / 2)


def test_macro_f1_counts_a_label_that_is_only_predicted() -> None:
    result = scored(predict([0, 0, 2, 1]), counts(0, 0, 1, 1))
    # Label 0: 1; label 1: precision 1, recall 1/2; label 2: only predicted; label 3: absent.
    assert result["f1_macro"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert result["f1_macro_all"] == pytest.approx((1 + 2 / 3 + 0 + 0) / 4)
    assert result["f1_macro_present"] == pytest.approx((1 + 2 / 3) / 2)
    assert result["f1_micro"] == pytest.approx(3 / 4)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_macro_f1_is_scikit_learns_default_and_micro_f1_the_accuracy(pairs: list[tuple[int, int]]) -> None:
    truth, label = np.array(pairs, dtype=np.int64).T
    result = scored(predict(label), truth)
    assert result["f1_macro"] == pytest.approx(f1_score(truth, label, average="macro"))
    assert result["f1_micro"] == pytest.approx(f1_score(truth, label, average="micro"))


def test_log_loss_is_scikit_learns() -> None:
    prediction, truth = random_part(200, 1)
    assert scored(prediction, truth)["nll"] == pytest.approx(log_loss(truth, prediction.probs, labels=range(CLASSES)))


def test_log_loss_of_an_impossible_count_stays_finite() -> None:
    assert scored(predict([0]), counts(1))["nll"] == pytest.approx(-math.log(1e-12))


def test_brier_score_sums_over_classes_and_averages_over_rows() -> None:
    prediction, truth = random_part(30, 2)
    total = sum(
        (prediction.probs[row, c] - (truth[row] == c)) ** 2 for row, c in itertools.product(range(30), range(CLASSES))
    )
    assert scored(prediction, truth)["brier"] == pytest.approx(total / 30)


def test_brier_score_of_certainty_in_the_wrong_count_is_two() -> None:
    assert scored(predict([0]), counts(1))["brier"] == pytest.approx(2.0)


def slow_calibration_error(probs: Floats, truth: Ints) -> float:
    top, right = probs.max(axis=1), probs.argmax(axis=1) == truth
    error = 0.0
    for index in range(15):
        last = index == 14
        rows = (top >= index / 15) & ((top <= 1) if last else (top < (index + 1) / 15))
        if rows.any():
            error += rows.mean() * abs(right[rows].mean() - top[rows].mean())
    return error


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(0, 10_000))
def test_calibration_error_agrees_with_plain_bins(rows: int, seed: int) -> None:
    prediction, truth = random_part(rows, seed)
    assert scored(prediction, truth)["ece"] == pytest.approx(slow_calibration_error(prediction.probs, truth), abs=1e-5)


def test_calibration_error_is_that_of_torchmetrics_where_no_row_is_certain() -> None:
    prediction, truth = random_part(300, 3)
    reference = multiclass_calibration_error(torch.tensor(prediction.probs), torch.tensor(truth), CLASSES, n_bins=15)
    assert scored(prediction, truth)["ece"] == pytest.approx(float(reference), abs=1e-6)


def test_calibration_error_puts_certain_rows_in_the_last_of_fifteen_bins() -> None:
    probs = np.array([[0.95, 0.05, 0, 0], [1.0, 0, 0, 0]])
    assert scored(predict([0, 0], probs=probs), counts(0, 1))["ece"] == pytest.approx(1.95 / 2 - 1 / 2, abs=1e-5)


def test_calibration_error_takes_a_sum_just_above_one_for_a_probability() -> None:
    probs = np.array([[1.0 + 1e-15, 0, 0, 0]] * 2)
    assert scored(predict([0, 0], probs=probs), counts(0, 0))["ece"] == pytest.approx(0.0, abs=1e-5)


def test_coverage_includes_both_ends_of_the_interval() -> None:
    prediction = predict([1] * 5, lower=[1, 0, 2, 0, 0.5], upper=[2, 1, 3, 0, 0.9])
    result = scored(prediction, counts(1, 1, 1, 0, 0))
    assert result["coverage_90"] == pytest.approx(3 / 5)
    assert result["coverage_90_occupied"] == pytest.approx(2 / 3)
    assert result["width_90"] == pytest.approx((1 + 1 + 1 + 0 + 0.4) / 5)
    assert result["set_size"] == pytest.approx((2 + 2 + 2 + 1 + 0) / 5)


def test_a_set_holds_only_labels_that_exist() -> None:
    assert scored(predict([0], lower=[-1.5], upper=[9.0]), counts(0))["set_size"] == CLASSES


def test_coverage_of_occupied_rows_is_undefined_in_an_empty_room() -> None:
    result = scored(predict([0, 1]), counts(0, 0))
    assert math.isnan(result["coverage_90_occupied"])
    assert result["coverage_90"] == 0.5


def test_area_under_the_risk_coverage_curve_is_the_mean_over_all_coverages() -> None:
    # Errors 1, 0, 4 from the surest row on: risks 1, 1/2, 5/3.
    prediction = predict([2, 1, 0], std=[0.9, 0.1, 0.5])
    result = scored(prediction, counts(0, 0, 0))
    assert result["aurc"] == pytest.approx((1 + 1 / 2 + 5 / 3) / 3)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=1, max_size=6))
def test_risk_with_ties_is_the_average_over_all_orders_within_them(rows: list[tuple[int, int]]) -> None:
    curves = []
    for order in itertools.permutations(rows):
        ranked = sorted(order, key=lambda row: row[1])
        curves.append(np.cumsum([error for error, _ in ranked]) / np.arange(1, len(rows) + 1))
    errors, std = np.array(rows, dtype=np.float64).T
    np.testing.assert_allclose(risk_coverage(errors, std), np.mean(curves, axis=0), atol=1e-12)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=40).flatmap(
        lambda rows: st.tuples(st.just(rows), st.permutations(rows))
    )
)
def test_risk_does_not_depend_on_the_order_of_rows(orders: tuple[list[tuple[int, int]], list[tuple[int, int]]]) -> None:
    first, second = (risk_coverage(*np.array(rows, dtype=np.float64).T) for rows in orders)
    np.testing.assert_array_equal(first, second)


def test_stds_that_differ_by_rounding_alone_are_ties() -> None:
    np.testing.assert_allclose(risk_coverage(np.array([4.0, 0.0]), np.array([0.3, 0.1 + 0.2])), [2.0, 2.0])


@pytest.mark.parametrize(("rows", "kept"), [(1, 1), (2, 2), (4, 4), (5, 4), (6, 5), (10, 8), (11, 9), (35, 28)])
def test_the_surest_four_fifths_are_rounded_up_to_whole_rows(rows: int, kept: int) -> None:
    truth = np.random.default_rng(rows).integers(0, CLASSES, rows)
    result = scored(predict(np.zeros(rows, dtype=np.int64), std=np.arange(rows) / 10), truth)
    assert result["mse_kept_80"] == pytest.approx(np.square(truth[:kept]).mean())


def test_the_surest_four_fifths_of_equally_sure_rows_have_the_mean_error_of_all() -> None:
    result = scored(predict([0] * 5), counts(0, 0, 0, 0, 3))
    assert result["mse_kept_80"] == result["aurc"] == pytest.approx(9 / 5)


def latencies(label: Sequence[int], truth: Ints, seconds: Sequence[int] | None = None) -> list[tuple[float, bool]]:
    found, answered = change_latencies(predict(label, seconds=seconds), truth, GAP)
    return list(zip(found.tolist(), answered.tolist(), strict=True))


def test_a_change_is_answered_by_the_first_label_that_holds() -> None:
    truth = counts(0, 0, *[1] * 10)
    label = [0, 0, 0, 1, 0, 0, 1, 1, 1, 1, 1, 1]
    assert latencies(label, truth) == [(4 * 30, True)]


@pytest.mark.parametrize(("wrong_after_s", "latency"), [(150, 180.0), (180, 0.0)])
def test_a_label_holds_when_it_is_right_up_to_and_at_150_seconds(wrong_after_s: int, latency: float) -> None:
    truth = counts(0, *[1] * 12)
    label = [0, *[1] * 12]
    label[1 + wrong_after_s // 30] = 0
    assert latencies(label, truth) == [(latency, True)]


def test_a_label_that_is_right_only_at_the_end_of_a_run_answers_it_there() -> None:
    assert latencies([0, 0, 0, 1, 0], counts(0, 1, 1, 1, 0)) == [(60, True), (0, True)]


def test_a_change_that_is_never_answered_takes_the_length_of_its_run() -> None:
    assert latencies([0] * 6, counts(0, 1, 1, 1, 0, 0)) == [(90, False), (0, True)]


def test_an_unanswered_change_in_the_last_run_takes_one_step_more_than_its_rows_span() -> None:
    assert latencies([0] * 4, counts(0, 1, 1, 1)) == [(90, False)]


def test_a_run_ends_one_median_step_after_the_last_row_before_a_gap() -> None:
    seconds = [0, 30, 60, 90, 1000, 1030]
    assert latencies([0] * 6, counts(0, 1, 1, 1, 1, 1), seconds) == [(90, False)]


def test_a_label_that_is_right_up_to_a_gap_holds() -> None:
    seconds = [0, 30, 60, 90, 190, 311]
    assert latencies([0, 0, 1, 1, 1, 0], counts(0, 1, 1, 1, 1, 1), seconds) == [(30, True)]


@pytest.mark.parametrize(("step", "changes"), [(120, 1), (121, 0)])
def test_a_count_that_differs_across_a_gap_is_no_change(step: int, changes: int) -> None:
    assert len(latencies([0, 1], counts(0, 1), [0, step])) == changes


def test_the_first_row_of_a_part_is_no_change_and_parts_do_not_join() -> None:
    empty, full = (predict([0, 0]), counts(0, 0)), (predict([0, 0], seconds=[60, 90]), counts(1, 1))
    result = score([empty, full], GAP)
    assert math.isnan(result["latency_s"])
    assert result["missed_changes"] == 0


def test_a_late_answer_counts_its_delay_and_a_change_that_was_never_answered_its_runs_length_alone() -> None:
    answered, missed = predict([0, 1, 1, 1]), predict([0] * 11)
    truths = counts(0, 1, 1, 1), counts(0, *[1] * 10)
    parts = [
        (dataclasses.replace(prediction, delay_s=delay_s), truth)
        for prediction, truth, delay_s in zip((answered, missed), truths, (120.0, 300.0), strict=True)
    ]
    assert [score([part], GAP)["latency_s"] for part in parts] == [120, 300]
    assert score(parts, GAP)["latency_s"] == 210


def test_latency_is_the_median_over_the_changes_of_all_parts() -> None:
    quick = predict([0, 1, 0]), counts(0, 1, 0)
    slow = predict([0, 0, 0, 1]), counts(0, 1, 1, 1)
    missed = predict([0] * 11), counts(0, *[1] * 10)
    result = score([quick, slow, missed], GAP)
    assert result["latency_s"] == np.median([0, 0, 60, 300])
    assert result["missed_changes"] == 1


def test_flicker_is_the_changes_of_the_labels_over_those_of_the_truth_within_recordings() -> None:
    restless = predict([0, 1, 0, 1, 1]), counts(0, 0, 0, 1, 1)
    still = predict([1, 1, 1, 1]), counts(0, 1, 0, 0)
    assert score([restless], GAP)["flicker"] == 3
    assert score([still], GAP)["flicker"] == 0
    assert score([restless, still], GAP)["flicker"] == 1, "the changes of all parts, not the mean of the ratios"
    apart = predict([0, 1, 1, 0], seconds=[0, 1000, 1030, 1060]), counts(0, 1, 1, 0)
    assert score([apart], GAP)["flicker"] == 1, "a change over a gap is none"
    assert math.isnan(score([(predict([0, 1]), counts(0, 0))], GAP)["flicker"])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_latency_does_not_depend_on_the_unit_in_which_times_are_kept(unit: str) -> None:
    prediction = predict([0, 0, 1, 1])
    index = pd.DatetimeIndex(prediction.times.to_numpy().astype(f"datetime64[{unit}]"))
    found, _ = change_latencies(Prediction(**{**vars(prediction), "times": index}), counts(0, 1, 1, 1), GAP)
    assert found.tolist() == [30.0]


def slow_latencies(label: Ints, truth: Ints, seconds: Ints) -> list[tuple[float, bool]]:
    rows, found = len(truth), []
    for change in range(1, rows):
        if truth[change] == truth[change - 1] or seconds[change] - seconds[change - 1] > GAP:
            continue
        stop = change + 1
        while stop < rows and truth[stop] == truth[change] and seconds[stop] - seconds[stop - 1] <= GAP:
            stop += 1
        for row in range(change, stop):
            ahead = [r for r in range(row, stop) if seconds[r] <= seconds[row] + HOLD_S]
            if all(label[r] == truth[r] for r in ahead):
                found.append((float(seconds[row] - seconds[change]), True))
                break
        else:
            joined = stop < rows and seconds[stop] - seconds[stop - 1] <= GAP
            end = seconds[stop] if joined else seconds[stop - 1] + np.median(np.diff(seconds))
            found.append((float(end - seconds[change]), False))
    return found


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from([10, 30, 30, 60, 120, 121, 500])),
        min_size=1,
        max_size=40,
    )
)
def test_latencies_agree_with_a_plain_loop(rows: list[tuple[int, int, int]]) -> None:
    label, truth, steps = np.array(rows, dtype=np.int64).T
    seconds = np.cumsum(steps)
    assert latencies(label.tolist(), truth, seconds.tolist()) == slow_latencies(label, truth, seconds)


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_latencies_of_long_runs_agree_with_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.repeat(rng.integers(0, CLASSES, 12), rng.integers(1, 25, 12))
    label = np.where(rng.random(len(truth)) < 0.15, 0, np.roll(truth, 2))
    seconds = np.cumsum(rng.choice([30, 31, 200], len(truth), p=[0.9, 0.08, 0.02]))
    assert latencies(label.tolist(), truth, seconds.tolist()) == slow_latencies(label, truth, seconds)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.integers(0, 10_000))
def test_a_pooled_score_weighs_rows_not_parts(sizes: list[int], seed: int) -> None:
    parts = [random_part(rows, seed + index) for index, rows in enumerate(sizes)]
    pooled = score(parts, GAP)
    for key in ("mse", "mse_mean", "f1_micro", "nll", "brier", "coverage_90", "width_90", "set_size"):
        each = [scored(prediction, truth)[key] for prediction, truth in parts]
        assert pooled[key] == pytest.approx(np.average(each, weights=sizes))


def test_an_aggregate_is_the_mean_and_the_population_deviation_over_folds() -> None:
    result = aggregate([{"mse": 1.0, "ece": 0.5}, {"mse": 4.0, "ece": 0.5}])
    assert result == pytest.approx({"mse_avg": 2.5, "mse_std": 1.5, "ece_avg": 0.5, "ece_std": 0.0})


def test_an_aggregate_leaves_out_folds_where_a_metric_is_undefined() -> None:
    result = aggregate([{"latency_s": np.nan}, {"latency_s": 30.0}, {"latency_s": 90.0}])
    assert result == {"latency_s_avg": 60.0, "latency_s_std": 30.0}


def test_an_aggregate_of_a_metric_that_no_fold_defines_is_undefined() -> None:
    result = aggregate([{"latency_s": np.nan}] * 2)
    assert list(result) == ["latency_s_avg", "latency_s_std"]
    assert all(math.isnan(value) for value in result.values())


def test_folds_with_different_metrics_are_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        aggregate([{"mse": 1.0}, {"mse": 1.0, "ece": 0.0}])


def test_truth_of_another_length_than_the_prediction_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        scored(predict([0, 1]), counts(0))


@pytest.mark.parametrize("parts", [[], [(predict([]), counts())]])
def test_a_score_of_no_rows_is_our_own_mistake(parts: list[tuple[Prediction, Ints]]) -> None:
    with pytest.raises(AssertionError, match="no rows"):
        score(parts, GAP)


def test_a_row_without_a_count_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="without a count"):
        scored(predict([0]), counts(-1))


def test_rows_out_of_order_are_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        scored(predict([0, 0], seconds=[30, 0]), counts(0, 0))


def test_a_part_of_one_row_or_none_adds_no_change() -> None:
    result = score([(predict([]), counts()), (predict([1]), counts(0))], GAP)
    assert result["mse"] == 1.0
    assert result["missed_changes"] == 0
