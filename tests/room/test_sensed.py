"""The exact step of the CO2 that a sensor reads, against the matrix exponential and against itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from occupancy.arrays import Floats
from occupancy.config import Room
from occupancy.room.air import State, advance
from occupancy.room.sensed import exact_steps

RATE, MIXING, PERSON, WANDER, SPREAD = 0.8, 0.25, 210.0, 30.0, 12.0


def moved(mean: Floats, cov: Floats, hours: float, people: int) -> tuple[Floats, Floats]:
    """Return mean (2,) and covariance (2, 2) of excess and offset after a step."""
    kept, kept_offset, added_h, noise_h = exact_steps(np.array(RATE), np.array(MIXING), np.array(hours))
    matrix = np.diag([kept, kept_offset])
    noise = np.diag([WANDER * noise_h, SPREAD**2 * (1 - kept_offset**2)])
    return matrix @ mean + np.array([PERSON * people * added_h, 0.0]), matrix @ cov @ matrix.T + noise


@pytest.mark.parametrize("hours", [30 / 3600, 0.25, 7.0])
def test_a_step_equals_the_matrix_exponential_of_the_two_equations(hours: float) -> None:
    drift = np.diag([-RATE, -1 / MIXING])
    diffusion = np.diag([WANDER, 2 * SPREAD**2 / MIXING])
    mean, cov = np.array([300.0, -9.0]), np.array([[40.0, -6.0], [-6.0, 25.0]])
    # The input as a third state that stays; and the noise by the block matrix of Van Loan (1978).
    with_input = np.zeros((3, 3))
    with_input[:2, :2], with_input[0, 2] = drift, PERSON * 2
    expected = expm(with_input * hours) @ np.array([*mean, 1.0])
    blocks = expm(np.block([[-drift, diffusion], [np.zeros((2, 2)), drift.T]]) * hours)
    matrix = blocks[2:, 2:].T
    found_mean, found_cov = moved(mean, cov, hours, 2)
    np.testing.assert_allclose(found_mean, expected[:2], rtol=1e-9)
    np.testing.assert_allclose(found_cov, matrix @ cov @ matrix.T + matrix @ blocks[:2, 2:], rtol=1e-9)


def test_two_half_steps_are_a_whole_one() -> None:
    mean, cov = np.array([300.0, -9.0]), np.array([[40.0, -6.0], [-6.0, 25.0]])
    whole = moved(mean, cov, 1.0, 3)
    halves = moved(*moved(mean, cov, 0.5, 3), 0.5, 3)
    for one, other in zip(whole, halves, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_the_mean_of_the_excess_is_that_of_the_simulated_air() -> None:
    room = Room(air_changes_per_h=RATE, generation_l_per_h=PERSON * 77 / 1e3, volume_m3=77.0, outdoor_ppm=400.0)
    after = advance(room, State(700.0, 20.0), 2, RATE)
    mean, _ = moved(np.array([300.0, 0.0]), np.eye(2), room.step_s / 3600, 2)
    assert after.co2_ppm - 400.0 == pytest.approx(mean[0], rel=1e-12)
