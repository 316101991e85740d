"""Predictions: for each row a count, its probabilities and an interval."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from occupancy.arrays import Floats, Ints, Rows
from occupancy.errors import InputError

Loss = Literal["squared", "absolute", "zero_one"]
"""What a wrong count costs; as `occupancy.config.Loss`, since settings are read without pandas."""

INTERVAL = 0.90
COLUMNS = ("time", "count", "mean", "std", "lower", "upper", "epistemic", "aleatoric")
"""The columns of a table of predictions before the probabilities; all but the time in people."""

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
        label: (N,) the count to act on.
        probs: (N, C) probability of each count 0..C-1.
        mean: (N,) mean of the predictive distribution, in people.
        std: (N,) its standard deviation, in people.
        lower: (N,) lower end of the 90 % interval, in people: of the central one, or as calibrated.
        upper: (N,) its upper end.
        causal: whether every row uses rows up to its own time only.
        samples: (S, N) sampled means in people, or (S, N, C) sampled probabilities.
        shares: (N, C) share of a classifier's samples in which each label is the most likely one.
        disagreement: (N,) standard deviation between samples, in people, if the samples are not kept.
        answered: (N,) whether the row is certain enough to be answered, and its sensors had readings; None if every
            row is answered.
        delay_s: seconds after a row's time at which its prediction can be had.

    Raises:
        InputError: a number of it is not finite.
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

    def __post_init__(self) -> None:
        """Let no number pass that is not finite."""
        _check_finite(self.times, self.probs, self.mean, self.std, self.lower, self.upper)

    def __len__(self) -> int:
        """Return the number of rows N."""
        return len(self.times)

    @property
    def epistemic(self) -> Floats:
        """The part of ``std`` that more training rows would reduce, (N,) in people: the spread between samples.

        It is at most ``std``: the members of a pool may differ by more than the standard deviation of the pool.
        """
        if self.samples is None:
            return np.zeros(len(self)) if self.disagreement is None else np.minimum(self.disagreement, self.std)
        people = self.samples if self.samples.ndim == 2 else self.samples @ np.arange(self.samples.shape[2])
        return np.asarray(people.std(axis=0))

    @property
    def aleatoric(self) -> Floats:
        """The part of ``std`` that remains, (N,) in people; the squares of both parts add up to that of ``std``."""
        return np.asarray(np.sqrt(np.maximum(np.square(self.std) - np.square(self.epistemic), 0.0)))

    @property
    def is_answered(self) -> Rows:
        """Whether each row is answered, (N,)."""
        return np.ones(len(self), bool) if self.answered is None else self.answered

    def at(self, rows: slice | Rows) -> Prediction:
        """Return the predictions of some rows, a slice or a mask (N,)."""
        columns = {name: getattr(self, name) for name in (*_OF_ROWS, "times")}
        taken: dict[str, Any] = {name: None if column is None else column[rows] for name, column in columns.items()}
        return dataclasses.replace(self, samples=None if self.samples is None else self.samples[:, rows], **taken)

    def to_frame(self) -> pd.DataFrame:
        """Return a table for people: `COLUMNS`, then p0..p{C-1}, and ``answered`` with selective prediction."""
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
    """Return the predictions of successive rows as one, without the samples, which take most of the memory."""
    # One part at a time: its samples are dropped before those of the next part are drawn.
    bare = [dataclasses.replace(part, samples=None, disagreement=part.epistemic) for part in parts]
    if any(part.answered is not None for part in bare):
        bare = [dataclasses.replace(part, answered=part.is_answered) for part in bare]
    given = [name for name in _OF_ROWS if all(getattr(part, name) is not None for part in bare)]
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in bare]) for name in given}
    times = np.concatenate([part.times for part in bare])
    causal, delay_s = all(part.causal for part in bare), max(part.delay_s for part in bare)
    return Prediction(pd.DatetimeIndex(times, name=bare[0].times.name), causal=causal, delay_s=delay_s, **joined)


def scatter(parts: Sequence[tuple[Rows, Prediction]]) -> Prediction:
    """Return the predictions of N rows from those of disjoint parts that hold them all, without the samples.

    Args:
        parts: the rows (N,) of each part, and their prediction.
    """
    bare = [(rows, dataclasses.replace(part, samples=None, disagreement=part.epistemic)) for rows, part in parts]
    if any(part.answered is not None for _, part in bare):
        bare = [(rows, dataclasses.replace(part, answered=part.is_answered)) for rows, part in bare]
    columns: dict[str, Any] = {}
    for name in (*_OF_ROWS, "times"):
        given = [(rows, getattr(part, name)) for rows, part in bare]
        if any(values is None for _, values in given):
            continue
        first = np.asarray(given[0][1])
        columns[name] = np.empty((len(given[0][0]), *first.shape[1:]), first.dtype)
        for rows, values in given:
            columns[name][rows] = values
    times = pd.DatetimeIndex(columns.pop("times"), name=bare[0][1].times.name)
    causal, delay_s = all(part.causal for _, part in bare), max(part.delay_s for _, part in bare)
    return Prediction(times, causal=causal, delay_s=delay_s, **columns)


def from_people(
    times: pd.DatetimeIndex, samples: Floats, residual_var: float | Floats, max_count: int, causal: bool = True
) -> Prediction:
    """Return the prediction of a regressor.

    The predictive distribution is Normal: its mean is the mean of the samples, its variance their variance (epistemic)
    plus the residual variance (aleatoric). A count gets the Normal mass between the half-integers around it; the
    smallest and the largest count get the tails too.

    Args:
        times: (N,) time of each row.
        samples: (S, N) sampled counts, in people.
        residual_var: mean square of count minus mean, people squared, on rows that are not tested; under the honest
            protocol, rows that the model was not fitted on. One for all rows, or (N,) one for each.
        max_count: the largest count, C - 1.
        causal: whether every row uses rows up to its own time only.

    Raises:
        InputError: a sample is not finite, or so large that its square is not.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # which the check names by its rows
        mean = samples.mean(axis=0)
        std = np.sqrt(samples.var(axis=0) + residual_var)
    _check_finite(times, mean, std)  # before they are made whole numbers, which anything would become
    half_integers = np.arange(max_count) + 0.5
    # A std of 0 (one sample, no residual variance) means certainty; norm.cdf would give nan for 0/0.
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
        causal: whether every row uses rows up to its own time only.

    Raises:
        InputError: a probability is not finite.
    """
    probs = samples.mean(axis=0)
    _check_finite(times, probs)
    counts = np.arange(probs.shape[1])
    mean = probs @ counts
    # Not E[c^2] - mean^2: probabilities in single precision sum to 1 +- 1e-7, so a certain row would get a std of 1e-3.
    std = np.sqrt((probs * np.square(counts - mean[:, None])).sum(axis=1))
    lower, upper = central_interval(probs)
    shares = class_shares(samples)
    return Prediction(times, probs.argmax(axis=1), probs, mean, std, lower, upper, causal, samples, shares)


def _check_finite(times: pd.DatetimeIndex, *columns: Floats) -> None:
    """Check that numbers (N,) or (N, C) are finite.

    Raises:
        InputError: some are not; it says of how many rows, and names the first.
    """
    if all(np.isfinite(column).all() for column in columns):
        return
    wrong = ~np.logical_and.reduce([np.isfinite(column.reshape(len(times), -1)).all(axis=1) for column in columns])
    raise InputError(
        f"the model gives {int(wrong.sum()):,} of {len(times):,} rows no finite count, the first at "
        f"{times[int(wrong.argmax())]}; correct the readings up to there, or train the model again"
    )


def floor(probs: Floats, least: float) -> Floats:
    """Return probabilities (..., C) of which none is much below ``least``, so that all logarithms are moderate."""
    floored: Floats = probs.clip(least)
    floored /= floored.sum(axis=-1, keepdims=True)
    return floored


def decide(prediction: Prediction, loss: Loss = "squared", disagreement: Floats | None = None) -> Prediction:
    """Return a prediction whose label has the smallest expected loss.

    Args:
        prediction: of any model.
        loss: ``squared``, the count nearest to the mean; ``absolute``, the median; ``zero_one``, the likeliest count.
        disagreement: (N,) standard deviation between its parts, in people, which replaces its samples.
    """
    label = best_label(prediction.probs, prediction.mean, loss)
    if disagreement is None:
        return dataclasses.replace(prediction, label=label)
    return dataclasses.replace(prediction, label=label, samples=None, shares=None, disagreement=disagreement)


def best_label(probs: Floats, mean: Floats, loss: Loss) -> Ints:
    """Return the counts (N,) with the smallest expected loss, given probabilities (N, C) and their mean (N,)."""
    if loss == "zero_one":
        return np.asarray(probs.argmax(axis=1))
    if loss == "absolute":
        return np.asarray(np.minimum((probs.cumsum(axis=1) < 0.5 - 1e-12).sum(axis=1), probs.shape[1] - 1))
    return np.clip(np.rint(mean), 0, probs.shape[1] - 1).astype(np.int64)


def class_shares(samples: Floats) -> Floats:
    """Return the share of samples in which each label is the arg-max, (N, C), from probabilities (S, N, C)."""
    likeliest = samples.argmax(axis=-1)
    return np.stack([(likeliest == c).mean(axis=0) for c in range(samples.shape[-1])], axis=-1)


def central_interval(probs: Floats, level: float = INTERVAL) -> tuple[Floats, Floats]:
    """Return the ends (N,), (N,) of the central interval of counts that holds at least the probability ``level``.

    They are the (1 - level)/2 and (1 + level)/2 quantiles of the distribution over counts. So an interval always holds
    a whole count, also where a regressor's Normal is narrow.
    """
    cumulative = probs.cumsum(axis=1)
    tail = (1 - level) / 2
    # By rounding the sum may be below 1; without slack the interval of a certain row would hold one label more.
    lower = (cumulative < tail - 1e-12).sum(axis=1)
    upper = (cumulative < 1 - tail - 1e-12).sum(axis=1)
    last = probs.shape[1] - 1
    return np.minimum(lower, last).astype(np.float64), np.minimum(upper, last).astype(np.float64)
