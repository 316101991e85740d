"""When people come and go: a chain of the count in continuous time, with rates by count and by hour of the week."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy.linalg import expm

from occupancy.arrays import Floats, Ints
from occupancy.features.learned import Learned

PROFILES = 48
"""The hours of working days, then those of weekends."""
EMPTY_H, OCCUPIED_H = 2.0, 0.75  # mean time to the next change, before a log says more: assumptions, like those below
RATES_WEIGHT = 2.0  # changes that the prior of a rate is worth
JUMP, JUMPS_WEIGHT = 0.5, 4.0  # each further person of a change is half as likely; changes that this is worth
TOGETHER = 0.05  # share of changes of any size alike: a lecture ends
HOUR_WEIGHT = 20.0  # changes that the flat rate of an hour is worth
BALANCE_STD = 1.0  # of the logarithm of the count at which as many come as leave
STRAY = 0.2  # share of starts that do not follow the long run
PER_H = (1e-4, 1e3)  # bounds of a rate


@dataclass(frozen=True)
class Chain:
    """A birth and death process with jumps: how the count changes.

    From count n, changes come at ``rates[n]`` per hour. A share ``b / (b + n)`` of them are arrivals, with ``b`` the
    count at which as many people come as leave. A change by one person more is ``jump`` times as likely. The hour of
    the week makes arrivals and departures more or less frequent.

    Attributes:
        rates: (C,) changes per hour.
        balance: b, in people.
        jump: the ratio.
        hours: (48, 2) factors of the rates of arrivals and of departures in each hour, see `PROFILES`.
    """

    rates: Floats
    balance: float
    jump: float
    hours: Floats

    @classmethod
    def usual(cls, classes: int) -> Self:
        """Return the chain before anything is learned, of C counts."""
        rates = np.where(np.arange(classes) > 0, 1 / OCCUPIED_H, 1 / EMPTY_H)
        return cls(rates, _usual_balance(classes), JUMP, np.ones((PROFILES, 2)))

    @property
    def classes(self) -> int:
        """C."""
        return len(self.rates)

    @cached_property
    def generator(self) -> tuple[Floats, Floats]:
        """The rates of arrivals and of departures, (C, C) each, per hour, before the factors of the hour."""
        counts = np.arange(self.classes)
        change = counts[None, :] - counts[:, None]
        sizes = self.jump ** np.maximum(np.abs(change) - 1.0, 0.0)
        up_share = self._up_share(self.balance)
        parts = []
        for wanted, share in ((change > 0, up_share), (change < 0, 1 - up_share)):
            by_size, alike = _shares(np.where(wanted, sizes, 0.0)), _shares(wanted.astype(np.float64))
            parts.append((self.rates * share)[:, None] * ((1 - TOGETHER) * by_size + TOGETHER * alike))
        return parts[0], parts[1]

    def matrices(self, hours: Floats, profiles: Ints) -> Floats:
        """Return the probabilities (M, C, C) of the next count after steps of given lengths.

        Args:
            hours: (M,) length of each step.
            profiles: (M,) the hour of the week of each.
        """
        came, left = self.generator
        rates = self.hours[profiles, 0, None, None] * came + self.hours[profiles, 1, None, None] * left
        diagonal = np.arange(self.classes)
        rates[:, diagonal, diagonal] = -rates.sum(axis=2)
        found = np.clip(expm(rates * hours[:, None, None]), 0.0, 1.0)
        return np.asarray(found / found.sum(axis=2, keepdims=True))

    @cached_property
    def initial(self) -> Floats:
        """The probability of each count when a recording begins, (C,): people may be in."""
        rates = np.add(*self.generator)
        equations = np.vstack([(rates - np.diag(rates.sum(axis=1))).T, np.ones(self.classes)])
        ones = np.append(np.zeros(self.classes), 1.0)
        long_run = np.clip(np.linalg.lstsq(equations, ones, rcond=None)[0], 0.0, None)
        return np.asarray((1 - STRAY) * long_run / long_run.sum() + STRAY / self.classes)

    def learn(self, changes: Floats, seconds: Floats) -> Self:
        """Return the chain that explains expected changes, each number shrunk towards what is usual.

        Args:
            changes: (48, C, C) expected number of rows with one count before and another one after, in each hour.
            seconds: (48, C) expected time at each count in each hour.
        """
        if self.classes == 1:
            return self
        upper = np.triu(np.ones((self.classes, self.classes)), 1)
        came, left = (changes * upper).sum(axis=2), (changes * upper.T).sum(axis=2)  # (48, C)
        flat = self._learn_flat(changes.sum(axis=0), came.sum(axis=0), left.sum(axis=0), seconds.sum(axis=0) / 3600)
        up, down = (part.sum(axis=1) for part in flat.generator)
        expected = np.stack([seconds / 3600 @ up, seconds / 3600 @ down], axis=1)
        seen = np.stack([came.sum(axis=1), left.sum(axis=1)], axis=1)
        return replace(flat, hours=(seen + HOUR_WEIGHT) / (expected + HOUR_WEIGHT))

    def _learn_flat(self, changes: Floats, came: Floats, left: Floats, hours: Floats) -> Self:
        usual, total = type(self).usual(self.classes), came + left
        occupied = np.arange(self.classes) > 0
        centre = usual.rates.copy()
        for group in (occupied, ~occupied):
            weight = RATES_WEIGHT / usual.rates[group][0]
            centre[group] = (total[group].sum() + RATES_WEIGHT) / (hours[group].sum() + weight)
        rates = (total + RATES_WEIGHT) / (hours + RATES_WEIGHT / centre)
        counts = np.arange(self.classes)
        sizes = np.abs(counts[:, None] - counts[None, :])
        number, people = total.sum(), float((changes * sizes).sum())
        jump = 1 - (number + JUMPS_WEIGHT) / (people + JUMPS_WEIGHT / (1 - JUMP))
        tried = _usual_balance(self.classes) * np.exp(np.linspace(-3, 3, 61) * BALANCE_STD)
        inner = slice(1, self.classes - 1)  # at both ends there is no choice
        scores = [
            (came * np.log(share) + left * np.log(1 - share))[inner].sum() - np.log(each / tried[30]) ** 2 / 2
            for each in tried
            for share in [self._up_share(each).clip(1e-9, 1 - 1e-9)]
        ]
        balance = float(tried[int(np.argmax(scores))])
        return replace(usual, rates=rates.clip(*PER_H), jump=float(np.clip(jump, 0.05, 0.98)), balance=balance)

    def _up_share(self, balance: float) -> Floats:
        share: Floats = balance / (balance + np.arange(self.classes, dtype=np.float64))
        share[-1] = 0.0
        return share

    def to_settings(self) -> dict[str, Any]:
        """Return plain values from which `from_settings` makes an equal chain."""
        return {
            "rates": self.rates.tolist(),
            "balance": self.balance,
            "jump": self.jump,
            "hours": self.hours.tolist(),
        }

    @classmethod
    def from_settings(cls, learned: Learned, classes: int) -> Self:
        """Return the chain that `to_settings` described. Raise InputError if it is not as it gives it."""
        return cls(
            learned.numbers("rates", (classes,), *PER_H),
            learned.number("balance", 1e-3, 1e6),
            learned.number("jump", 0.01, 0.99),
            learned.numbers("hours", (PROFILES, 2), 1e-6, 1e6),
        )


def _shares(weights: Floats) -> Floats:
    """Return weights (C, C) as shares of their row; of a row without any, 0."""
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300))


def _usual_balance(classes: int) -> float:
    return max(1.0, (classes - 1) / 3)
