"""A search without derivatives: a Normal proposal that moves to its best draws and takes their shape."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from occupancy.arrays import Floats, Ints

FASTER = 2.0  # learning rate of the covariance, over the usual one: there are tens of rounds, not thousands


@dataclass(frozen=True)
class Proposal:
    """The state of CMA-ES, the cross-entropy method with a covariance and a step size that adapt (Hansen 2016).

    The equations are those of arXiv 1604.00772. Nothing is drawn here, so that draws are given in and kept outside.

    Attributes:
        mean: (D,).
        step: the step size.
        covariance: (D, D), before the step size.
        step_path: (D,) the sum of recent moves in units of the proposal; long if they go one way.
        path: (D,) the same in units of the parameters.
        rounds: how many moves were made.
    """

    mean: Floats
    step: float
    covariance: Floats
    step_path: Floats
    path: Floats
    rounds: int = 0

    @classmethod
    def begin(cls, mean: Floats, step: float) -> Proposal:
        """Return a round proposal with a mean (D,)."""
        nothing = np.zeros(len(mean))
        return cls(mean, step, np.eye(len(mean)), nothing, nothing)

    @property
    def spread(self) -> float:
        """The geometric mean of its standard deviations along its own axes."""
        return self.step * math.exp(float(np.log(np.linalg.eigvalsh(self.covariance)).mean()) / 2)

    def draw(self, number: int, rng: Generator, width: float = 1.0) -> tuple[Floats, Floats]:
        """Return draws (B, D), the first of which is the mean, and their log-densities (B,), but for a constant."""
        root = np.linalg.cholesky(self.covariance) * self.step * width
        normal = rng.standard_normal((number, len(self.mean)))
        normal[0] = 0.0
        density = -np.square(normal).sum(axis=1) / 2 - np.log(np.diag(root)).sum()
        return self.mean + normal @ root.T, density

    def moved(self, drawn: Floats, order: Ints) -> Proposal:
        """Return the proposal after a round of draws (B, D), given their order (B,) from the best to the worst."""
        size, parents = drawn.shape[1], len(drawn) // 2
        weights = np.log(parents + 0.5) - np.log(np.arange(1, parents + 1))
        weights /= weights.sum()
        effective = 1 / float(np.square(weights).sum())
        moves = (drawn[order[:parents]] - self.mean) / self.step
        move = weights @ moves
        step_rate = (effective + 2) / (size + effective + 5)
        path_rate = (4 + effective / size) / (size + 4 + 2 * effective / size)
        one = 2 / ((size + 1.3) ** 2 + effective)
        many = min(1 - one, FASTER * 2 * (effective - 2 + 1 / effective) / ((size + 2) ** 2 + effective))
        values, vectors = np.linalg.eigh(self.covariance)
        whitened = vectors @ ((vectors.T @ move) / np.sqrt(values))
        step_path = (1 - step_rate) * self.step_path + math.sqrt(step_rate * (2 - step_rate) * effective) * whitened
        path = (1 - path_rate) * self.path + math.sqrt(path_rate * (2 - path_rate) * effective) * move
        usual = math.sqrt(size) * (1 - 1 / (4 * size) + 1 / (21 * size**2))
        damping = 1 + step_rate + 2 * max(0.0, math.sqrt((effective - 1) / (size + 1)) - 1)
        step = self.step * math.exp(min(step_rate / damping * (float(np.linalg.norm(step_path)) / usual - 1), 0.6))
        spread = (1 - one - many) * self.covariance + one * np.outer(path, path) + many * (moves.T * weights) @ moves
        spread = (spread + spread.T) / 2 + 1e-8 * np.eye(size)
        return replace(
            self, mean=self.mean + self.step * move, step=step, covariance=spread, step_path=step_path, path=path,
            rounds=self.rounds + 1,
        )  # fmt: skip
