"""Calibration: probabilities, intervals and selective prediction, learned from rows that a model did not learn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from occupancy.arrays import Floats, Ints
from occupancy.config import Calibration, Decision, Loss
from occupancy.data.times import label_runs
from occupancy.features.learned import Learned
from occupancy.models.postprocess.switching import switched_labels
from occupancy.prediction import INTERVAL, Prediction, central_interval, decide, from_probabilities

LOG_FLOOR = 1e-6  # lowest probability whose logarithm is taken: no temperature corrects a 0
SLACK = 1e-9  # possible rounding error of a probability or a standard deviation
TEMPERATURES = (1e-6, 1e6)  # that a saved model may hold; learned ones are near 1
CHANGE_STD = 0.5  # prior standard deviation of the logarithm of the temperature, and of the exponent of the shares
ENOUGH_ANSWERED, MOST_EXCESS = 0.5, 1.5  # share of rows, and times the target, up to which it is kept
SQUARED = Decision()
MOST_TAIL = 0.2  # at each end; up to it, intervals held 90 % of the rows of left-out visits


@dataclass(frozen=True)
class Calibrator:
    """Changes probabilities by a temperature and a prior, sets intervals, and says which rows are answered.

    There is no guarantee. The rows of one visit depend on each other, and visits are few: a conformal bound of 90 %
    over visits needs at least nine visits, and a fold has three to eight with people in them. The measured coverage,
    also that of occupied rows, says what was reached.

    Attributes:
        temperature: the logarithms of the probabilities are divided by it (Guo et al. 2017).
        prior: exponent of the label shares, by which the probabilities are multiplied.
        shares: (C,) share of each label in the rows learned from, above 0.
        tail: probability that an interval leaves out at each end.
        most_std: largest standard deviation of an answered row, in people.
    """

    temperature: float
    prior: float
    shares: Floats
    tail: float
    most_std: float

    @classmethod
    def fit(
        cls,
        probs: Floats,
        counts: Ints,
        pieces: Sequence[Ints],
        settings: Calibration,
        decision: Decision = SQUARED,
        path: Ints | None = None,
    ) -> Self:
        """Return the calibrator that fits rows which the model did not learn from.

        Temperature and prior maximise the probability of the counts, under a weak prior around no change, against
        which each label run counts once. The tail is the largest, up to `MOST_TAIL`, with which the intervals hold
        90 % of the rows and of the occupied rows: at its own 90 %, an underconfident model has intervals that are too
        wide, an overconfident one intervals that are too narrow. ``most_std`` is the largest standard deviation up to
        which the rows have the mean squared error in the settings.

        Args:
            probs: (N, C) probabilities by models that did not learn from the row's visit.
            counts: (N,) people at these rows.
            pieces: positions of rows that follow each other without a gap, one array for each such piece.
            settings: the error that answered rows should have.
            decision: how the answered label is chosen.
            path: (N,) labels of a decoded path, if `apply` keeps them.
        """
        shares = label_shares(counts, probs.shape[1])
        runs = sum(int(label_runs(counts[piece])[-1]) + 1 for piece in pieces)

        def misfit(changes: Floats) -> float:
            true = _adjust(probs, np.exp(changes[0]), changes[1], shares)[np.arange(len(counts)), counts]
            return float(-runs * true.mean() + np.square(changes / CHANGE_STD).sum() / 2)

        change, prior = minimize(misfit, np.zeros(2), method="L-BFGS-B").x
        exponent = float(np.exp(change))
        adjusted = np.exp(_adjust(probs, exponent, float(prior), shares))
        tails = [_tail(adjusted[part], counts[part]) for part in (counts >= 0, counts > 0) if part.any()]
        most_std = _most_std(*_errors(adjusted, counts, pieces, decision, path), settings.answered_mse)
        return cls(1 / exponent, float(prior), shares, min(*tails, MOST_TAIL), most_std)

    def unkept(
        self,
        probs: Floats,
        counts: Ints,
        pieces: Sequence[Ints],
        settings: Calibration,
        decision: Decision = SQUARED,
        path: Ints | None = None,
    ) -> str | None:
        """Return why the error of answered rows can't be promised, in a line; None if it can. See `fit`.

        It can if half of the rows are answered, and if their error plus its standard error over the pieces is not much
        larger than what was asked for.
        """
        adjusted = np.exp(_adjust(probs, 1 / self.temperature, self.prior, self.shares))
        std, errors = _errors(adjusted, counts, pieces, decision, path)
        answered, target = std <= self.most_std, settings.answered_mse
        sums = np.array([[errors[piece][answered[piece]].sum(), answered[piece].sum()] for piece in pieces])
        rows = max(sums[:, 1].sum(), 1.0)
        mean = sums[:, 0].sum() / rows
        spread = np.sqrt(np.square(sums[:, 0] - mean * sums[:, 1]).sum() * len(sums) / max(len(sums) - 1, 1)) / rows
        if answered.mean() >= ENOUGH_ANSWERED and mean + spread <= MOST_EXCESS * target:
            return None
        return (
            f"calibration.answered_mse: {target:g} can't be promised: with days or visits left out, "
            f"{answered.mean():.0%} of the rows are answered, with a squared error of {mean:.2g} ± {spread:.2g}; "
            "a larger one may be kept"
        )

    def apply(self, prediction: Prediction, loss: Loss = "squared", keep_label: bool = False) -> Prediction:
        """Return a prediction with calibrated probabilities and intervals, and with ``answered``.

        A row that the model does not answer, for its readings are missing, keeps its probabilities and its interval.
        Its ``std`` is that of the calibrated distribution. The epistemic part of it stays what it was, up to ``std``.

        Args:
            prediction: of the model that the calibrator was fitted for.
            loss: by which the label is chosen.
            keep_label: whether the label stays as it is, as the label of a path must.
        """
        probs = np.exp(_adjust(prediction.probs, 1 / self.temperature, self.prior, self.shares))
        given = prediction.is_answered
        probs[~given] = prediction.probs[~given]
        changed = from_probabilities(prediction.times, probs[None], prediction.causal)
        changed = dataclasses.replace(changed, label=prediction.label) if keep_label else decide(changed, loss)
        lower, upper = central_interval(probs, 1 - 2 * self.tail)
        lower[~given], upper[~given] = prediction.lower[~given], prediction.upper[~given]
        return dataclasses.replace(
            changed,
            lower=np.minimum(lower, changed.label),
            upper=np.maximum(upper, changed.label),
            samples=None,
            shares=None,
            disagreement=prediction.epistemic,
            delay_s=prediction.delay_s,
            answered=(changed.std <= self.most_std) & given,
        )

    def to_settings(self) -> dict[str, Any]:
        """Return plain values from which `from_settings` makes an equal calibrator."""
        most_std = None if np.isinf(self.most_std) else self.most_std
        return {**dataclasses.asdict(self), "shares": self.shares.tolist(), "most_std": most_std}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the calibrator that `to_settings` described, in this version or in those that held an exponent.

        Raises:
            InputError: it is not as it gives it.
        """
        learned = Learned(settings, "calibrator")
        old = "exponent" in learned
        temperature = learned.number("exponent" if old else "temperature", *TEMPERATURES)
        shares = learned.numbers("shares", (None,), 0.0, 1.0, above=True)
        prior, tail = learned.number("prior", -TEMPERATURES[1], TEMPERATURES[1]), learned.number("tail", 0.0, MOST_TAIL)
        most_std = np.inf if learned.value("most_std") is None else learned.number("most_std", 0.0)
        return cls(1 / temperature if old else temperature, prior, shares, tail, most_std)


def label_shares(counts: Ints, classes: int) -> Floats:
    """Return the share of each label (C,) among counts (N,); half a row is added to each, so that none is 0."""
    return np.asarray((np.bincount(counts, minlength=classes) + 0.5) / (len(counts) + 0.5 * classes))


def _adjust(probs: Floats, exponent: float, prior: float, shares: Floats) -> Floats:
    """Return the logarithms of probabilities (N, C) to one power, times the label shares (C,) to another."""
    scores = exponent * np.log(probs.clip(LOG_FLOOR)) + prior * np.log(shares)
    return np.asarray(log_softmax(scores, axis=1))


def _tail(probs: Floats, counts: Ints) -> float:
    """Return the largest probability left out at each end with which intervals hold 90 % of the counts."""
    cumulative = probs.cumsum(axis=1)
    rows = np.arange(len(counts))
    below = np.where(counts > 0, cumulative[rows, counts - 1], 0.0)
    # A count is in its interval if the tail is at most the smaller probability of (that count or lower) and (that
    # count or higher). SLACK: with a tail equal to the last digit, rounding may put the upper end below the count.
    room = np.minimum(cumulative[rows, counts], 1 - below)
    return max(float(np.quantile(room, 1 - INTERVAL, method="lower")) - SLACK, 0.0)


def _errors(
    probs: Floats, counts: Ints, pieces: Sequence[Ints], decision: Decision, path: Ints | None
) -> tuple[Floats, Floats]:
    """Return the standard deviation (N,) of counts with probabilities (N, C), and the squared error (N,) of labels."""
    labels = np.arange(probs.shape[1])
    mean = probs @ labels
    std = np.sqrt((probs * np.square(labels - mean[:, None])).sum(axis=1))
    label = path
    if label is None:
        label = switched_labels(probs, mean, decision.loss, decision.switch_cost, pieces)
    return std, np.square(label - counts).astype(np.float64)


def _most_std(std: Floats, errors: Floats, target: float) -> float:
    """Return the largest standard deviation (N,) up to which squared errors (N,) have at most a mean."""
    order = np.argsort(std, kind="stable")
    risk = np.cumsum(errors[order]) / np.arange(1, len(errors) + 1)
    # Rows with equal standard deviations are answered together, or not at all.
    last = np.diff(std[order], append=np.inf) > SLACK
    within = np.flatnonzero(last & (risk <= target))
    if not len(within):
        return 0.0
    return np.inf if within[-1] == len(errors) - 1 else float(std[order][within[-1]]) + SLACK
