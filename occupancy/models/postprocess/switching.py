"""Counts that one can switch by: a count changes only where that is worth a stated cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from occupancy.arrays import Floats, Ints, Rows
from occupancy.prediction import Loss, Prediction, best_label


def switched(
    prediction: Prediction, loss: Loss, cost: float, runs: Sequence[Ints], known: Rows | None = None
) -> Prediction:
    """Return a prediction whose labels change only where it pays, see `switched_labels`; its intervals hold them."""
    label = switched_labels(prediction.probs, prediction.mean, loss, cost, runs, known)
    return dataclasses.replace(
        prediction,
        label=label,
        lower=np.minimum(prediction.lower, label),
        upper=np.maximum(prediction.upper, label),
    )


def switched_labels(
    probs: Floats, mean: Floats, loss: Loss, cost: float, runs: Sequence[Ints], known: Rows | None = None
) -> Ints:
    """Return the counts (N,) with the smallest expected loss plus the cost of changing them.

    Each row decides by its own probabilities and by the count of the row before it, so the counts are causal if the
    probabilities are. The first row of a run has no count before it.

    Args:
        probs: (N, C) probability of each count.
        mean: (N,) their mean, in people.
        loss: what a wrong count costs.
        cost: what a change costs, in the unit of the loss.
        runs: positions of rows that follow each other without a gap, an array for each run.
        known: (N,) rows that have evidence; others keep the count before them. None for all.
    """
    best = best_label(probs, mean, loss)
    if not cost:
        return best
    losses = _expected(probs, mean, loss)
    found = best.copy()
    least = losses[np.arange(len(best)), best]
    for run in runs:
        held: int | None = None
        for row, other in zip(run.tolist(), best[run].tolist(), strict=True):
            is_known = known is None or known[row]
            if is_known and (held is None or (other != held and losses[row, held] - least[row] > cost)):
                held = other
            found[row] = other if held is None else held
    return found


def _expected(probs: Floats, mean: Floats, loss: Loss) -> Floats:
    """Return the expected loss (N, C) of each count, up to a constant of the row."""
    counts = np.arange(probs.shape[1])
    if loss == "squared":  # the variance, which is the same for all counts, is left out
        return np.square(counts - mean[:, None])
    if loss == "absolute":
        return np.asarray(probs @ np.abs(counts[:, None] - counts))
    return -probs
