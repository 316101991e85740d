"""What every model returns: for each row a count, its probabilities and an interval."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from occupancy.arrays import Floats, Ints, Rows

INTERVAL = 0.90
COLUMNS = ("time", "count", "mean", "std", "lower", "upper", "epistemic", "aleatoric")
"""What a table of predictions holds before the probabilities; all but the time in people."""

_OF_ROWS = (
    "label",
    "probs",
    "mean",
    "std",
    "lower",
    "upper",
    "disagreement",
    "shares",
    "answered",
)  # beside times and samples


@dataclass(frozen=True)
class Prediction:
    """Predicted counts for N time-stamped rows.

    Attributes:
        times: (N,) time of each row.
        label: (N,) the count one would act on.
        probs: (N, C) probability of each count 0..C-1.
        mean: (N,) mean of the predictive distribution, in people.
        std: (N,) its standard deviation, in people.
        lower: (N,) lower end of the 90 % interval, in people: central, or as calibration made it.
        upper: (N,) upper end of it.
        causal: whether every row rests on rows up to its own time alone.
        samples: (S, N) sampled means in people, or (S, N, C) sampled probabilities.
        shares: (N, C) share of a classifier's samples whose likeliest label is each.
        disagreement: (N,) how far the samples disagree, in people, where they themselves are not kept.
        answered: (N,) whether the row is sure enough to be answered; None for a model that always answers.
        delay_s: how long after a row's time its prediction can be had.
    """

    times: pd.DatetimeIndex
    label: Ints
    probs: Floats
    mean: Floats
    std: Floats
    lower: Floats
    upper: Floats
    causal: bool = True
    samples: Floats | None = None
    shares: Floats | None = None
    disagreement: Floats | None = None
    answered: NDArray[np.bool_] | None = None
    delay_s: float = 0.0

    def __len__(self) -> int:
        """Return the number of rows N."""
        return len(self.times)

    @property
    def epistemic(self) -> Floats:
        """The part of ``std`` that more training rows would lower, (N,) in people: how far the samples disagree.

        It is ``std`` at most: members of a pool may lie farther apart than the pool thinks possible.
        """
        if self.samples is None:
            return np.zeros(len(self)) if self.disagreement is None else np.minimum(self.disagreement, self.std)
        people = self.samples if self.samples.ndim == 2 else self.samples @ np.arange(self.samples.shape[2])
        return np.asarray(people.std(axis=0))

    @property
    def aleatoric(self) -> Floats:
        """The part of ``std`` that stays, (N,) in people; the squares of the two parts add up to that of ``std``."""
        return np.asarray(np.sqrt(np.maximum(np.square(self.std) - np.square(self.epistemic), 0.0)))

    def at(self, rows: slice | Rows) -> Prediction:
        """Return the predictions of some rows, a slice or a mask (N,)."""
        columns = {name: getattr(self, name) for name in (*_OF_ROWS, "times")}
        taken: dict[str, Any] = {name: None if column is None else column[rows] for name, column in columns.items()}
        return dataclasses.replace(self, samples=None if self.samples is None else self.samples[:, rows], **taken)

    def to_frame(self) -> pd.DataFrame:
        """Return the table people read: `COLUMNS`, then p0..p{C-1}, and `answered` where a model may abstain."""
        columns = (
            self.times,
            self.label,
            self.mean,
            self.std,
            self.lower,
            self.upper,
            self.epistemic,
            self.aleatoric,
        )
        return pd.DataFrame(
            {
                **dict(zip(COLUMNS, columns, strict=True)),
                **{f"p{c}": self.probs[:, c] for c in range(self.probs.shape[1])},
                **({} if self.answered is None else {"answered": self.answered}),
            }
        )


def join(parts: Iterable[Prediction]) -> Prediction:
    """Return the predictions of successive rows as one, without the samples, which are most of what it weighs."""
    # One at a time: the samples of a part are gone before those of the next are drawn.
    bare = [dataclasses.replace(part, samples=None, disagreement=part.epistemic) for part in parts]
    given = [name for name in _OF_ROWS if getattr(bare[0], name) is not None]
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in bare]) for name in given}
    times = np.concatenate([part.times for part in bare])
    causal, delay_s = all(part.causal for part in bare), max(part.delay_s for part in bare)
    return Prediction(pd.DatetimeIndex(times, name=bare[0].times.name), causal=causal, delay_s=delay_s, **joined)


def from_people(
    times: pd.DatetimeIndex, samples: Floats, residual_var: float, max_count: int, causal: bool = True
) -> Prediction:
    """Return the prediction of a regressor.

    The predictive distribution is Normal: its mean is the samples' mean, its variance their spread
    (what the model does not know) plus the residual variance (what no model could know). Counts
    get the Normal mass between half-integers, the outermost ones the tails too.

    Args:
        times: (N,) time of each row.
        samples: (S, N) sampled counts, in people.
        residual_var: mean square of count minus mean, people squared, on rows that are not tested; to be
            honest, on rows that the model was not fitted on.
        max_count: the largest count, C - 1.
        causal: whether every row rests on rows up to its own time alone.
    """
    mean = samples.mean(axis=0)
    std = np.sqrt(samples.var(axis=0) + residual_var)
    half_integers = np.arange(max_count) + 0.5
    # A std of zero (one sample, no residual) means certainty; norm.cdf would give nan at 0/0.
    below = norm.cdf(half_integers, mean[:, None], np.maximum(std, 1e-9)[:, None])  # (N, C-1)
    probs = np.diff(below, axis=1, prepend=0.0, append=1.0)
    label = np.clip(np.rint(mean), 0, max_count).astype(np.int64)
    lower, upper = central_interval(probs)
    return Prediction(times, label, probs, mean, std, lower, upper, causal, samples)


def from_probabilities(times: pd.DatetimeIndex, samples: Floats, causal: bool = True) -> Prediction:
    """Return the prediction of a classifier: the samples' mean probabilities and their arg-max.

    Args:
        times: (N,) time of each row.
        samples: (S, N, C) sampled probabilities.
        causal: whether every row rests on rows up to its own time alone.
    """
    probs = samples.mean(axis=0)
    counts = np.arange(probs.shape[1])
    mean = probs @ counts
    # Not E[c^2] - mean^2: probabilities in single precision sum to 1 +- 1e-7, and a sure row would get a std of 1e-3.
    std = np.sqrt((probs * np.square(counts - mean[:, None])).sum(axis=1))
    lower, upper = central_interval(probs)
    shares = class_shares(samples)
    return Prediction(times, probs.argmax(axis=1), probs, mean, std, lower, upper, causal, samples, shares)


def floor(probs: Floats, least: float) -> Floats:
    """Return probabilities (..., C) of which none is much less than a least one, so that none has a wild logarithm."""
    floored: Floats = probs.clip(least)
    floored /= floored.sum(axis=-1, keepdims=True)
    return floored


def decide(prediction: Prediction, disagreement: Floats | None = None) -> Prediction:
    """Return a prediction whose label is the count next to its mean, which has the least expected squared error.

    Args:
        prediction: of a classifier, whose label is the likeliest count.
        disagreement: (N,) how far its parts disagree, in people, in place of its samples.
    """
    last = prediction.probs.shape[1] - 1
    label = np.clip(np.rint(prediction.mean), 0, last).astype(np.int64)
    if disagreement is None:
        return dataclasses.replace(prediction, label=label)
    return dataclasses.replace(prediction, label=label, samples=None, shares=None, disagreement=disagreement)


def class_shares(samples: Floats) -> Floats:
    """Return the share of samples whose arg-max is each label, (N, C), from (S, N, C) probabilities."""
    classes = samples.shape[-1]
    return np.stack([(samples.argmax(axis=-1) == c).mean(axis=0) for c in range(classes)], axis=-1)


def central_interval(probs: Floats, level: float = INTERVAL) -> tuple[Floats, Floats]:
    """Return the ends (N,), (N,) of the central interval of counts that holds at least ``level``.

    They are the (1 - level)/2 and (1 + level)/2 quantiles of the distribution over counts, so an
    interval always holds a whole count, also where a regressor's Normal is narrow.
    """
    cumulative = probs.cumsum(axis=1)
    tail = (1 - level) / 2
    # The sum may fall short of 1 by rounding; without slack a certain row would get a label too many.
    lower = (cumulative < tail - 1e-12).sum(axis=1)
    upper = (cumulative < 1 - tail - 1e-12).sum(axis=1)
    last = probs.shape[1] - 1
    return np.minimum(lower, last).astype(np.float64), np.minimum(upper, last).astype(np.float64)
