"""References beside a model: what they score by hand, what they learn from, and how their scores are pooled."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Ints, Rows
from occupancy.config import Config, Data, Majority, MassBalance, Train
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.schema import Column, Schema
from occupancy.execution.fold import run_fold, validate_fold
from occupancy.execution.references import MEANS, SKILLS, pool, score_references, skills
from occupancy.models.estimator import NO_STEPS

SCHEMA = Schema(
    name="tiny",
    time=["when"],
    time_format="iso",
    columns=[Column(name="warm", kind="temperature", unit="degC")],
    count="people",
)
# Mondays of a row an hour from 09:00 on: two weeks to learn from, the next one chooses, and the last one is the test.
LEARNED, CHOOSING, TESTED = [[0, 2, 2, 0], [0, 1, 2, 0]], [0, 2, 1, 1], [0, 2, 1, 0]


def fold_of(tested: list[int] = TESTED, minutes: int = 60) -> Fold:
    weeks = [*LEARNED, CHOOSING, tested]
    starts = [pd.Timestamp("2024-03-04 09:00") + pd.Timedelta(weeks=week) for week in range(4)]
    times = pd.DatetimeIndex(np.concatenate([pd.date_range(start, periods=4, freq="h") for start in starts]))
    counts = np.concatenate(weeks)
    frame = pd.DataFrame({"warm": 20.0 + counts, "people": counts}, times.rename("time"))
    log = Log("tiny", "tiny", SCHEMA, frame, frame[["warm"]].isna(), 60.0 * minutes)
    part = np.repeat([0, 0, 1, 2], 4)
    return Fold(1, log, part == 0, part == 1, part == 2)


def config_of(refit: bool = True) -> Config:
    return Config(name="tiny", data=Data(max_count=2, max_gap=3600), model=Majority(), train=Train(refit=refit))


def scored(fold: Fold, asked: Rows, truth: Ints | list[int], refit: bool = True) -> dict[str, float]:
    return score_references(config_of(refit), fold.sealed(), fold.log.frame, asked, np.array(truth))


def test_the_references_score_what_they_score_by_hand() -> None:
    fold = fold_of()
    found = scored(fold, fold.test, TESTED)
    assert list(found) == list(MEANS)
    assert found["mse_nobody"] == pytest.approx(5 / 4)
    # The twelve learned counts are five times 0, three times 1 and four times 2; their mean 11/12 is nearest to 1.
    assert found["mse_shares"] == pytest.approx((1 + 1 + 0 + 1) / 4)
    assert found["nll_shares"] == pytest.approx(-np.log(np.array([5, 4, 3, 5]) / 12).mean())
    # The prior of half an hour weighs half a row, so by the hour the means are near 0, 5/3, 5/3 and 1/3.
    assert found["mse_clock"] == pytest.approx((0 + 0 + 1 + 0) / 4)


def test_the_loss_of_the_clock_is_that_of_smoothed_shares() -> None:
    fold = fold_of()
    columns = np.array([*LEARNED, CHOOSING]).T
    everywhere = (np.bincount(columns.ravel(), minlength=3) + 0.5 / 3) / 12.5
    probs = []
    for column, truth in zip(columns, TESTED, strict=True):
        counted = np.bincount(column, minlength=3)
        hourly = (counted + 0.5 * everywhere) / 3.5
        probs.append(((counted + 0.5 * hourly) / 3.5)[truth])  # all rows are of one weekday
    assert scored(fold, fold.test, TESTED)["nll_clock"] == pytest.approx(-np.log(probs).mean())


def test_the_counts_of_test_rows_reach_no_reference() -> None:
    spoiled = fold_of([2, 0, 2, 2])
    asked = spoiled.test
    assert scored(spoiled, asked, TESTED) == scored(fold_of(), asked, TESTED)
    unsealed = score_references(config_of(), spoiled, spoiled.log.frame, asked, np.array(TESTED))
    assert unsealed == scored(fold_of(), asked, TESTED), "not even where the protocol of the report shows them"


def test_a_model_that_is_scored_on_validation_rows_has_references_that_did_not_learn_them() -> None:
    result = validate_fold(config_of(), fold_of(), NO_STEPS)
    learned = np.bincount(np.ravel(LEARNED)) / 8
    assert result.metrics["nll_shares"] == pytest.approx(-np.log(learned[CHOOSING]).mean())
    assert result.metrics["mse_nobody"] == pytest.approx(6 / 4)


def test_a_fold_has_the_scores_of_its_references_and_the_skill_over_them() -> None:
    metrics = run_fold(config_of(), fold_of(), NO_STEPS).metrics
    assert metrics["mse"] == pytest.approx((0 + 4 + 1 + 0) / 4), "the most frequent count is 0"
    assert metrics["skill_nobody"] == pytest.approx(0.0)
    assert metrics["skill_clock"] == pytest.approx(1 - 5.0)


def test_a_reference_without_error_leaves_nothing_to_be_better_at() -> None:
    fold = fold_of([0, 0, 0, 0])
    metrics = run_fold(config_of(), fold, NO_STEPS).metrics
    assert metrics["mse_nobody"] == 0
    assert math.isnan(metrics["skill_nobody"])
    assert not math.isnan(metrics["skill_clock"])


def test_a_log_whose_rows_do_not_follow_each_other_has_no_clock_and_is_trained_all_the_same() -> None:
    metrics = run_fold(config_of(), fold_of(minutes=1), NO_STEPS).metrics
    assert math.isnan(metrics["mse_clock"])
    assert math.isnan(metrics["skill_clock"])
    assert metrics["mse_shares"] == pytest.approx(3 / 4)


def test_sensors_are_not_asked_for_by_references() -> None:
    fold = fold_of()
    blank = fold.log.frame.assign(warm=np.nan)
    without = dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=blank))
    config = config_of().model_copy(update={"model": MassBalance()})
    found = score_references(config, without, blank, fold.test, np.array(TESTED))
    assert found == scored(fold, fold.test, TESTED)


def test_pooled_scores_weigh_rows_and_pooled_skill_is_that_of_the_pooled_scores() -> None:
    first, second = dict.fromkeys(MEANS, 1.0) | {"mse": 0.5}, dict.fromkeys(MEANS, 0.2) | {"mse": 0.4}
    pooled = pool(pd.DataFrame([first, second]), [30, 10])
    assert list(pooled) == [*MEANS, *SKILLS]
    assert [pooled[key] for key in MEANS] == pytest.approx([(30 * 1.0 + 10 * 0.2) / 40] * 5)
    assert pooled["skill_clock"] == pytest.approx(1 - (30 * 0.5 + 10 * 0.4) / (30 * 1.0 + 10 * 0.2))
    assert skills(first) == pytest.approx({"skill_nobody": 0.5, "skill_clock": 0.5})
