"""The search without derivatives, on a function whose optimum is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng

from occupancy.models.room_model.proposal import Proposal


def test_it_finds_the_optimum_of_a_long_and_turned_valley_and_takes_its_shape() -> None:
    rng = default_rng(0)
    axes, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    widths, optimum = np.geomspace(0.05, 1.0, 6), rng.standard_normal(6)
    proposal = Proposal.begin(np.zeros(6), 0.5)
    for _ in range(80):
        drawn, _ = proposal.draw(24, rng)
        far = ((drawn - optimum) @ axes) / widths
        proposal = proposal.moved(drawn, np.argsort(np.square(far).sum(axis=1)))
    np.testing.assert_allclose(proposal.mean, optimum, atol=1e-2)
    along = np.sqrt(np.diag(axes.T @ proposal.covariance @ axes))
    assert np.corrcoef(np.log(along), np.log(widths))[0, 1] > 0.95
    assert along[0] < 0.2 * along[-1]


def test_draws_have_the_density_that_is_told() -> None:
    proposal = Proposal(np.ones(2), 0.7, np.array([[2.0, 0.6], [0.6, 1.0]]), np.zeros(2), np.zeros(2))
    drawn, density = proposal.draw(5, default_rng(1), width=1.3)
    cov = proposal.covariance * (0.7 * 1.3) ** 2
    far = np.einsum("bi,ij,bj->b", drawn - 1, np.linalg.inv(cov), drawn - 1)
    np.testing.assert_allclose(density, -far / 2 - np.log(np.linalg.det(cov)) / 2, rtol=1e-9)
    np.testing.assert_array_equal(drawn[0], 1.0)
    assert proposal.spread == pytest.approx(0.7 * np.linalg.det(proposal.covariance) ** 0.25)
