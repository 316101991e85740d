"""Probabilities that come true as often as they say, as far as rows that a model did not learn from can tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from occupancy.arrays import Floats, Ints
from occupancy.config import Calibration
from occupancy.data.times import label_runs
from occupancy.prediction import INTERVAL, Prediction, central_interval, decide, from_probabilities

LEAST = 1e-6  # a probability counts for at least: a 0 can't be mended by any temperature
SLACK = 1e-9  # what rounding may do to a probability or a standard deviation
SPREAD = 0.5  # of the logarithm of the exponent about 1, and of the prior's exponent about 0, before any label run
MOST_TAIL = 0.2  # at each end; by leave-visits-out, intervals held 90 % of the rows up to there


@dataclass(frozen=True)
class Calibrator:
    """What is done to probabilities, and what they are worth then.

    No guarantee comes with it. Rows of one visit depend on each other and visits are few: a conformal bound of
    90 % over visits would take nine of them, where a fold has three to eight with people in them. What holds is
    said by the measured coverage, of occupied rows too.

    Attributes:
        exponent: of the probabilities; one over the temperature (Guo et al. 2017).
        prior: exponent of the labels' shares, by which probabilities are multiplied.
        shares: (C,) share of each label in the rows learned from, above 0.
        tail: probability that an interval leaves out at each end.
        most_std: of the rows that are answered, in people.
    """

    exponent: float
    prior: float
    shares: Floats
    tail: float
    most_std: float

    @classmethod
    def fit(
        cls, probs: Floats, counts: Ints, pieces: Sequence[Ints], settings: Calibration, path: Ints | None = None
    ) -> Self:
        """Return the calibrator that rows ask for.

        The two exponents give the counts the largest probability, under a prior about changing nothing, against
        which each label run counts once. The tail is the largest, up to `MOST_TAIL`, at which the
        intervals hold 90 % of the rows and of the occupied rows: a model that is less sure than it could
        be has too wide intervals at its own 90 %, one that is too sure has too narrow ones. The standard
        deviation is the largest at which the surer rows have the mean squared error asked for.

        Args:
            probs: (N, C) probabilities by models that did not learn from the row's visit.
            counts: (N,) people at these rows.
            pieces: positions of the rows that follow each other.
            settings: the label, and the error of answered rows.
            path: (N,) the labels, where `apply` keeps them.
        """
        shares = label_shares(counts, probs.shape[1])
        runs = sum(int(label_runs(counts[piece])[-1]) + 1 for piece in pieces)

        def loss(changes: Floats) -> float:
            true = _adjust(probs, np.exp(changes[0]), changes[1], shares)[np.arange(len(counts)), counts]
            return float(-runs * true.mean() + np.square(changes / SPREAD).sum() / 2)

        change, prior = minimize(loss, np.zeros(2), method="L-BFGS-B").x
        exponent = float(np.exp(change))
        adjusted = np.exp(_adjust(probs, exponent, float(prior), shares))
        tails = [_tail(adjusted[part], counts[part]) for part in (counts >= 0, counts > 0) if part.any()]
        most_std = _most_std(adjusted, counts, settings, path)
        return cls(exponent, float(prior), shares, min(*tails, MOST_TAIL), most_std)

    def apply(self, prediction: Prediction, settings: Calibration, keep_label: bool = False) -> Prediction:
        """Return a prediction with calibrated probabilities, intervals and answers.

        Its ``std`` is that of the calibrated distribution. The part of it that more rows would lower is how far
        members disagree, as far as that goes.

        Args:
            prediction: of the model that the calibrator was fitted for.
            settings: the label.
            keep_label: whether the label stays, as that of a path must.
        """
        probs = np.exp(_adjust(prediction.probs, self.exponent, self.prior, self.shares))
        changed = from_probabilities(prediction.times, probs[None], prediction.causal)
        if keep_label:
            changed = dataclasses.replace(changed, label=prediction.label)
        elif settings.label == "nearest":
            changed = decide(changed)
        lower, upper = central_interval(probs, 1 - 2 * self.tail)
        return dataclasses.replace(
            changed,
            lower=np.minimum(lower, changed.label),
            upper=np.maximum(upper, changed.label),
            samples=None,
            shares=None,
            disagreement=prediction.epistemic,
            delay_s=prediction.delay_s,
            answered=changed.std <= self.most_std,
        )

    def to_settings(self) -> dict[str, Any]:
        """Return what `from_settings` makes an equal calibrator from, as text can hold it."""
        most_std = None if np.isinf(self.most_std) else self.most_std
        return {**dataclasses.asdict(self), "shares": self.shares.tolist(), "most_std": most_std}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the calibrator that `to_settings` described."""
        most_std = np.inf if settings["most_std"] is None else settings["most_std"]
        return cls(**{**settings, "shares": np.array(settings["shares"]), "most_std": most_std})


def label_shares(counts: Ints, classes: int) -> Floats:
    """Return the share of each label (C,) among counts (N,), half a row added to each so that none is 0."""
    return np.asarray((np.bincount(counts, minlength=classes) + 0.5) / (len(counts) + 0.5 * classes))


def _adjust(probs: Floats, exponent: float, prior: float, shares: Floats) -> Floats:
    """Return the logarithms of probabilities (N, C) to an exponent, times the shares (C,) to another."""
    scores = exponent * np.log(probs.clip(LEAST)) + prior * np.log(shares)
    return np.asarray(log_softmax(scores, axis=1))


def _tail(probs: Floats, counts: Ints) -> float:
    """Return the largest probability that both ends of an interval may leave out for 90 % of the counts to be in it."""
    cumulative = probs.cumsum(axis=1)
    rows = np.arange(len(counts))
    below = np.where(counts > 0, cumulative[rows, counts - 1], 0.0)
    # A count is in its interval up to the tail that is as large as what lies on either side of it; where it is as
    # large to the last digit, the upper end is below already.
    room = np.minimum(cumulative[rows, counts], 1 - below)
    return max(float(np.quantile(room, 1 - INTERVAL, method="lower")) - SLACK, 0.0)


def _most_std(probs: Floats, counts: Ints, settings: Calibration, path: Ints | None) -> float:
    """Return the largest standard deviation up to which rows have the mean squared error that is asked for."""
    labels = np.arange(probs.shape[1])
    mean = probs @ labels
    std = np.sqrt((probs * np.square(labels - mean[:, None])).sum(axis=1))
    label = path
    if label is None:
        label = np.rint(mean) if settings.label == "nearest" else probs.argmax(axis=1)
    order = np.argsort(std, kind="stable")
    risk = np.cumsum(np.square(label - counts)[order]) / np.arange(1, len(counts) + 1)
    # Rows that are as sure as each other are answered together, or none of them is.
    last = np.diff(std[order], append=np.inf) > SLACK
    within = np.flatnonzero(last & (risk <= settings.answered_mse))
    if not len(within):
        return 0.0
    return np.inf if within[-1] == len(counts) - 1 else float(std[order][within[-1]]) + SLACK
