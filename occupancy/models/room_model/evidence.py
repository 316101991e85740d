"""What motion and sound tell of the count: how many of the sensors of a kind saw or heard somebody in a row.

The sensors of a kind are exchangeable: only the number of those that fired counts, among those with a reading. A sensor
that is missing tells nothing, and the table for fewer sensors follows from that for all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, comb, expit, gammaln, logit

from occupancy.arrays import Floats, Ints, Rows
from occupancy.features.learned import Learned

QUIET_QUANTILE = 0.05  # of the readings of a sound sensor, which is silence
LOUD = 1.28  # amplitude over silence from which a sensor is loud: 2 dB, which is more than its noise
TABLE_WEIGHT = 40.0  # independent rows that the smooth table is worth beside what was counted
STRAY = 0.01  # share of rows in which sensors tell nothing
EXPONENT = 0.25  # weight of a row if the log does not show how alike neighbouring rows are
ENOUGH = 100  # rows that show it
EXPONENTS = (0.02, 0.5)  # no row counts more than half: what is alike for longer does not show between neighbours
USUAL_STD = 1.0  # of each logit and logarithm of the three numbers of a kind

MINUTES = {"motion": 2.0, "sound": 1.5}  # mean time to be noticed by one sensor, of one person: assumptions
FALSE = {"motion": 0.01, "sound": 0.03}  # share of rows in which a sensor fires without a person: assumptions
MOST_NOTICED = 0.99  # in a row, however long it is
ALIKE = 3.0  # concentration: how unlike each other the sensors of a row are; they stand at different places


@dataclass(frozen=True)
class Fired:
    """How many sensors of a kind fired, and how many had a reading, (N,) each."""

    fired: Ints
    there: Ints

    @classmethod
    def of_motion(cls, readings: Floats) -> Self:
        """Return it for motion sensors (N, M), which fire above 0; NaN where a reading is missing."""
        return cls._of(readings, readings > 0)

    @classmethod
    def of_sound(cls, readings: Floats, quiet: Floats) -> Self:
        """Return it for sound sensors (N, M), in amplitudes, which fire well above their silence (M,)."""
        return cls._of(readings, readings > LOUD * quiet)

    @classmethod
    def _of(cls, readings: Floats, fires: Rows) -> Self:
        return cls(fires.sum(axis=1).astype(np.int64), (~np.isnan(readings)).sum(axis=1).astype(np.int64))

    def at(self, rows: Rows | Ints) -> Self:
        """Return it for some rows."""
        return replace(self, fired=self.fired[rows], there=self.there[rows])


@dataclass(frozen=True)
class Emission:
    """The probability of how many sensors of a kind fire in a row, given the count.

    Attributes:
        table: (C, M + 1) that probability.
        exponent: how much a row counts, because neighbouring rows are alike.
        numbers: (3,) logit of ``a``, logit of ``b`` and logarithm of the concentration of the smooth table: each sensor
            fires with probability ``1 - (1 - a) (1 - b)^n``, and those of a row alike (beta-binomial).
        usual: (3,) the same before anything is learned.
    """

    table: Floats
    exponent: float
    numbers: Floats
    usual: Floats

    @classmethod
    def of_kind(cls, kind: str, sensors: int, classes: int, step_s: float) -> Self:
        """Return what is assumed of a kind before anything is learned.

        Args:
            kind: ``motion`` or ``sound``.
            sensors: M.
            classes: C.
            step_s: seconds of a row: the longer it is, the more likely somebody moves in it.
        """
        noticed = -np.expm1(-step_s / 60 / MINUTES[kind])
        usual = np.array([logit(FALSE[kind]), logit(min(noticed, MOST_NOTICED)), np.log(ALIKE)])
        return cls(_smooth(usual, sensors, classes), EXPONENT, usual, usual)

    @property
    def sensors(self) -> int:
        """M."""
        return int(self.table.shape[1]) - 1

    def log_likelihood(self, found: Fired) -> Floats:
        """Return the weighted log-likelihood (N, C) of each count; 0 where no sensor has a reading."""
        values: Floats = np.zeros((len(found.fired), len(self.table)))
        for there in range(1, self.sensors + 1):
            rows = found.there == there
            values[rows] = self._logarithms[there][:, found.fired[rows]].T
        return values

    @cached_property
    def _logarithms(self) -> list[Floats]:
        """The weighted logarithms (C, m + 1) for each number m of sensors with a reading."""
        return [
            self.exponent * np.log((1 - STRAY) * self.table @ _thinned(self.sensors, there) + STRAY / (there + 1))
            for there in range(self.sensors + 1)
        ]

    def learn(self, found: Fired, probs: Floats, run: Ints) -> Self:
        """Return the emission that explains rows.

        Args:
            found: what fired at N rows.
            probs: (N, C) probabilities of the count at each row, or the known counts.
            run: (N,) the number of the run that each row belongs to; runs follow each other.
        """
        whole = found.there == self.sensors
        if not whole.any():
            return self
        seen = np.stack([probs[whole & (found.fired == fired)].sum(axis=0) for fired in range(self.sensors + 1)], 1)
        seen *= self.exponent
        classes = len(self.table)

        def loss(numbers: Floats) -> float:
            fits = (seen * np.log(_smooth(numbers, self.sensors, classes) + 1e-12)).sum()
            return float(np.square((numbers - self.usual) / USUAL_STD).sum() / 2 - fits)

        numbers = np.asarray(minimize(loss, self.numbers, method="Nelder-Mead", options={"maxiter": 120}).x)
        weighted = seen + TABLE_WEIGHT * _smooth(numbers, self.sensors, classes)
        other = replace(self, table=weighted / weighted.sum(axis=1, keepdims=True), numbers=numbers)
        return replace(other, exponent=other._independent(found, probs, run))

    def _independent(self, found: Fired, probs: Floats, run: Ints) -> float:
        """Return the share of independent rows, (1 - r) / (1 + r), with r the correlation of neighbouring rows.

        It is that of the share of sensors that fired, less its mean given the count.
        """
        share = np.arange(self.sensors + 1) / self.sensors
        rest = found.fired / self.sensors - probs @ (self.table @ share)
        whole = found.there == self.sensors
        later = 1 + np.flatnonzero((run[1:] == run[:-1]) & whole[1:] & whole[:-1])
        power = float(np.square(rest[later]).sum())
        if len(later) < ENOUGH or power <= 0:
            return EXPONENT
        correlation = float(np.clip((rest[later] * rest[later - 1]).sum() / power, 0.0, 0.99))
        return float(np.clip((1 - correlation) / (1 + correlation), *EXPONENTS))

    def to_settings(self) -> dict[str, Any]:
        """Return plain values from which `from_settings` makes an equal emission."""
        return {
            "table": self.table.tolist(),
            "exponent": self.exponent,
            "numbers": self.numbers.tolist(),
            "usual": self.usual.tolist(),
        }

    @classmethod
    def from_settings(cls, learned: Learned, sensors: int, classes: int) -> Self:
        """Return the emission that `to_settings` described. Raise InputError if it is not as it gives it."""
        return cls(
            learned.distributions("table", (classes, sensors + 1)),
            learned.number("exponent", *EXPONENTS),
            learned.numbers("numbers", (3,), -50, 50),
            learned.numbers("usual", (3,), -50, 50),
        )


def silence(readings: Floats) -> Floats:
    """Return what each sound sensor reads in silence, (M,), from readings (N, M); NaN where one is missing."""
    # A sensor that reads 0 in silence would be loud at anything: use a hundredth of its largest reading instead.
    known = np.where(np.isnan(readings).all(axis=0), 0.0, readings)  # a sensor without any reading never fires
    quiet, loudest = np.nanquantile(known, QUIET_QUANTILE, axis=0), np.nanmax(known, axis=0)
    return np.asarray(np.maximum(quiet, loudest.clip(1e-6) / 100))


def _smooth(numbers: Floats, sensors: int, classes: int) -> Floats:
    """Return the table (C, M + 1) of the three numbers, see `Emission`."""
    stray, noticed, spread = expit(numbers[0]), expit(numbers[1]), np.exp(np.clip(numbers[2], -5, 8))
    fires = (1 - (1 - stray) * (1 - noticed) ** np.arange(classes)).clip(1e-6, 1 - 1e-6)[:, None]
    fired = np.arange(sensors + 1)
    ways = gammaln(sensors + 1) - gammaln(fired + 1) - gammaln(sensors - fired + 1)
    first, second = fires * spread, (1 - fires) * spread
    return np.asarray(np.exp(ways + betaln(first + fired, second + sensors - fired) - betaln(first, second)))


def _thinned(sensors: int, there: int) -> Floats:
    """Return the probability (M + 1, m + 1) that of m sensors with a reading so many fired, given those of all M."""
    of_all, of_some = np.arange(sensors + 1)[:, None], np.arange(there + 1)[None, :]
    found = comb(of_all, of_some) * comb(sensors - of_all, there - of_some) / comb(sensors, there)
    return np.asarray(found)
