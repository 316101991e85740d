from __future__ import annotations

import math

import numpy as np
import pytest

from occupancy.comparison.groups import Group
from tests.comparison.made_runs import Made, make_parts


@pytest.fixture
def group() -> Group:
    """Two seeds: the first wrong at two rows of the first fold, the second at one of each."""
    made = Made()
    runs = [made.add(wrong=wrong, seed=seed) for seed, wrong in enumerate([(0, 1), (0, 6)])]
    return Group("lstm", "layers=2", runs, [made.load(run) for run in runs])


def test_a_score_is_averaged_over_seeds_and_spread_with_one_degree_of_freedom_less(group: Group) -> None:
    first, second = (2 / 6 + 0) / 2, (1 / 6 + 1 / 4) / 2
    assert group.mean("mse_avg") == pytest.approx((first + second) / 2)
    assert group.spread("mse_avg") == pytest.approx(abs(first - second) / math.sqrt(2))


def test_what_no_run_has_recorded_is_not_known(group: Group) -> None:
    assert math.isnan(group.mean("latency_s_avg"))
    assert math.isnan(group.spread("latency_s_avg"))
    assert math.isnan(group.fold_mean("mse", 3))


def test_one_seed_has_no_spread(group: Group) -> None:
    alone = Group("lstm", "", group.runs[:1], group.parts[:1])
    assert math.isnan(alone.spread("mse_avg"))


def test_a_folds_score_is_averaged_over_seeds(group: Group) -> None:
    assert group.fold_mean("mse", 1) == pytest.approx((2 / 6 + 1 / 6) / 2)
    assert group.fold_mean("mse", 2) == pytest.approx((0 + 1 / 4) / 2)


def test_errors_are_squared_for_each_seed_and_then_averaged(group: Group) -> None:
    assert group.squared_errors().tolist() == [1.0, 0.5, 0, 0, 0, 0, 0.5, 0, 0, 0]
    far = [make_parts()[1]]
    far[0].label[:] = [2, 0, 0, 0]  # truth 0 0 0 3
    two = Group("lstm", "", group.runs, [far, make_parts()[1:]])
    assert two.squared_errors().tolist() == [2.0, 0.0, 0.0, 4.5]


def test_a_title_holds_all_that_tells_a_group_from_others(group: Group) -> None:
    assert group.title == "lstm, layers=2"
    made = Made()
    run = made.add(protocol="report")
    assert Group("lstm", "", [run], [made.load(run)]).title == "lstm, report"


def test_the_best_is_the_honest_group_of_the_smallest_mse() -> None:
    made = Made()
    made.add("peeked", protocol="report")
    made.add("worse", wrong=(0, 1, 2))
    made.add("better", wrong=(0,))
    comparison = made.compare()
    assert [group.name for group in comparison.groups] == ["peeked", "better", "worse"]
    assert comparison.best is comparison.groups[1]
    assert comparison.newest.name == "better"
    assert comparison.rows == 10
    assert [rows.number for rows in comparison.folds] == [1, 2]


def test_without_an_honest_group_there_is_no_best_and_no_difference() -> None:
    made = Made()
    made.add(protocol="report")
    comparison = made.compare()
    assert comparison.best is None
    assert np.isnan(comparison.groups[0].difference)
