"""Decoding in time: probabilities of each row alone to those given the rows around it.

The chain comes from how long counts last and where they go (`durations`), the evidence from any model's
probabilities of each row. Recursions go row by row over scaled probabilities: time grows with T * S ** 2 and
memory with T * S, where products of matrices (`occupancy.models.neural.crf`) would take S times more of both.
To scale is safe here, since every state leads to every other: a state whose probability is rounded to 0 is far
less likely than those that lead to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from occupancy.arrays import Floats, Ints
from occupancy.data.times import label_runs
from occupancy.models.postprocess.durations import LEAST, Durations, Steps

Mode = Literal["filter", "lag", "smooth", "viterbi"]

EVIDENCE = (0.003, 3.0)  # the exponents of the evidence that are tried
DIVISION = (0.0, 2.0)  # and the exponents of the labels' shares, as multiples of it
MEMORY_S = 300.0  # rows this far apart are usually witnesses of their own: what sensors remember is a time
SPREAD = np.array([0.3, 0.5])  # how far from the usual either may be, the evidence in logarithms
POINTS, ROUNDS = 5, 6  # of a grid along each axis, and of ever finer grids


@dataclass(frozen=True)
class Emissions:
    """How a model's probabilities of one row count in a chain that has seen the rows before.

    Attributes:
        evidence: the exponent of the probabilities.
        prior: the exponent of the labels' shares, by which they are divided.
        shares: (C,) share of each label in the rows that the model learned from, above 0.
    """

    evidence: float
    prior: float
    shares: Floats

    def potentials(self, log_probs: Floats) -> Floats:
        """Return the log-potentials of labels (T, C) from their log-probabilities (T, C)."""
        return self.evidence * log_probs - self.prior * np.log(self.shares)

    def to_settings(self) -> dict[str, Any]:
        """Return what `from_settings` makes equal emissions from, as text can hold it."""
        return {"evidence": self.evidence, "prior": self.prior, "shares": self.shares.tolist()}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the emissions that `to_settings` described."""
        return cls(settings["evidence"], settings["prior"], np.array(settings["shares"]))


class Decoded(NamedTuple):
    """What a decoder says of one recording."""

    probs: Floats  # (T, C)
    path: Ints | None  # (T,) labels of the best path, where one was asked for


def decode(durations: Durations, emissions: Floats, step_s: float, mode: Mode, lag: int = 0) -> Decoded:
    """Return the probabilities of each row's labels, and for ``viterbi`` a path.

    Args:
        durations: how long labels last.
        emissions: (T, C) finite log-potentials of the labels at the rows of one recording, at least one.
        step_s: seconds between its rows.
        mode: ``filter`` looks at the rows up to each, ``lag`` also at some after it, ``smooth`` at all;
            ``viterbi`` does too, and its path has the labels of the likeliest path of labels and ages.
        lag: how many rows after each one ``lag`` looks at, fewer near the end; its time grows with them.
    """
    steps = durations.steps(step_s)
    probs = posteriors(steps, emissions[:, None], mode, lag)[:, 0]
    return Decoded(probs, best_path(steps, emissions) if mode == "viterbi" else None)


def learn_exponents(
    durations: Durations,
    pieces: Sequence[tuple[Floats, Ints]],
    shares: Floats,
    step_s: float,
    mode: Mode,
    lag: int = 0,
) -> Emissions:
    """Return the emissions whose decoded probabilities of the true labels are largest, in a geometric mean.

    What is averaged is the logarithm of the probability that the mode asked for gives the label of each
    row: a proper score of what users see. It falls by much where neighbouring rows share their error and the
    chain takes them for so many witnesses, so that exponents come out as small as those rows are dependent.
    The likelihood of the whole label path would tell that too, but pays most for the rows at which labels
    change exactly, and knows no mode. Against a weak prior the mean counts once per run of equal labels, not
    once per row: the rows of a run are one example of how far the evidence may be trusted.

    The prior is lognormal about the share of `MEMORY_S` that a step is, at most 1, and normal about dividing
    by as much of the shares as the evidence has in it. The maximum is found on ever finer grids, of which
    each is decoded at once; memory grows with the longest piece, by 25 times what `decode` takes.

    Args:
        durations: how long labels last.
        pieces: of each recording the log-probabilities (T, C), finite and by a model that did not learn
            from these rows, and the labels (T,).
        shares: (C,) share of each label in the rows that a model learns from, above 0.
        step_s: seconds between rows.
        mode: as in `decode`; ``viterbi`` has the probabilities of ``smooth``.
        lag: as in `decode`.
    """
    steps = durations.steps(step_s)
    limits, usual = np.array([np.log(EVIDENCE), DIVISION]), np.array([np.log(min(step_s / MEMORY_S, 1.0)), 1.0])
    box = limits
    for _ in range(ROUNDS):
        axes = np.linspace(box[:, 0], box[:, 1], POINTS)
        tried = np.stack(np.meshgrid(*axes.T), axis=-1).reshape(-1, 2)
        evidence = np.exp(tried[:, 0])
        exponents = np.stack([evidence, evidence * tried[:, 1]], axis=1)
        log_prior = -0.5 * np.square((tried - usual) / SPREAD).sum(1)
        scores = log_prior + _runs_mean(steps, pieces, shares, exponents, mode, lag)
        best = scores.argmax()
        around = tried[best, :, None] + (box[:, 1:] - box[:, :1]) / (POINTS - 1) * [-1, 1]
        box = around.clip(limits[:, :1], limits[:, 1:])
    return Emissions(float(exponents[best, 0]), float(exponents[best, 1]), shares)


def posteriors(steps: Steps, emissions: Floats, mode: Mode, lag: int = 0) -> Floats:
    """Return the probabilities of labels (T, B, C) from log-potentials (T, B, C) of B recordings; see `decode`."""
    assert np.isfinite(emissions).all(), "a log-potential that is not finite"
    length, batch, classes = emissions.shape
    likelihoods = np.exp(emissions - emissions.max(2, keepdims=True)).repeat(len(steps.start) // classes, 2)
    states = _forward(steps, likelihoods)
    if mode == "lag" and lag < length - 1:
        states *= _ahead(steps, likelihoods, lag)
    elif mode != "filter":
        states *= _backward(steps, likelihoods)
    labels: Floats = states.reshape(length, batch, classes, -1).sum(3)
    labels /= labels.sum(2, keepdims=True)
    return labels


def best_path(steps: Steps, emissions: Floats) -> Ints:
    """Return the labels (T,) of a likeliest path of labels and ages for log-potentials (T, C); see `decode`."""
    length, classes = emissions.shape
    ages = len(steps.start) // classes
    arrivals, potentials = np.log(steps.moves).T.copy(), emissions.repeat(ages, 1)
    before = np.empty(potentials.shape, np.intp)
    best, states = np.log(steps.start) + potentials[0], np.arange(len(steps.start))
    for row in range(1, length):
        scores = arrivals + best
        before[row] = scores.argmax(1)
        best = scores[states, before[row]] + potentials[row]
    path = np.empty(length, np.int64)
    path[-1] = best.argmax()
    for row in range(length - 1, 0, -1):
        path[row - 1] = before[row, path[row]]
    path //= ages
    return path


def _forward(steps: Steps, likelihoods: Floats) -> Floats:
    """Return the probabilities of states given the rows up to each, (T, B, S)."""
    states, before = np.empty_like(likelihoods), steps.start
    for row, likelihood in enumerate(likelihoods):
        weights = likelihood * (before if row == 0 else before @ steps.moves)
        before = states[row] = weights / weights.sum(1, keepdims=True)
    return states


def _backward(steps: Steps, likelihoods: Floats) -> Floats:
    """Return how likely each state makes all rows after its own, (T, B, S), up to a factor a row."""
    messages, back = np.ones_like(likelihoods), steps.moves.T.copy()
    for row in range(len(messages) - 1, 0, -1):
        message = (messages[row] * likelihoods[row]) @ back
        messages[row - 1] = message / message.sum(1, keepdims=True)
    return messages


def _ahead(steps: Steps, likelihoods: Floats, lag: int) -> Floats:
    """Return the same of the first ``lag`` rows after its own alone, for all rows at once."""
    messages, back = np.ones_like(likelihoods), steps.moves.T.copy()
    seen, width = np.empty_like(likelihoods), len(back)  # new memory at each turn would take most of the time
    for ahead in range(lag, 0, -1):
        here, product = messages[:-ahead], seen[:-ahead]
        np.multiply(here, likelihoods[ahead:], out=product)
        np.matmul(product.reshape(-1, width), back, out=here.reshape(-1, width))
        here /= here.sum(2, keepdims=True)
    return messages


def _runs_mean(
    steps: Steps, pieces: Sequence[tuple[Floats, Ints]], shares: Floats, exponents: Floats, mode: Mode, lag: int
) -> Floats:
    """Return the mean log-probability (G,) of the labels under exponents (G, 2), times the number of label runs."""
    total, rows, runs = np.zeros(len(exponents)), 0, 0
    for log_probs, labels in pieces:
        emissions = exponents[:, :1] * log_probs[:, None] - exponents[:, 1:] * np.log(shares)
        true = posteriors(steps, emissions, mode, lag)[np.arange(len(labels)), :, labels]
        total += np.log(true.clip(LEAST)).sum(0)
        rows, runs = rows + len(labels), runs + int(label_runs(labels)[-1]) + 1
    return total * runs / rows
