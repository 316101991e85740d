"""Decoding in time: from the probabilities of each row alone to probabilities given the rows around it.

The chain says how long counts last and which count follows (`durations`); the evidence is any model's probabilities
of each row. The recursions go row by row over scaled probabilities: time grows with T * S ** 2 and memory with T * S.
Products of matrices (`occupancy.models.neural.crf`) would need S times more of both. Scaling is safe here because
every state can follow every other: a state whose probability is rounded to 0 is far less likely than the states that
lead to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from occupancy.arrays import Floats, Ints
from occupancy.data.times import label_runs
from occupancy.features.learned import Learned
from occupancy.models.postprocess.durations import MOVE_FLOOR, AgeChain, Durations

Mode = Literal["filter", "lag", "smooth", "viterbi"]

EVIDENCE = (0.003, 3.0)  # range of the exponent of the evidence
DIVISION = (0.0, 2.0)  # range of the exponent of the label shares, as a multiple of the exponent of the evidence
MEMORY_S = 300.0  # rows this far apart usually have independent errors: sensors remember for a time, not for rows
EXPONENT_STD = np.array([0.3, 0.5])  # prior standard deviation of the logarithm of the first and of the second
MOST_NUMBERS = 2**24  # of states (T, B, S) that are held at once, 128 MB; with more, rows are decoded in blocks
GRID_POINTS, GRID_ROUNDS = 5, 6  # points along each axis of a grid, and how many ever finer grids


@dataclass(frozen=True)
class Exponents:
    """How strongly a model's probabilities of one row count in a chain that has seen the rows before it.

    Attributes:
        evidence: exponent of the probabilities.
        prior: exponent of the label shares, by which the probabilities are divided.
        shares: (C,) share of each label in the rows that the model learned from, above 0.
    """

    evidence: float
    prior: float
    shares: Floats

    def potentials(self, log_probs: Floats) -> Floats:
        """Return the log-potentials of labels (T, C) from their log-probabilities (T, C)."""
        return self.evidence * log_probs - self.prior * np.log(self.shares)

    def to_settings(self) -> dict[str, Any]:
        """Return plain values from which `from_settings` makes equal exponents."""
        return {"evidence": self.evidence, "prior": self.prior, "shares": self.shares.tolist()}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the exponents that `to_settings` described. Raise InputError if they are not as it gives them."""
        learned = Learned(settings, "exponents")
        shares = learned.numbers("shares", (None,), 0.0, 1.0, above=True)
        return cls(learned.number("evidence", 0.0, 100.0), learned.number("prior", 0.0, 100.0), shares)


class Decoded(NamedTuple):
    """The result of decoding one recording."""

    probs: Floats  # (T, C)
    path: Ints | None  # (T,) labels of the best path; None for modes without a path


def decode(durations: Durations, emissions: Floats, step_s: float, mode: Mode, lag: int = 0) -> Decoded:
    """Return the probabilities of each row's labels, and for ``viterbi`` a path.

    Args:
        durations: how long labels last.
        emissions: (T, C) finite log-potentials of the labels at the rows of one recording, at least one row.
        step_s: seconds between its rows.
        mode: ``filter`` uses the rows up to each row, ``lag`` also some rows after it, ``smooth`` all rows;
            ``viterbi`` uses all rows too, and its path holds the labels of the most likely path of labels and ages.
        lag: how many rows after each row ``lag`` uses, fewer near the end; its time grows with this number.
    """
    return decode_by(durations.chain(step_s), emissions, mode, lag)


def decode_by(chain: AgeChain, emissions: Floats, mode: Mode, lag: int = 0) -> Decoded:
    """Return what `decode` does, by a chain that is there already: to make one of many labels takes seconds."""
    probs = posteriors(chain, emissions[:, None], mode, lag)[:, 0]
    return Decoded(probs, best_path(chain, emissions) if mode == "viterbi" else None)


def learn_exponents(
    durations: Durations,
    pieces: Sequence[tuple[Floats, Ints]],
    shares: Floats,
    step_s: float,
    mode: Mode,
    lag: int = 0,
) -> Exponents:
    """Return the exponents with which the decoded probabilities of the true labels have the largest geometric mean.

    The score is the mean logarithm of the probability that the given mode gives the true label of each row, which is
    a proper score of what users see. Where neighbouring rows share an error, a chain that counts each of them as
    independent evidence loses much by this score, so the exponents become the smaller, the more rows depend on each
    other. The likelihood of the whole label path would show that too, but it rewards most the exact row at which a
    label changes, and does not know the mode. Against the weak prior the mean counts once for each run of equal
    labels, not once for each row: the rows of a run are one example of how far the evidence can be trusted.

    The prior of the first exponent is lognormal around step / `MEMORY_S`, at most 1; that of the second is normal
    around dividing by the shares as often as the evidence contains them. The maximum is found on ever finer grids.
    All points of a grid are decoded at once; the memory for the longest piece is 25 times that of `decode`.

    Args:
        durations: how long labels last.
        pieces: for each recording the log-probabilities (T, C), finite and by a model that did not learn
            from these rows, and the labels (T,).
        shares: (C,) share of each label in the rows that the model learns from, above 0.
        step_s: seconds between rows.
        mode: as in `decode`; ``viterbi`` has the probabilities of ``smooth``.
        lag: as in `decode`.
    """
    chain = durations.chain(step_s)
    box = limits = np.array([np.log(EVIDENCE), DIVISION])
    usual = np.array([np.log(min(step_s / MEMORY_S, 1.0)), 1.0])
    for _ in range(GRID_ROUNDS):
        tried, exponents = _grid(box)
        log_prior = -0.5 * np.square((tried - usual) / EXPONENT_STD).sum(1)
        best = (log_prior + _runs_mean(chain, pieces, shares, exponents, mode, lag)).argmax()
        around = tried[best, :, None] + (box[:, 1:] - box[:, :1]) / (GRID_POINTS - 1) * [-1, 1]
        box = around.clip(limits[:, :1], limits[:, 1:])
    return Exponents(float(exponents[best, 0]), float(exponents[best, 1]), shares)


def _grid(box: Floats) -> tuple[Floats, Floats]:
    """Return the points of a grid in a box (2, 2), and the two exponents that each stands for, both (P, 2)."""
    axes = np.linspace(box[:, 0], box[:, 1], GRID_POINTS)
    tried = np.stack(np.meshgrid(*axes.T), axis=-1).reshape(-1, 2)
    evidence = np.exp(tried[:, 0])
    return tried, np.stack([evidence, evidence * tried[:, 1]], axis=1)


def posteriors(chain: AgeChain, emissions: Floats, mode: Mode, lag: int = 0) -> Floats:
    """Return the probabilities of labels (T, B, C) from log-potentials (T, B, C) of B recordings; see `decode`."""
    assert np.isfinite(emissions).all(), "a log-potential that is not finite"
    length, batch, classes = emissions.shape
    rows = max(MOST_NUMBERS // (batch * len(chain.start)), lag, 1)
    if rows < length:
        return _in_blocks(chain, emissions, mode, lag if lag < length - 1 else length, rows)
    likelihoods = np.exp(emissions - emissions.max(2, keepdims=True)).repeat(len(chain.start) // classes, 2)
    states = _forward(chain, likelihoods)
    if mode == "lag" and lag < length - 1:
        states *= _ahead(chain, likelihoods, lag)
    elif mode != "filter":
        states *= _backward(chain, likelihoods)
    labels: Floats = states.reshape(length, batch, classes, -1).sum(3)
    labels /= labels.sum(2, keepdims=True)
    return labels


def _in_blocks(chain: AgeChain, emissions: Floats, mode: Mode, lag: int, rows: int) -> Floats:
    """Return what `posteriors` does with the states of a block of rows at a time.

    The first pass keeps the state before each block; the second goes from the last block to the first.
    """
    likelihoods: Floats = np.exp(emissions - emissions.max(2, keepdims=True))
    ages, labels = len(chain.start) // emissions.shape[2], np.empty_like(emissions)

    def of_states(part: slice) -> Floats:
        return likelihoods[part].repeat(ages, 2)

    blocks = [slice(start, start + rows) for start in range(0, len(emissions), rows)]
    before: list[Floats | None] = [None]
    for block in blocks[:-1]:
        before.append(_forward(chain, of_states(block), before[-1])[-1])
    message: Floats | None = None
    for block, state in zip(blocks[::-1], before[::-1], strict=True):
        own = of_states(block)
        states = _forward(chain, own, state)
        if mode == "lag" and lag < len(emissions):
            states *= _ahead(chain, of_states(slice(block.start, block.stop + lag)), lag)[: len(own)]
        elif mode != "filter":
            messages = _backward(chain, own, message)
            message = _back(chain.moves.T, messages[0] * own[0])
            states *= messages
        labels[block] = states.reshape(*own.shape[:2], -1, ages).sum(3)
    labels /= labels.sum(2, keepdims=True)
    return labels


def best_path(chain: AgeChain, emissions: Floats) -> Ints:
    """Return the labels (T,) of a most likely path of labels and ages for log-potentials (T, C); see `decode`."""
    length, classes = emissions.shape
    ages = len(chain.start) // classes
    arrivals, potentials = np.log(chain.moves).T.copy(), emissions.repeat(ages, 1)
    before = np.empty(potentials.shape, np.intp)
    best, states = np.log(chain.start) + potentials[0], np.arange(len(chain.start))
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


def _forward(chain: AgeChain, likelihoods: Floats, before: Floats | None = None) -> Floats:
    """Return the probabilities of states given the rows up to each, (T, B, S).

    Args:
        chain: the chain.
        likelihoods: (T, B, S) of the rows.
        before: (B, S) the probabilities at the row before them; None where a recording begins.
    """
    states = np.empty_like(likelihoods)
    for row, likelihood in enumerate(likelihoods):
        weights = likelihood * (chain.start if before is None else before @ chain.moves)
        before = states[row] = weights / weights.sum(1, keepdims=True)
    return states


def _backward(chain: AgeChain, likelihoods: Floats, last: Floats | None = None) -> Floats:
    """Return the likelihood of all rows after each row, given its state, (T, B, S), up to a factor for each row.

    Args:
        chain: the chain.
        likelihoods: (T, B, S) of the rows.
        last: (B, S) that of the last row; None where a recording ends.
    """
    messages, back = np.ones_like(likelihoods), chain.moves.T.copy()
    if last is not None:
        messages[-1] = last
    for row in range(len(messages) - 1, 0, -1):
        messages[row - 1] = _back(back, messages[row] * likelihoods[row])
    return messages


def _back(back: Floats, weights: Floats) -> Floats:
    """Return the likelihood (B, S) at a row from the weights (B, S) of the row after it, up to a factor."""
    message: Floats = weights @ back
    message /= message.sum(1, keepdims=True)
    return message


def _ahead(chain: AgeChain, likelihoods: Floats, lag: int) -> Floats:
    """Return the likelihood of the next ``lag`` rows after each row, given its state, (T, B, S), likewise."""
    messages, back = np.ones_like(likelihoods), chain.moves.T.copy()
    seen, width = np.empty_like(likelihoods), len(back)  # new memory for each product would take most of the time
    for ahead in range(lag, 0, -1):
        here, product = messages[:-ahead], seen[:-ahead]
        np.multiply(here, likelihoods[ahead:], out=product)
        np.matmul(product.reshape(-1, width), back, out=here.reshape(-1, width))
        here /= here.sum(2, keepdims=True)
    return messages


def _runs_mean(
    chain: AgeChain, pieces: Sequence[tuple[Floats, Ints]], shares: Floats, exponents: Floats, mode: Mode, lag: int
) -> Floats:
    """Return the mean log-probability of the labels for each of G exponents (G, 2), times the number of label runs."""
    total, rows, runs = np.zeros(len(exponents)), 0, 0
    for log_probs, labels in pieces:
        size = max(MOST_NUMBERS // log_probs.size, 1)
        for first in range(0, len(exponents), size):  # all at once, unless there are many labels
            tried = slice(first, first + size)
            emissions = exponents[tried, :1] * log_probs[:, None] - exponents[tried, 1:] * np.log(shares)
            true = posteriors(chain, emissions, mode, lag)[np.arange(len(labels)), :, labels]
            total[tried] += np.log(true.clip(MOVE_FLOOR)).sum(0)
        rows, runs = rows + len(labels), runs + int(label_runs(labels)[-1]) + 1
    return total * runs / rows
