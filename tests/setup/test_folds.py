"""Folds that setup plans: whole visits, cut at night, every count to train where possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Floats, Rows
from occupancy.errors import InputError
from occupancy.setup.folds import Parts, plan_folds

STEP_S = 300


def days(*visits: Sequence[tuple[float, float, int]]) -> tuple[pd.DatetimeIndex, Floats]:
    """Return times and counts of days, each with visits of start (h), end (h) and people."""
    times = pd.date_range("2024-01-01", periods=len(visits) * 86_400 // STEP_S, freq=f"{STEP_S}s")
    hours = np.asarray(times.hour + times.minute / 60)
    counts = np.zeros(len(times))
    for day, ones in enumerate(visits):
        for start, end, people in ones:
            counts[(times.day == day + 1) & (hours >= start) & (hours < end)] = people
    return times, counts


def rows(times: pd.DatetimeIndex, parts: Parts, part: str) -> Rows:
    return np.asarray(np.logical_or.reduce([(times >= start) & (times < end) for start, end in parts[part]]), bool)


def check(times: pd.DatetimeIndex, counts: Floats, folds: list[Parts]) -> None:
    """Check what all folds must hold: no visit is in two parts, tests follow each other after their training."""
    for parts in folds:
        train, validation, test = (rows(times, parts, part) for part in ("train", "validation", "test"))
        assert not (validation & ~train).any()
        assert not (train & test).any()
        assert times[train].max() < times[test].min()
        number = np.select([validation, train, test], [1, 2, 3], 0)
        edges = np.flatnonzero(np.diff(number))
        assert not (counts[edges] > 0).any() or not (counts[edges + 1] > 0).any()
        assert len(np.unique(counts[train & ~validation & ~np.isnan(counts)])) > 1
        assert (counts[test] > 0).any()


def test_a_week_is_cut_at_midnight_into_forward_folds() -> None:
    times, counts = days(*[[(9, 12, 1), (13, 17, 2)]] * 7)
    folds = plan_folds(times, counts, 750)
    check(times, counts, folds)
    assert 2 <= len(folds) <= 4
    assert all(
        moment == moment.normalize() for parts in folds for part in parts.values() for pair in part for moment in pair
    )
    assert folds[-1]["test"][0][1] == pd.Timestamp("2024-01-08")


def test_a_count_that_comes_once_early_is_trained_on_and_not_spent_on_validation() -> None:
    times, counts = days([(9, 17, 1)], [(9, 17, 5)], *[[(9, 17, 1)]] * 6)
    folds = plan_folds(times, counts, 750)
    check(times, counts, folds)
    for parts in folds:
        assert 5 in counts[rows(times, parts, "train") & ~rows(times, parts, "validation")]


def test_a_visit_across_midnight_is_not_cut() -> None:
    times, counts = days(*[[(0, 3, 1), (20, 24, 1)]] * 6)
    check(times, counts, plan_folds(times, counts, 750))


def test_one_day_is_cut_between_its_visits() -> None:
    times, counts = days([(9, 10, 1), (11, 12, 2), (14, 15, 1), (16, 17, 2)])
    folds = plan_folds(times, counts, 750)
    check(times, counts, folds)
    assert 1 <= len(folds) <= 2


def test_a_few_hours_in_which_somebody_is_always_in_are_cut_where_the_count_changes() -> None:
    times = pd.date_range("2024-01-01 09:00", periods=240, freq="1min")
    counts = np.repeat([1.0, 2.0, 1.0, 3.0, 2.0, 1.0, 2.0, 1.0], 30)
    folds = plan_folds(times, counts, 150)
    check_rows = [rows(times, parts, "test") for parts in folds]
    assert folds
    assert all(test.any() for test in check_rows)


def test_rows_without_a_count_do_not_hide_that_nobody_is_in() -> None:
    times, counts = days(*[[(9, 12, 1), (13, 17, 2)]] * 7)
    counts[np.arange(len(counts)) % 6 > 0] = np.nan
    folds = plan_folds(times, counts, 750)
    assert len(folds) == len(plan_folds(*days(*[[(9, 12, 1), (13, 17, 2)]] * 7), 750))


def test_days_are_missing_and_the_log_is_cut_all_the_same() -> None:
    times, counts = days(*[[(9, 17, 1)]] * 9)
    kept = (times.day < 3) | (times.day > 5)
    folds = plan_folds(times[kept], counts[kept], 750)
    check(times[kept], counts[kept], folds)


@pytest.mark.parametrize("counts", [np.zeros(500), np.full(500, np.nan), np.ones(500)])
def test_a_log_with_less_than_two_counts_is_refused(counts: Floats) -> None:
    times = pd.date_range("2024-01-01", periods=500, freq="1min")
    with pytest.raises(InputError, match="can't be cut into parts"):
        plan_folds(times, counts, 150)
