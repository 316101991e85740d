"""What motion and sound tell: tables, sensors without a reading, and the weight of rows that are alike."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.random import default_rng

from occupancy.models.room_model.evidence import STRAY, Emission, Fired, silence


def test_the_table_of_fewer_sensors_is_that_of_some_of_all() -> None:
    emission = Emission.of_kind("motion", 3, 2, 60.0)
    every = np.array(list(itertools.product([0, 1], repeat=3)))  # which of three sensors fire
    ways = np.array([1, 3, 3, 1])[every.sum(axis=1)]
    for count in range(2):
        joint = emission.table[count, every.sum(axis=1)] / ways  # exchangeable: all ways are alike
        first_two = every[:, :2].sum(axis=1)
        expected = np.array([joint[first_two == fired].sum() for fired in range(3)])
        found = emission.log_likelihood(Fired(np.arange(3), np.full(3, 2)))[:, count]
        np.testing.assert_allclose(found, emission.exponent * np.log((1 - STRAY) * expected + STRAY / 3), atol=1e-12)


@pytest.mark.parametrize("kind", ["motion", "sound"])
def test_rows_an_hour_or_a_day_apart_leave_the_numbers_finite(kind: str) -> None:
    for step_s in (3600.0, 86_400.0):
        emission = Emission.of_kind(kind, 2, 4, step_s)
        assert np.isfinite(emission.usual).all()
        assert np.isfinite(emission.log_likelihood(Fired(np.arange(3), np.full(3, 2)))).all()


def test_a_sound_sensor_without_any_reading_never_fires() -> None:
    readings = np.array([[0.1, np.nan], [0.3, np.nan], [0.1, np.nan]])
    quiet = silence(readings)
    assert np.isfinite(quiet).all()
    np.testing.assert_array_equal(Fired.of_sound(readings, quiet).fired, [0, 1, 0])


def test_sensors_without_a_reading_tell_nothing() -> None:
    emission = Emission.of_kind("sound", 2, 4, 30.0)
    fired = Fired.of_sound(np.array([[np.nan, np.nan], [0.2, np.nan], [0.2, 0.05]]), np.array([0.1, 0.1]))
    np.testing.assert_array_equal(fired.there, [0, 1, 2])
    np.testing.assert_array_equal(fired.fired, [0, 1, 1])
    told = emission.log_likelihood(fired)
    assert (told[0] == 0).all()
    assert told[1, 3] > told[1, 0]


@pytest.mark.parametrize("kept", [0.0, 0.6, 0.9])
def test_the_exponent_is_the_share_of_independent_rows_and_at_most_a_half(kept: float) -> None:
    rng = default_rng(0)
    rows = 40_000
    fires = np.zeros((rows, 1))
    state, renewed = 0.0, rng.random(rows) >= kept  # rows k apart are correlated by the k-th power of what is kept
    for row in range(rows):
        state = float(rng.random() < 0.4) if renewed[row] else state
        fires[row] = state
    found = Fired.of_motion(fires)
    probs = np.tile([0.0, 1.0], (rows, 1))
    learned = Emission.of_kind("motion", 1, 2, 30.0).learn(found, probs, np.zeros(rows, np.int64))
    assert learned.exponent == pytest.approx(min((1 - kept) / (1 + kept), 0.5), abs=0.05)
    assert learned.table[1, 1] == pytest.approx(0.4, abs=0.03)


def test_more_people_are_noticed_more_often_and_few_rows_change_little() -> None:
    emission = Emission.of_kind("motion", 2, 4, 30.0)
    assert (np.diff(emission.table[:, 0]) < 0).all()
    np.testing.assert_allclose(emission.table.sum(axis=1), 1.0)
    learned = emission.learn(Fired.of_motion(np.ones((3, 2))), np.tile([1.0, 0, 0, 0], (3, 1)), np.arange(3))
    assert np.abs(learned.table - emission.table).max() < 0.1


def test_silence_is_a_low_quantile_and_never_zero() -> None:
    readings = np.column_stack([np.linspace(0, 1, 101), np.zeros(101)])
    readings[3] = np.nan
    quiet = silence(readings)
    assert quiet[0] == pytest.approx(0.06, abs=0.02)
    assert quiet[1] > 0
