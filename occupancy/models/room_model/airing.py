"""How the air of a room is changed: in one way, or also by a fan, a window or a door, of which no sensor tells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from occupancy.arrays import Floats
from occupancy.features.learned import Learned

REST, AIRED = 0, 1
REGIMES = 2
USUAL_H = (20.0, 2.0)  # mean time in each before a log says more: assumptions
CHANGES_WEIGHT = 2.0  # changes that they are worth
PER_H = (1e-4, 1e3)


@dataclass(frozen=True)
class Airing:
    """A Markov chain of R regimes: at rest, or at rest and aired.

    Attributes:
        rates: (2,) how often each ends, per hour; (0,) if there is one regime only.
    """

    rates: Floats

    @classmethod
    def usual(cls) -> Self:
        """Return the chain of two regimes before anything is learned."""
        return cls(1 / np.array(USUAL_H))

    @classmethod
    def single(cls) -> Self:
        """Return the chain of one regime."""
        return cls(np.empty(0))

    @property
    def regimes(self) -> int:
        """R."""
        return max(len(self.rates), 1)

    @cached_property
    def initial(self) -> Floats:
        """The probability of each regime in the long run, (R,)."""
        if self.regimes == 1:
            return np.ones(1)
        return np.asarray(self.rates[::-1] / self.rates.sum())

    def matrices(self, hours: Floats) -> Floats:
        """Return the probabilities (M, R, R) of the next regime after steps of given lengths (M,)."""
        changed = -np.expm1(-self.rates.sum() * hours)[:, None, None]
        return np.asarray((1 - changed) * np.eye(self.regimes) + changed * self.initial)

    def learn(self, changes: Floats, seconds: Floats) -> Self:
        """Return the chain that explains expected changes (R, R) and the expected time in each regime, (R,)."""
        if self.regimes == 1:
            return self
        seen = np.array([changes[REST, AIRED], changes[AIRED, REST]])
        rates = (seen + CHANGES_WEIGHT) / (seconds / 3600 + CHANGES_WEIGHT * np.array(USUAL_H))
        return type(self)(np.clip(rates, *PER_H))

    def to_settings(self) -> dict[str, Any]:
        """Return plain values from which `from_settings` makes an equal chain."""
        return {"rates": self.rates.tolist()}

    @classmethod
    def from_settings(cls, learned: Learned) -> Self:
        """Return the chain that `to_settings` described. Raise InputError if it is not as it gives it."""
        if learned.value("rates") == []:
            return cls.single()
        return cls(learned.numbers("rates", (REGIMES,), *PER_H))
