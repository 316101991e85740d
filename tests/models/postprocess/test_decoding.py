from __future__ import annotations

import itertools
import json
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from occupancy.arrays import Floats, Ints
from occupancy.models.neural import crf as chains
from occupancy.models.postprocess import decoding
from occupancy.models.postprocess.decoding import Exponents, Mode, decode, learn_exponents, posteriors
from occupancy.models.postprocess.durations import AGE_EDGES_S, Durations

STEP_S = 30.0
SHORT = [(rows, classes, ages) for rows in (1, 2, 4, 5) for classes, ages in ((2, 1), (2, 2), (3, 2))]
LAGS = [0, 1, 2, 4, 9]


def random_durations(classes: int, ages: int, seed: int, mean_s: float = 100.0) -> Durations:
    """Return durations of a few steps, so that a short chain goes everywhere."""
    generator = np.random.default_rng(seed)
    edges_s = np.cumsum(np.append(0.0, generator.uniform(20.0, 80.0, ages - 1)))
    hazards = np.exp(generator.normal(0.0, 1.0, (classes, ages))) / mean_s
    destinations = generator.uniform(0.1, 1.0, (classes, classes)) * (1 - np.eye(classes))
    return Durations(edges_s, hazards, destinations / destinations.sum(1, keepdims=True))


def random_emissions(rows: int, classes: int, seed: int, scale: float = 1.5) -> Floats:
    return scale * np.random.default_rng(1000 + seed).standard_normal((rows, classes))


def weigh_paths(durations: Durations, emissions: Floats) -> tuple[Ints, Floats]:
    """Return the labels (paths, T) of every path of labels and ages, and its share of all paths' weight."""
    ages, chain = durations.hazards.shape[1], durations.chain(STEP_S)
    paths = np.array(list(itertools.product(range(len(chain.start)), repeat=len(emissions))))
    weights: Floats = chain.start[paths[:, 0]]
    for before, after in itertools.pairwise(paths.T):
        weights = weights * chain.moves[before, after]
    labels = paths // ages
    weights = weights * np.exp(emissions[np.arange(len(emissions)), labels].sum(1))
    return labels, weights / weights.sum()


def marginals_by_hand(durations: Durations, emissions: Floats) -> Floats:
    """Return the share (T, C) of the paths' weight that each label has at each row."""
    labels, weights = weigh_paths(durations, emissions)
    return np.stack([weights @ (labels == label) for label in range(emissions.shape[1])], axis=1)


def as_chain(durations: Durations) -> chains.Chain:
    start, moves = (torch.from_numpy(np.log(probabilities)) for probabilities in durations.chain(STEP_S))
    return chains.Chain(start, moves, torch.zeros_like(start))


def of_labels(states: Tensor, classes: int) -> Floats:
    """Return the probabilities of labels (T, C) from those of labels and ages (1, T, S)."""
    labels: Floats = states[0].reshape(states.shape[1], classes, -1).sum(2).numpy()
    return labels


def assert_close(one: Floats, other: Floats) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("rows", "classes", "ages"), SHORT)
def test_the_filter_sums_over_every_path_so_far(rows: int, classes: int, ages: int) -> None:
    durations, emissions = random_durations(classes, ages, rows), random_emissions(rows, classes, ages)
    probs = decode(durations, emissions, STEP_S, "filter").probs
    assert_close(probs, np.stack([marginals_by_hand(durations, emissions[: row + 1])[-1] for row in range(rows)]))


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize(("rows", "classes", "ages"), SHORT)
def test_the_lagged_smoother_sums_over_every_path_so_far_and_a_little_on(
    rows: int, classes: int, ages: int, lag: int
) -> None:
    durations, emissions = random_durations(classes, ages, rows), random_emissions(rows, classes, ages)
    probs = decode(durations, emissions, STEP_S, "lag", lag).probs
    expected = [marginals_by_hand(durations, emissions[: row + lag + 1])[row] for row in range(rows)]
    assert_close(probs, np.stack(expected))


@pytest.mark.parametrize(("rows", "classes", "ages"), SHORT)
def test_the_smoother_sums_over_every_path(rows: int, classes: int, ages: int) -> None:
    durations, emissions = random_durations(classes, ages, rows), random_emissions(rows, classes, ages)
    assert_close(decode(durations, emissions, STEP_S, "smooth").probs, marginals_by_hand(durations, emissions))


@pytest.mark.parametrize(("rows", "classes", "ages"), SHORT)
def test_the_path_is_the_likeliest_of_all_and_comes_with_the_smoothers_probabilities(
    rows: int, classes: int, ages: int
) -> None:
    durations, emissions = random_durations(classes, ages, rows), random_emissions(rows, classes, ages)
    labels, weights = weigh_paths(durations, emissions)
    probs, path = decode(durations, emissions, STEP_S, "viterbi")
    np.testing.assert_array_equal(path, labels[weights.argmax()])
    np.testing.assert_array_equal(probs, decode(durations, emissions, STEP_S, "smooth").probs)


@pytest.mark.parametrize("mode", ["filter", "lag", "smooth"])
def test_only_viterbi_has_a_path(mode: Mode) -> None:
    assert decode(random_durations(2, 2, 0), random_emissions(4, 2, 0), STEP_S, mode).path is None


@pytest.mark.parametrize("scale", [1.0, 5.0, 300.0])
def test_long_chains_decode_as_products_of_matrices_do(scale: float) -> None:
    durations, emissions = random_durations(3, 4, 7, mean_s=600.0), random_emissions(251, 3, 7, scale)
    chain, states = as_chain(durations), torch.from_numpy(emissions.repeat(4, 1))[None]
    smooth, path = decode(durations, emissions, STEP_S, "viterbi")
    np.testing.assert_allclose(
        decode(durations, emissions, STEP_S, "filter").probs, of_labels(chains.filtered(chain, states), 3), atol=1e-9
    )
    np.testing.assert_allclose(smooth, of_labels(chains.marginals(chain, states), 3), atol=1e-9)
    np.testing.assert_array_equal(path, chains.viterbi(chain, states)[0] // 4)
    lagged = decode(durations, emissions, STEP_S, "lag", 20).probs
    for row in (0, 100, 229, 230, 231, 250):
        until = of_labels(chains.marginals(chain, states[:, : row + 21]), 3)
        np.testing.assert_allclose(lagged[row], until[row], atol=1e-9)


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 50))
def test_no_lag_is_the_filter_and_a_lag_to_the_end_the_smoother(seed: int, rows: int, more: int) -> None:
    durations, emissions = random_durations(3, 3, seed), random_emissions(rows, 3, seed)
    filtered = decode(durations, emissions, STEP_S, "filter").probs
    smooth = decode(durations, emissions, STEP_S, "smooth").probs
    assert_close(decode(durations, emissions, STEP_S, "lag", 0).probs, filtered)
    assert_close(decode(durations, emissions, STEP_S, "lag", rows - 1 + more).probs, smooth)
    assert_close(decode(durations, emissions, STEP_S, "lag", max(rows - 2, 0)).probs[1:], smooth[1:])


@given(st.integers(0, 10_000), st.integers(0, 30), st.integers(0, 8))
def test_what_comes_later_than_the_lag_changes_nothing(seed: int, row: int, lag: int) -> None:
    durations, emissions = random_durations(3, 3, seed), random_emissions(40, 3, seed)
    changed = emissions.copy()
    changed[row + lag + 1 :] += random_emissions(40, 3, seed + 1, 20.0)[row + lag + 1 :]
    looks: tuple[tuple[Mode, int], ...] = ("filter", row + lag), ("lag", row)
    for mode, until in looks:
        one, other = (decode(durations, each, STEP_S, mode, lag).probs for each in (emissions, changed))
        np.testing.assert_array_equal(one[: until + 1], other[: until + 1])
    assert not np.allclose(one[row + 1], other[row + 1], atol=1e-6)


@pytest.mark.parametrize("mode", get_args(Mode))
@given(st.integers(0, 10_000), st.floats(0.0, 1e4))
def test_probabilities_stay_finite_and_sum_to_one_for_any_evidence(mode: Mode, seed: int, scale: float) -> None:
    emissions = random_emissions(30, 3, seed, scale)
    probs = decode(random_durations(3, 3, seed), emissions, STEP_S, mode, 5).probs
    assert (probs >= 0).all()
    assert_close(probs.sum(1), np.ones(30))


def test_without_evidence_the_chain_stays_as_it_starts() -> None:
    durations = random_durations(3, 3, 0)
    start = durations.chain(STEP_S).start.reshape(3, 3).sum(1)
    probs = decode(durations, np.zeros((50, 3)), STEP_S, "filter").probs
    np.testing.assert_allclose(probs, np.tile(start, (50, 1)))


def usual_durations() -> Durations:
    """Return durations of an empty room and one visited for an hour at a time, or for less than two minutes."""
    hazards = np.array([[1 / 2000, 1 / 4000, 1 / 4000, 1 / 3000, 1 / 20_000], [1 / 600, *[1 / 4000] * 4]])
    return Durations(np.array(AGE_EDGES_S), hazards, 1 - np.eye(2))


def empty_but_for(rows: slice, sure: float, of_visit: float) -> Floats:
    """Return log-probabilities (100, 2) of an empty room, and of somebody in some rows."""
    somebody = np.full(100, 1 - sure)
    somebody[rows] = of_visit
    log_probs: Floats = np.log(np.stack([1 - somebody, somebody], axis=1))
    return log_probs


@pytest.mark.parametrize("mode", get_args(Mode))
def test_a_clear_visit_of_two_minutes_survives_and_a_weak_blip_does_not(mode: Mode) -> None:
    visit = decode(usual_durations(), empty_but_for(slice(50, 54), 0.97, 0.98), STEP_S, mode, 4)
    found = visit.probs.argmax(1) if visit.path is None else visit.path
    assert found[52:54].all()
    assert found.sum() in range(2, 6)
    blip = decode(usual_durations(), empty_but_for(slice(50, 51), 0.97, 0.8), STEP_S, mode, 4)
    found = blip.probs.argmax(1) if blip.path is None else blip.path
    assert not found.any()


def watched_room(rows: int, seed: int) -> tuple[Durations, Floats, Ints]:
    """Return durations, log-probabilities (rows, 2) that are right by themselves, and labels, every 300 s."""
    generator = np.random.default_rng(seed)
    durations = Durations(np.array([0.0]), np.array([[1 / 3000], [1 / 3000]]), 1 - np.eye(2))
    moved = generator.random(rows) < durations.chain(300.0).moves[0, 1]
    labels = np.cumsum(moved) % 2
    reading = labels + 0.8 * generator.standard_normal(rows)
    log_odds = (reading - 0.5) / 0.8**2
    log_probs: Floats = -np.logaddexp(0.0, np.stack([log_odds, -log_odds], axis=1))
    return durations, log_probs, labels


HALVES = np.array([0.5, 0.5])


def test_rows_that_are_witnesses_of_their_own_count_fully() -> None:
    durations, log_probs, labels = watched_room(4000, seed=0)
    learned = learn_exponents(durations, [(log_probs, labels)], HALVES, 300.0, "filter")
    assert learned.evidence == pytest.approx(1.0, rel=0.15)


# A filter knows the first copies alone for a while, and so asks a little more of each than its share.
@pytest.mark.parametrize(("mode", "tolerance"), [("filter", 0.4), ("smooth", 0.15)])
@pytest.mark.parametrize("times", [3, 8])
def test_evidence_that_is_repeated_counts_once(times: int, mode: Mode, tolerance: float) -> None:
    durations, log_probs, labels = watched_room(700, seed=1)
    once = learn_exponents(durations, [(log_probs, labels)], HALVES, 300.0, mode)
    repeated = (log_probs.repeat(times, 0), labels.repeat(times))
    again = learn_exponents(durations, [repeated], HALVES, 300.0 / times, mode)
    assert again.evidence == pytest.approx(once.evidence / times, rel=tolerance)


def test_no_other_exponents_decode_the_learned_pieces_better() -> None:
    durations, log_probs, labels = watched_room(1500, seed=2)
    shares = np.array([0.8, 0.2])
    pieces = [(log_probs[:600], labels[:600]), (log_probs[600:], labels[600:])]

    def score(evidence: float, prior: float) -> float:
        emissions = Exponents(evidence, prior, shares)
        probs = [decode(durations, emissions.potentials(piece), 300.0, "lag", 2).probs for piece, _ in pieces]
        true = np.concatenate(
            [each[np.arange(len(each)), known] for each, (_, known) in zip(probs, pieces, strict=True)]
        )
        runs = sum(1 + int((np.diff(known) != 0).sum()) for _, known in pieces)
        return float(runs * np.log(true).mean() - 0.5 * np.log(evidence) ** 2 - 2 * (prior / evidence - 1) ** 2)

    learned = learn_exponents(durations, pieces, shares, 300.0, "lag", 2)
    best = score(learned.evidence, learned.prior)
    for evidence, prior in np.random.default_rng(0).uniform(0.05, 2.0, (50, 2)):
        assert score(evidence, prior) < best
    for factor in (0.9, 1.1):
        assert score(learned.evidence * factor, learned.prior * factor) < best


def test_the_labels_shares_are_divided_out_of_a_model_that_learned_from_other_shares() -> None:
    durations, log_probs, labels = watched_room(4000, seed=3)
    shares = np.array([0.95, 0.05])
    biased = log_probs + np.log(shares)
    biased -= np.logaddexp(*biased.T)[:, None]
    learned = learn_exponents(durations, [(biased, labels)], shares, 300.0, "filter")
    assert learned.prior / learned.evidence == pytest.approx(1.0, abs=0.15)
    assert learned.evidence == pytest.approx(1.0, rel=0.2)


def test_few_rows_leave_the_exponents_near_the_usual() -> None:
    durations, log_probs, labels = watched_room(3, seed=4)
    learned = learn_exponents(durations, [(log_probs, labels)], HALVES, 30.0, "filter")
    assert 0.03 < learned.evidence < 0.3
    assert learned.prior == pytest.approx(learned.evidence, rel=0.2)


def test_emissions_are_powers_and_survive_as_text() -> None:
    emissions = Exponents(0.5, 2.0, np.array([0.25, 0.75]))
    probs = np.array([[0.36, 0.64]])
    expected = [[0.6 / 0.25**2, 0.8 / 0.75**2]]
    np.testing.assert_allclose(np.exp(emissions.potentials(np.log(probs))), expected)
    again = Exponents.from_settings(json.loads(json.dumps(emissions.to_settings())))
    np.testing.assert_array_equal(again.potentials(np.log(probs)), emissions.potentials(np.log(probs)))


@pytest.mark.parametrize("mode", get_args(Mode))
@pytest.mark.parametrize("rows", [1, 2, 7, 8, 40])
def test_decoding_in_blocks_is_decoding_of_the_whole(rows: int, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = random_durations(3, 2, rows).chain(STEP_S)
    emissions = np.stack([random_emissions(rows, 3, seed) for seed in range(4)], axis=1)
    for lag in (0, 3, 39, 50):
        whole = posteriors(chain, emissions, mode, lag)
        with monkeypatch.context() as patch:
            patch.setattr(decoding, "MOST_NUMBERS", 4 * 6 * 4)  # four rows
            assert_close(posteriors(chain, emissions, mode, lag), whole)


def test_exponents_tried_in_parts_are_those_tried_together(monkeypatch: pytest.MonkeyPatch) -> None:
    durations = random_durations(3, 2, 0)
    labels = np.repeat([0, 1, 2, 1], 10)
    shares = np.full(3, 1 / 3)
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(3), 40) * 0.8 + np.eye(3)[labels] * 0.2)
    together = learn_exponents(durations, [(log_probs, labels)], shares, STEP_S, "smooth")
    monkeypatch.setattr(decoding, "MOST_NUMBERS", 300)  # two of the 25 points
    parts = learn_exponents(durations, [(log_probs, labels)], shares, STEP_S, "smooth")
    assert (parts.evidence, parts.prior) == pytest.approx((together.evidence, together.prior))
