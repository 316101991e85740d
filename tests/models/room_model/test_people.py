"""The chain of the count: its matrices, and what it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng

from occupancy.features.learned import Learned
from occupancy.models.room_model.people import HOUR_WEIGHT, PROFILES, Chain


@pytest.mark.parametrize("classes", [2, 4, 41])
def test_two_half_steps_are_a_whole_one_and_every_row_is_a_distribution(classes: int) -> None:
    chain = replace(Chain.usual(classes), hours=np.exp(default_rng(0).standard_normal((PROFILES, 2))))
    half, whole = chain.matrices(np.array([0.25, 0.5]), np.array([7, 7]))
    np.testing.assert_allclose(half @ half, whole, atol=1e-12)
    np.testing.assert_allclose(whole.sum(axis=1), 1.0)
    assert (whole > 0).all(), "any change is possible"


def test_after_a_long_time_the_count_is_as_when_a_recording_begins() -> None:
    chain = Chain.usual(4)
    (matrix,) = chain.matrices(np.array([1e4]), np.array([0]))
    np.testing.assert_allclose(chain.initial, 0.8 * matrix[0] + 0.2 / 4, atol=1e-9)


def test_many_changes_teach_the_rates_and_few_hardly_move_them() -> None:
    usual = Chain.usual(4)
    truth = replace(usual, rates=np.array([0.2, 3.0, 2.0, 1.0]), balance=1.5, jump=0.3)
    came, left = truth.generator
    for hours, near in ((50_000.0, 0.05), (0.01, None)):
        seconds, changes = np.zeros((PROFILES, 4)), np.zeros((PROFILES, 4, 4))
        seconds[:] = hours * 3600 / PROFILES
        changes[:] = (came + left) * hours / PROFILES
        learned = usual.learn(changes, seconds)
        if near is None:
            np.testing.assert_allclose(learned.rates, usual.rates, rtol=0.05)
            np.testing.assert_allclose(learned.hours, 1.0, atol=0.01)
        else:
            np.testing.assert_allclose(learned.rates, truth.rates, rtol=near)
            assert learned.balance == pytest.approx(truth.balance, rel=0.3)
            np.testing.assert_allclose(learned.hours, 1.0, rtol=0.1)


def test_an_hour_at_which_people_come_more_often_is_learned_when_it_was_seen_often() -> None:
    usual = Chain.usual(2)
    factors = []
    for weeks in (0.2, 40):
        seconds = np.full((PROFILES, 2), weeks * 5 * 3600.0)
        changes = np.zeros((PROFILES, 2, 2))
        changes[:, 0, 1] = changes[:, 1, 0] = weeks
        changes[9, 0, 1] = 10 * weeks
        factors.append(usual.learn(changes, seconds).hours[9, 0])
    assert 1 < factors[0] < 1 + 10 / HOUR_WEIGHT
    assert factors[1] > 5


def test_it_is_read_as_it_was_written() -> None:
    chain = replace(Chain.usual(3), hours=np.full((PROFILES, 2), 0.5))
    read = Chain.from_settings(Learned(chain.to_settings()), 3)
    hour = np.ones(1), np.zeros(1, np.int64)
    np.testing.assert_array_equal(read.matrices(*hour), chain.matrices(*hour))
