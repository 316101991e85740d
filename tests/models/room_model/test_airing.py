"""The regimes of the air: the chain of two states in closed form, and what it learns."""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm

from occupancy.features.learned import Learned
from occupancy.models.room_model.airing import Airing


def test_the_closed_form_is_the_matrix_exponential() -> None:
    airing = Airing(np.array([0.3, 1.7]))
    generator = np.array([[-0.3, 0.3], [1.7, -1.7]])
    hours = np.array([0.01, 0.5, 8.0])
    for found, step in zip(airing.matrices(hours), hours, strict=True):
        np.testing.assert_allclose(found, expm(generator * step), atol=1e-12)
    np.testing.assert_allclose(airing.initial @ generator, 0.0, atol=1e-12)


def test_many_changes_teach_the_rates_and_none_leaves_them_as_they_are_usually() -> None:
    usual = Airing.usual()
    hours = np.array([600.0, 300.0])
    learned = usual.learn(np.array([[0.0, 200.0], [200.0, 0.0]]), hours * 3600)
    np.testing.assert_allclose(learned.rates, 200 / hours, rtol=0.15)
    np.testing.assert_allclose(usual.learn(np.zeros((2, 2)), np.zeros(2)).rates, usual.rates)


def test_a_single_regime_stays() -> None:
    single = Airing.from_settings(Learned(Airing.single().to_settings()))
    np.testing.assert_array_equal(single.matrices(np.ones(3)), np.ones((3, 1, 1)))
    assert single.learn(np.ones((1, 1)), np.ones(1)).regimes == 1
