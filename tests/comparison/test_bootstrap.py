from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.comparison import bootstrap
from occupancy.comparison.bootstrap import DRAWS, differences, resampled, stretch_totals
from occupancy.data.folds import cut, load_scheme
from occupancy.data.log import Log
from occupancy.data.times import label_runs

# Stretches of two folds: four and three rows in the first, of unequal excess; one in the second.
TRUTHS = [np.array([0, 0, 0, 0, 2, 2, 2]), np.array([1, 1])]
EXCESS = np.array([[1.0, 0.0, 2.0, 1.0, -1.0, 0.0, 0.5, 3.0, 2.0]])


def every_draw(runs: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return how often each of R stretches is drawn in each of the R**R equally likely ordered draws."""
    draws = itertools.product(range(runs), repeat=runs)
    return np.array([np.bincount(draw, minlength=runs) for draw in draws])


def test_the_test_rows_of_forward_are_19_stretches(uci_log: Log) -> None:
    folds = cut(uci_log, load_scheme("forward"))
    assert [int(label_runs(fold.counts(fold.test))[-1]) + 1 for fold in folds] == [4, 4, 5, 6]


def test_a_row_weighs_as_much_as_it_does_in_the_mean_over_folds() -> None:
    totals, weights = stretch_totals(EXCESS, TRUTHS)
    assert weights == pytest.approx([4 / 14, 3 / 14, 2 / 4])
    assert totals[0] == pytest.approx([4.0 / 14, -0.5 / 14, 5.0 / 4])


def test_equal_counts_on_both_sides_of_a_folds_edge_are_two_stretches() -> None:
    _, weights = stretch_totals(np.ones((1, 4)), [np.array([1, 1]), np.array([1, 1])])
    assert len(weights) == 2


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12), min_size=1, max_size=4), st.integers(0, 99))
def test_to_draw_every_stretch_once_gives_the_difference_of_the_fold_averages(
    folds: list[list[int]], seed: int
) -> None:
    truths = [np.array(fold) for fold in folds]
    excess = np.random.default_rng(seed).normal(size=(2, sum(map(len, folds))))
    edges = np.cumsum([0, *map(len, folds)])
    expected = [np.mean([row[a:b].mean() for a, b in itertools.pairwise(edges)]) for row in excess]
    totals, weights = stretch_totals(excess, truths)
    assert resampled(totals, weights, np.ones((1, len(weights)), dtype=np.int64))[:, 0] == pytest.approx(expected)
    assert differences(excess, truths)[0] == pytest.approx(expected)


def test_a_draw_is_the_weighted_mean_of_the_rows_that_it_holds() -> None:
    totals, weights = stretch_totals(EXCESS, TRUTHS)
    rows = [EXCESS[0, :4], EXCESS[0, 4:7], EXCESS[0, 7:]]
    row_weights = [np.full(4, 1 / 14), np.full(3, 1 / 14), np.full(2, 1 / 4)]
    counts = every_draw(3)
    assert len(counts) == 27
    for count, found in zip(counts, resampled(totals, weights, counts)[0], strict=True):
        drawn = np.repeat(np.arange(3), count)
        values = np.concatenate([rows[run] for run in drawn])
        assert found == pytest.approx(np.average(values, weights=np.concatenate([row_weights[run] for run in drawn])))


@pytest.mark.parametrize("lengths", [[4, 3, 2], [1, 5, 2, 3]])
def test_the_interval_holds_the_middle_of_all_that_could_be_drawn(lengths: list[int]) -> None:
    truths = [np.repeat(np.arange(len(lengths)), lengths)]
    excess = np.random.default_rng(3).normal(size=(1, sum(lengths)))
    totals, weights = stretch_totals(excess, truths)
    possible = resampled(totals, weights, every_draw(len(lengths)))[0]
    _, low, high = differences(excess, truths)
    ends = np.quantile(possible, [0.025, 0.975], method="inverted_cdf")
    assert (low[0], high[0]) == pytest.approx(tuple(ends))


def test_of_many_stretches_the_interval_is_that_of_a_mean() -> None:
    values = np.random.default_rng(1).normal(size=400)
    truth = np.repeat(np.arange(400) % 4, 5)  # 400 stretches of five rows
    _, low, high = differences(np.repeat(values, 5)[None], [truth])
    half = 1.96 * values.std() / np.sqrt(400)
    assert low[0] == pytest.approx(values.mean() - half, abs=0.05 * half)
    assert high[0] == pytest.approx(values.mean() + half, abs=0.05 * half)


def test_rows_of_one_stretch_count_as_one_observation() -> None:
    values = np.random.default_rng(1).normal(size=50)
    short = differences(values[None], [np.arange(50) % 2])
    long = differences(np.repeat(values, 20)[None], [np.repeat(np.arange(50) % 2, 20)])
    assert np.stack(long) == pytest.approx(np.stack(short))


def test_models_are_drawn_together_so_that_a_constant_excess_is_certain() -> None:
    excess = np.stack([np.zeros(9), np.full(9, 0.25)])
    estimate, low, high = differences(excess, TRUTHS)
    assert np.stack([estimate, low, high]) == pytest.approx(np.array([[0.0, 0.25]] * 3))


def test_a_single_stretch_gives_a_difference_but_no_interval() -> None:
    estimate, low, high = differences(np.array([[1.0, 2.0]]), [np.array([1, 1])])
    assert estimate[0] == 1.5
    assert np.isnan([low[0], high[0]]).all()


def test_ten_thousand_draws_are_made_and_the_same_again() -> None:
    counts = bootstrap._draw(7)
    assert sum(map(len, counts)) == DRAWS == 10_000
    assert all((block.sum(axis=1) == 7).all() for block in counts)
    assert np.concatenate(counts).mean(axis=0) == pytest.approx(np.ones(7), abs=0.05)
    assert not (counts[0] == counts[1]).all()
    first, again = differences(EXCESS, TRUTHS), differences(EXCESS, TRUTHS)
    assert np.array_equal(first, again)
