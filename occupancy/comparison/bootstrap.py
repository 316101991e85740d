"""Confidence intervals for the difference between two models: a paired bootstrap over stretches of one true count.

Rows are not independent: a model that counts three people instead of two does so for the whole meeting. So the
bootstrap draws whole stretches, and the same stretches for both models.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from occupancy.arrays import Floats, Ints
from occupancy.data.times import label_runs

DRAWS = 10_000
LEVEL = 0.95
_BLOCK = 1_000  # draws at a time, to save memory


def differences(excess: Floats, truths: Sequence[Ints]) -> tuple[Floats, Floats, Floats]:
    """Return the excess error of each model, averaged over folds, and the ends of its 95 % interval, three times (M,).

    The interval holds the central 95 % of the bootstrap samples; its ends are NaN if there is a single stretch.

    Args:
        excess: (M, N) the error of each row minus the error of the reference model, for M models and the rows of
            all folds one after another.
        truths: the true counts of the rows of each fold.
    """
    totals, weights = stretch_totals(excess, truths)
    estimate = totals.sum(axis=1) / weights.sum()
    if len(weights) < 2:
        unknown = np.full(len(excess), np.nan)
        return estimate, unknown, unknown
    drawn = np.concatenate([resampled(totals, weights, counts) for counts in _draw(len(weights))], axis=1)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    return estimate, low, high


def stretch_totals(excess: Floats, truths: Sequence[Ints]) -> tuple[Floats, Floats]:
    """Return the weighted excess of each stretch, (M, R), and its weight, (R,).

    A row has the weight 1 / (folds * rows of its fold), so that the totals of all stretches add up to the mean over
    folds.

    Args:
        excess: (M, N) see `differences`.
        truths: the true counts of the rows of each fold.
    """
    weight = np.concatenate([np.full(len(truth), 1 / (len(truths) * len(truth))) for truth in truths])
    each = [label_runs(truth) for truth in truths]
    before = np.cumsum([0, *(numbers[-1] + 1 for numbers in each[:-1])])
    numbers = np.concatenate([first + numbers for first, numbers in zip(before, each, strict=True)])
    *totals, weights = (np.bincount(numbers, weights=weight * errors) for errors in (*excess, np.ones_like(weight)))
    return np.stack(totals), np.asarray(weights, dtype=np.float64)


def resampled(totals: Floats, weights: Floats, counts: Ints) -> Floats:
    """Return the mean excess for each bootstrap sample, (M, D); a sample with each stretch once is the mean over folds.

    Args:
        totals: (M, R) weighted excess of each stretch.
        weights: (R,) weight of each stretch.
        counts: (D, R) how often each stretch is drawn.
    """
    return np.asarray((totals @ counts.T) / (counts @ weights))


def _draw(runs: int) -> list[Ints]:
    generator = np.random.default_rng(0)
    shares = np.full(runs, 1 / runs)
    return [generator.multinomial(runs, shares, _BLOCK) for _ in range(DRAWS // _BLOCK)]
