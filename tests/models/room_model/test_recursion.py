"""The recursion of the room model: against enumeration, a Kalman filter and particles; and what labels and holes do."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.random import Generator, default_rng

from occupancy.arrays import Floats, Ints
from occupancy.models.room_model.recursion import OUTLIER_PPM, OUTLIERS, Inputs, run_filter, smooth
from occupancy.room.sensed import exact_steps

PERSON, NOISE, WANDER, OFFSET, SHARE, OUTDOOR = 200.0, 9.0, 25.0, 8.0, 0.0, 410.0
RATE, MIXING = 0.8, 0.2
CONSTANTS = np.array([[PERSON, NOISE, WANDER, OFFSET, SHARE, OUTDOOR]])
SINGLE = np.ones((1, 1))
START, NEAR = (600.0, 150.0), (600.0, 20.0)


@dataclass
class Case:
    """Rows of one run with random matrices, one for each row, and evidence."""

    matrices: Floats
    evidence: Floats
    initial: Floats
    co2_ppm: Floats
    hours: Floats
    labels: Ints

    def run(
        self, start: tuple[float, float] = START, outliers: float = OUTLIERS, every: int = 1000
    ) -> tuple[float, Floats]:
        """Return the log-likelihood, and the filter's probabilities (T, C), of runs of so many rows."""
        steps = exact_steps(np.array(RATE), np.array(MIXING), self.hours)[None, :, None]
        found, probs = run_filter(CONSTANTS, steps, self.inputs(SINGLE, np.ones(1), start, every), True, outliers)
        return float(found[0]), probs[0, :, 0]

    def inputs(self, airing: Floats, initial: Floats, start: tuple[float, float] = START, every: int = 1000) -> Inputs:
        """Return what the recursion reads, with regimes that follow each other by one matrix (R, R)."""
        rows = np.arange(len(self.evidence))
        return Inputs(
            matrices=self.matrices,
            airings=np.tile(airing, (len(rows), 1, 1)),
            starts=rows % every == 0,
            pace=rows,
            place=rows,
            co2_ppm=self.co2_ppm,
            size=np.ones(len(rows)),
            evidence=self.evidence,
            labels=self.labels,
            initial=np.outer(initial, self.initial),
            start_ppm=np.array(start),
        )

    def smoothed(self) -> tuple[Floats, Floats]:
        """Return the smoother's probabilities (T, C), and the expected changes (C, C)."""
        profile = np.zeros(len(self.evidence), np.int64)
        found, changes, _ = smooth(self.run()[1][:, None], self.inputs(SINGLE, np.ones(1)), profile, 1)
        return found[:, 0], changes[0]


def made(rows: int, classes: int, seed: int = 0, stay: float = 0.0) -> Case:
    """Return a case without CO2."""
    rng = default_rng(seed)
    matrices = rng.dirichlet(np.ones(classes), (rows, classes)) * (1 - stay) + stay * np.eye(classes)
    evidence = np.log(rng.dirichlet(np.ones(classes), rows))
    nothing = np.full(rows, np.nan)
    hours = rng.uniform(0.005, 0.1, rows)
    return Case(matrices, evidence, rng.dirichlet(np.ones(classes)), nothing, hours, np.full(rows, -1))


def paths(case: Case) -> tuple[Ints, Floats]:
    """Return every path (P, T) of the count, and its probability with the evidence, (P,)."""
    rows, classes = case.evidence.shape
    every = np.array(list(itertools.product(range(classes), repeat=rows)))
    scores = np.log(case.initial[every[:, 0]]) + case.evidence[0, every[:, 0]]
    for row in range(1, rows):
        scores += np.log(case.matrices[row, every[:, row - 1], every[:, row]]) + case.evidence[row, every[:, row]]
    return every, np.asarray(np.exp(scores))


def shares(every: Ints, weights: Floats, row: int, classes: int) -> Floats:
    found = [weights[every[:, row] == count].sum() for count in range(classes)]
    return np.array(found) / float(weights.sum())


@pytest.mark.parametrize("seed", range(4))
def test_without_air_the_filter_and_the_smoother_sum_over_all_paths(seed: int) -> None:
    case = made(rows=6, classes=3, seed=seed)
    every, weights = paths(case)
    likelihood, probs = case.run()
    assert likelihood == pytest.approx(np.log(weights.sum()), abs=1e-9)
    smoothed, changes = case.smoothed()
    for row in range(6):
        begun = Case(case.matrices, case.evidence[: row + 1], case.initial, case.co2_ppm, case.hours, case.labels)
        np.testing.assert_allclose(probs[row], shares(*paths(begun), row, 3), atol=1e-9)
        np.testing.assert_allclose(smoothed[row], shares(every, weights, row, 3), atol=1e-9)
    expected = np.zeros((3, 3))
    for row in range(1, 6):
        np.add.at(expected, (every[:, row - 1], every[:, row]), weights / weights.sum())
    np.testing.assert_allclose(changes, expected, atol=1e-9)


def test_with_one_count_it_is_a_kalman_filter() -> None:
    rng = default_rng(1)
    case = made(rows=60, classes=1)
    case.co2_ppm = OUTDOOR + 200 + 20 * rng.standard_normal(60).cumsum() * 0.3
    case.evidence[:] = 0.0
    likelihood, _ = case.run(outliers=0.0)
    mean = np.array([START[0] - OUTDOOR, 0.0])
    cov, total = np.diag([START[1] ** 2, OFFSET**2]), 0.0
    reads = np.ones(2)
    for row, hours in enumerate(case.hours):
        if row:
            kept, kept_offset, _, noise_h = exact_steps(np.array(RATE), np.array(MIXING), np.array(hours))
            matrix = np.diag([kept, kept_offset])
            noise = np.diag([WANDER * noise_h, OFFSET**2 * (1 - kept_offset**2)])
            mean, cov = matrix @ mean, matrix @ cov @ matrix.T + noise
        error, var = case.co2_ppm[row] - OUTDOOR - mean.sum(), reads @ cov @ reads + NOISE
        density = np.exp(-(error**2) / var / 2) / np.sqrt(2 * np.pi * var)
        total += np.log(density)
        gain = cov @ reads / var
        mean, cov = mean + gain * error, cov - np.outer(gain, reads @ cov)
    assert likelihood == pytest.approx(total, rel=1e-9)


def simulated(rows: int, seed: int, classes: int) -> Case:
    """Return a case with CO2 drawn from the model itself, steps of a minute, and weak evidence."""
    rng = default_rng(seed)
    case = made(rows, classes, seed, stay=0.9)
    case.hours[:] = 1 / 60
    case.evidence *= 0.2
    count, excess, offset = _drawn(case.initial[None], rng)[0], 190.0, 0.0
    for row in range(rows):
        if row:
            after = int(_drawn(case.matrices[row, count][None], rng)[0])
            excess, offset = _moved(np.array([count]), np.array([after]), np.array([[excess, offset]]), rng)[0]
            count = after
        case.co2_ppm[row] = OUTDOOR + excess + offset + np.sqrt(NOISE) * rng.standard_normal()
    return case


def _drawn(probs: Floats, rng: Generator) -> Ints:
    drawn = (probs.cumsum(axis=1) < rng.random((len(probs), 1))).sum(axis=1)
    return np.asarray(np.minimum(drawn, probs.shape[1] - 1))


def _moved(before: Ints, after: Ints, air: Floats, rng: Generator) -> Floats:
    """Return excess and offset (S, 2) after a minute in which the count changed at a uniformly random moment."""
    kept, kept_offset, added_h, noise_h = exact_steps(np.array(RATE), np.array(MIXING), np.array(1 / 60))
    moment = rng.random(len(air))
    people = moment * before + (1 - moment) * after
    excess = kept * air[:, 0] + PERSON * added_h * people + np.sqrt(WANDER * noise_h) * rng.standard_normal(len(air))
    spread = OFFSET * np.sqrt(1 - kept_offset**2)
    return np.column_stack([excess, kept_offset * air[:, 1] + spread * rng.standard_normal(len(air))])


def by_particles(case: Case, number: int, rng: Generator) -> Floats:
    """Return the filter's probabilities (T, C) by a bootstrap particle filter (Gordon, Salmond and Smith 1993)."""
    classes = case.evidence.shape[1]
    count = _drawn(np.tile(case.initial, (number, 1)), rng)
    air = np.column_stack(
        [NEAR[0] - OUTDOOR + NEAR[1] * rng.standard_normal(number), OFFSET * rng.standard_normal(number)]
    )
    probs = np.zeros_like(case.evidence)
    for row, reading in enumerate(case.co2_ppm):
        if row:
            after = _drawn(case.matrices[row, count], rng)
            count, air = after, _moved(count, after, air, rng)
        error = reading - OUTDOOR - air.sum(axis=1)
        density = np.exp(-(error**2) / NOISE / 2) / np.sqrt(2 * np.pi * NOISE)
        weights = ((1 - OUTLIERS) * density + OUTLIERS / OUTLIER_PPM) * np.exp(case.evidence[row, count])
        weights /= weights.sum()
        probs[row] = np.bincount(count, weights, classes)
        kept = np.searchsorted(weights.cumsum(), (rng.random() + np.arange(number)) / number).clip(max=number - 1)
        count, air = count[kept], air[kept]
    return probs


@pytest.mark.parametrize("seed", range(3))
def test_it_is_near_the_exact_filter_by_many_particles(seed: int) -> None:
    case = simulated(rows=60, seed=seed, classes=3)
    exact = by_particles(case, 60_000, default_rng(5))
    _, probs = case.run(start=NEAR)
    assert np.abs(exact - by_particles(case, 60_000, default_rng(6))).mean() < 0.006, "the particles' own error"
    assert np.abs(probs - exact).mean() < 0.01
    assert np.abs(probs - exact).max() < 0.06


def test_a_known_count_has_probability_one_and_reaches_its_neighbours() -> None:
    case = made(rows=5, classes=3, stay=0.9)
    before = case.smoothed()[0]
    case.labels[2] = int(before[2].argmin())
    smoothed, _ = case.smoothed()
    known = case.labels[2]
    assert case.run()[1][2, known] == 1.0
    assert smoothed[2, known] == pytest.approx(1.0, abs=1e-12)
    assert smoothed[1, known] > before[1, known]
    assert smoothed[3, known] > before[3, known]


def test_a_row_without_readings_has_the_probabilities_that_are_predicted() -> None:
    case = simulated(rows=10, seed=0, classes=3)
    case.co2_ppm[6:], case.evidence[6:] = np.nan, 0.0
    _, probs = case.run()
    for row in range(6, 10):
        np.testing.assert_allclose(probs[row], probs[row - 1] @ case.matrices[row], atol=1e-12)


def test_one_bad_reading_does_not_decide() -> None:
    case = simulated(rows=40, seed=2, classes=3)
    _, before = case.run()
    case.co2_ppm[20] += 3000.0
    _, after = case.run()
    assert np.abs(after[20] - before[19] @ case.matrices[20]).max() < 0.6
    assert np.abs(after[25:] - before[25:]).max() < 0.15


def test_a_run_begins_anew() -> None:
    case = simulated(rows=12, seed=3, classes=3)
    matrices, evidence = np.tile(case.matrices, (2, 1, 1)), np.tile(case.evidence, (2, 1))
    co2_ppm, hours, labels = np.tile(case.co2_ppm, 2), np.tile(case.hours, 2), np.tile(case.labels, 2)
    twice = Case(matrices, evidence, case.initial, co2_ppm, hours, labels)
    (one, probs), (both, joined) = case.run(), twice.run(every=12)
    assert both == pytest.approx(2 * one, rel=1e-12)
    np.testing.assert_array_equal(joined[12:], probs)


def test_regimes_that_are_alike_change_nothing_and_are_smoothed_as_chains_of_their_own() -> None:
    case = simulated(rows=30, seed=4, classes=3)
    step = exact_steps(np.array(RATE), np.array(MIXING), case.hours)
    airing, initial = np.array([[0.9, 0.1], [0.3, 0.7]]), np.array([0.75, 0.25])
    inputs = case.inputs(airing, initial)
    likelihood, probs = run_filter(CONSTANTS, np.stack([step, step], axis=1)[None], inputs, True)
    one, alone = case.run()
    assert likelihood[0] == pytest.approx(one, rel=1e-9)
    np.testing.assert_allclose(probs[0].sum(axis=1), alone, atol=1e-9)
    np.testing.assert_allclose(probs[0].sum(axis=2), np.tile(initial, (30, 1)), atol=1e-9)
    smoothed, _, aired = smooth(probs[0], inputs, np.zeros(30, np.int64), 1)
    np.testing.assert_allclose(smoothed.sum(axis=1), case.smoothed()[0], atol=1e-9)
    np.testing.assert_allclose(aired / 29, initial[:, None] * airing, atol=1e-9)
