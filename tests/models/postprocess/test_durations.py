from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gmean

from occupancy.arrays import Floats, Ints
from occupancy.models.postprocess.durations import (
    AGE_EDGES_S,
    AGE_EVENTS,
    LABEL_EVENTS,
    MOST_STATES,
    USUAL_S,
    Durations,
    age_edges,
    learn_durations,
    observe,
)

EDGES_S = np.array([0.0, 120.0, 600.0])


def rows_every(step_s: float, *runs: tuple[int, int]) -> tuple[Ints, pd.DatetimeIndex]:
    """Return the counts and times of runs, each a count and how many rows it has."""
    counts = np.concatenate([np.full(rows, count, np.int64) for count, rows in runs])
    return counts, pd.date_range("2024-01-01", periods=len(counts), freq=pd.Timedelta(step_s, "s"))


def all_of(counts: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(len(counts), bool)


def test_runs_give_exposure_from_their_first_row_to_halfway_past_their_last_and_an_event_where_they_end() -> None:
    counts, times = rows_every(30, (0, 10), (1, 3), (2, 20), (1, 5))
    seen = observe(counts, times, all_of(counts), 60.0, 3, EDGES_S)
    # 1 until 75..105 s and then, broken off, from 15 to 135 s; 2 until 585..615 s; of 0 the age is not known.
    np.testing.assert_allclose(seen.exposure_s, [[0, 0, 0], [75 + 105, 15, 0], [105, 480, 0]])
    np.testing.assert_array_equal(seen.events, [[0, 0, 0], [1, 0, 0], [0, 0.5, 0.5]])
    np.testing.assert_array_equal(seen.moves, [[0, 1, 0], [0, 0, 1], [0, 1, 0]])


def test_a_run_that_opens_a_stretch_counts_from_when_it_is_certainly_in_the_last_bin() -> None:
    counts, times = rows_every(30, (0, 40), (1, 1))
    seen = observe(counts, times, all_of(counts), 60.0, 2, EDGES_S)
    np.testing.assert_allclose(seen.exposure_s, np.array([[0, 0, 39.5 * 30 - 600], [0, 0, 0]]))
    np.testing.assert_array_equal(seen.events, [[0, 0, 1], [0, 0, 0]])


def test_a_gap_and_rows_that_may_not_be_read_end_runs_without_an_event() -> None:
    counts, times = rows_every(30, (0, 2), (1, 4), (1, 4), (0, 3), (1, 3))
    gap = times + pd.to_timedelta(np.where(np.arange(len(times)) < 6, 0, 600), "s")
    rows = all_of(counts)
    rows[11:] = False
    counts[12:] = 99  # not to be read
    seen = observe(counts, gap, rows, 60.0, 2, EDGES_S)
    np.testing.assert_array_equal(seen.moves, [[0, 1], [1, 0]])
    np.testing.assert_array_equal(seen.events, np.zeros((2, 3)))
    np.testing.assert_allclose(seen.exposure_s, [[0, 0, 0], [90, 0, 0]])


def test_hazards_are_the_means_of_gamma_posteriors_from_level_to_level() -> None:
    counts, times = rows_every(30, (0, 1), (1, 10), (0, 20), (1, 5), (0, 4))
    learned = learn_durations(counts, times, all_of(counts), 60.0, 3, [0.0])
    # In the one bin there is, the first run too is certainly from its first row on; the last is broken off.
    events, exposure_s = np.array([2.0, 2.0, 0.0]), np.array([15.0 + 585 + 90, 285 + 135, 0.0])
    overall = gmean((events + 1) / (exposure_s + USUAL_S))
    by_age = gmean((events + AGE_EVENTS) / (exposure_s + AGE_EVENTS / overall))
    expected = (events + LABEL_EVENTS) / (exposure_s + LABEL_EVENTS / by_age)
    np.testing.assert_allclose(learned.hazards[:, 0], expected)
    assert learned.hazards[2, 0] == pytest.approx(by_age)


def test_without_a_single_row_all_ages_have_the_usual_hazard_and_moves_halve_with_each_person() -> None:
    counts, times = rows_every(30, (0, 3))
    learned = learn_durations(counts, times, ~all_of(counts), 60.0, 4)
    np.testing.assert_allclose(learned.hazards, np.full((4, len(AGE_EDGES_S)), 1 / USUAL_S))
    np.testing.assert_allclose(learned.destinations[0], np.array([0, 4, 2, 1]) / 7)
    np.testing.assert_allclose(learned.destinations[1], np.array([2, 0, 2, 1]) / 5)


def test_moves_of_one_label_teach_the_sizes_of_the_moves_of_all() -> None:
    counts, times = rows_every(30, *[(0, 4), (2, 4)] * 50)
    learned = learn_durations(counts, times, all_of(counts), 60.0, 5)
    # 99 moves by two: 50 times from 0, which leads to one such label, 49 from 2, which leads to two.
    by_one, by_two = 0.5 / (50 + 2 * 49 + 1), (99 + 0.25) / (50 + 2 * 49 + 1)
    by_three = 0.125 / (50 + 1)
    np.testing.assert_allclose(
        learned.destinations[1], np.array([by_one, 0, by_one, by_two, by_three]) / (2 * by_one + by_two + by_three)
    )
    assert learned.destinations[0, 2] > 0.95


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40), st.booleans()), min_size=1, max_size=12))
def test_nothing_learned_is_ever_impossible_or_certain(runs: list[tuple[int, int, bool]]) -> None:
    counts, times = rows_every(60, *[(count, rows) for count, rows, _ in runs])
    readable = np.concatenate([np.full(rows, read) for _, rows, read in runs])
    learned = learn_durations(counts, times, readable, 120.0, 4)
    assert (learned.hazards > 0).all()
    assert np.isfinite(learned.hazards).all()
    np.testing.assert_allclose(learned.destinations.sum(1), 1.0)
    np.testing.assert_array_equal(learned.destinations == 0, np.eye(4, dtype=bool))
    for probabilities in learned.chain(60.0):
        assert (probabilities > 0).all()
        assert (probabilities < 1).all()
        np.testing.assert_allclose(probabilities.sum(-1), 1.0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), min_size=1, max_size=12))
def test_no_second_is_watched_twice(runs: list[tuple[int, int]]) -> None:
    counts, times = rows_every(30, *runs)
    seen = observe(counts, times, all_of(counts), 60.0, 4, EDGES_S)
    assert (seen.exposure_s >= 0).all()
    assert seen.exposure_s.sum() <= 30.0 * (len(counts) - 1)
    assert seen.moves.sum() == (np.diff(counts) != 0).sum()
    assert (seen.events.sum(1) <= seen.moves.sum(1)).all()


@pytest.mark.parametrize("step_s", [30, 60, 300])
def test_hazards_per_second_do_not_depend_on_the_step(step_s: int) -> None:
    true = np.array([[1 / 2000, 1 / 6000], [1 / 9000, 1 / 3000]])
    edges_s = np.array([0.0, 1800.0])
    lasts = [draw_lives(true[label], edges_s, 3000, seed=label) for label in range(2)]
    changes = np.stack(lasts, axis=1).ravel().cumsum()
    rows = np.arange(0, changes[-1], step_s)
    counts = np.searchsorted(changes, rows) % 2
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(rows, "s")
    learned = learn_durations(counts, times, all_of(counts), 2.0 * step_s, 2, edges_s)
    np.testing.assert_allclose(learned.hazards, true, rtol=0.12)


def draw_lives(hazards: Floats, edges_s: Floats, number: int, seed: int) -> Floats:
    """Return the seconds that things last which have the first hazard until the second edge, then the second."""
    spent = np.random.default_rng(seed).exponential(size=number)
    early = spent / hazards[0]
    lives: Floats = np.where(early < edges_s[1], early, edges_s[1] + (spent - hazards[0] * edges_s[1]) / hazards[1])
    return lives


def random_durations(classes: int, edges_s: Floats, seed: int) -> Durations:
    generator = np.random.default_rng(seed)
    hazards = np.exp(generator.normal(-6.5, 1.0, (classes, len(edges_s))))
    destinations = generator.uniform(0.1, 1.0, (classes, classes)) * (1 - np.eye(classes))
    return Durations(edges_s, hazards, destinations / destinations.sum(1, keepdims=True))


@pytest.mark.parametrize("step_s", [30.0, 300.0, 7200.0])
def test_with_one_bin_the_chain_is_the_two_state_process_in_closed_form(step_s: float) -> None:
    up, down = 1 / 1000, 1 / 3000
    chain = Durations(np.array([0.0]), np.array([[up], [down]]), 1 - np.eye(2)).chain(step_s)
    forgotten = 1 - np.exp(-(up + down) * step_s)
    np.testing.assert_allclose(chain.start, [0.25, 0.75])
    np.testing.assert_allclose(chain.moves, np.eye(2) + forgotten * np.array([[-0.75, 0.75], [0.25, -0.25]]))


@pytest.mark.parametrize("seed", range(3))
def test_a_coarser_step_is_that_many_fine_ones_and_the_start_is_kept(seed: int) -> None:
    durations = random_durations(3, np.array(AGE_EDGES_S), seed)
    fine, coarse = durations.chain(30.0), durations.chain(300.0)
    np.testing.assert_allclose(coarse.moves, np.linalg.matrix_power(fine.moves, 10), rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(fine.start @ fine.moves, fine.start, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(coarse.start, fine.start)


def test_in_a_short_step_a_state_is_left_at_its_rates() -> None:
    durations = random_durations(2, EDGES_S, seed=0)
    rates = (durations.chain(1e-3).moves - np.eye(6)) / 1e-3
    (young, grown, old), _ = durations.hazards
    by_hand = [
        [-young - 1 / 120, 1 / 120, 0, young, 0, 0],
        [0, -grown - 1 / 480, 1 / 480, grown, 0, 0],
        [0, 0, -old, old, 0, 0],
    ]
    np.testing.assert_allclose(rates[:3], by_hand, atol=1e-6)


def test_durations_survive_as_text() -> None:
    durations = random_durations(3, EDGES_S, seed=1)
    again = Durations.from_settings(json.loads(json.dumps(durations.to_settings())))
    for one, other in zip(vars(durations).values(), vars(again).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_many_labels_have_fewer_ages_so_that_the_chain_stays_small() -> None:
    assert [len(age_edges(classes)) for classes in (2, 4, 102, 103, 129, 171, 201, 257, 1000)] == [
        5, 5, 5, 4, 3, 2, 2, 1, 1,
    ]  # fmt: skip
    assert age_edges(4) == AGE_EDGES_S
    for classes in (2, 102, 128, 170, 256):
        edges_s = age_edges(classes)
        assert edges_s[0] == 0
        assert set(edges_s) <= set(AGE_EDGES_S)
        assert sorted(edges_s) == list(edges_s)
        assert classes * len(edges_s) <= MOST_STATES
