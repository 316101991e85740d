"""Folds for a log: train on the past, test on what follows, cut where nobody is in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints
from occupancy.errors import InputError
from occupancy.setup.cuts import TIERS, Cuts, find_cuts

Interval = tuple[pd.Timestamp, pd.Timestamp]
Parts = dict[str, list[Interval]]
"""The intervals of ``train``, ``validation`` and ``test``."""

MOST_FOLDS = ((14, 4), (4, 3), (1, 2))  # days with counts, and the folds that they are cut into
_TRAINED, _VALIDATED = 0.4, 0.25  # share of the log before the first test; share of the training for validation
_SHORTEST, _LONGEST = 0.2, 0.75  # of the log, before the first test
_LACKING = 0.15  # what a count costs that a part lacks, in shares of the log
_WEIGHED = 60  # cuts among which the validation is chosen


def plan_folds(times: pd.DatetimeIndex, counts: Floats, max_gap: float) -> list[Parts]:
    """Return the folds of a log: two to four where it is long enough, else one.

    Args:
        times: (N,) sorted local times.
        counts: (N,) people, NaN where the number is not known.
        max_gap: seconds; a longer step between rows is a gap.

    Raises:
        InputError: if the log can't be cut into parts to train, validate and test.
    """
    known = ~np.isnan(counts)
    days = times[known].normalize().nunique()
    wanted = next((folds for fewest, folds in MOST_FOLDS if days >= fewest), 1)
    best: list[Parts] = []
    for tier in range(TIERS):
        cuts = find_cuts(times, counts, max_gap, tier)
        for folds in range(wanted, len(best), -1):
            if found := _forward(cuts, folds):
                best = found
                break
        if len(best) >= min(wanted, 2):
            break
    if not best:
        seen = ", ".join(f"{count:g}" for count in np.unique(counts[known])[:10])
        raise InputError(
            f"the counts ({seen or 'none'}; {known.sum():,} rows on {days} days) can't be cut into parts to train, "
            "validate and test with at least two different counts to train; record for longer"
        )
    return best


def _forward(cuts: Cuts, folds: int) -> list[Parts]:
    """Return so many folds that each test what follows their training rows; none if the cuts don't allow it."""
    weight, choices = cuts.weight, []
    for first in range(1, len(weight) - folds):
        if not _SHORTEST <= weight[first] <= _LONGEST:
            continue
        ends = _even(weight, first, folds)
        if ends is None:
            continue
        bounds = [first, *ends]
        sizes = np.diff(weight[bounds])
        lacking = sum(
            _lacking(cuts.labels[end], cuts.labels[next_end] - cuts.labels[end])
            for end, next_end in itertools.pairwise(bounds)
        )
        if folds > 1 and not all(
            (cuts.labels[next_end] - cuts.labels[end])[1:].any() for end, next_end in itertools.pairwise(bounds)
        ):
            continue  # a test without people says little
        cost = abs(weight[first] - _TRAINED) + float(np.ptp(sizes)) / 2 + _LACKING * lacking / folds
        choices.append((cost, bounds))
    for _, bounds in sorted(choices):
        made = [_fold(cuts, end, next_end) for end, next_end in itertools.pairwise(bounds)]
        if all(made):
            return [parts for parts in made if parts is not None]
    return []


def _even(weight: Floats, first: int, folds: int) -> list[int] | None:
    """Return the ends of so many parts of about equal weight from a first cut on; None if there are too few cuts."""
    ends: list[int] = []
    for number in range(1, folds):
        after = (ends or [first])[-1] + 1
        room = np.arange(after, len(weight) - (folds - number))
        if not len(room):
            return None
        ideal = weight[first] + (1 - weight[first]) * number / folds
        ends.append(int(room[np.argmin(np.abs(weight[room] - ideal))]))
    whole = [*ends, len(weight) - 1]
    return whole if (np.diff(weight[[first, *whole]]) > 0).all() else None


def _fold(cuts: Cuts, end: int, next_end: int) -> Parts | None:
    """Return the fold that trains before one cut and tests from it to another; None if it can't be validated."""
    options = sorted(_validations(cuts, end))
    if not options:
        return None
    _, start, stop = options[0]
    times = cuts.times
    return {
        "train": [(times[0], times[end])],
        "validation": [(times[start], times[stop])],
        "test": [(times[end], times[next_end])],
    }


def _validations(cuts: Cuts, end: int) -> Iterator[tuple[float, int, int]]:
    """Yield cost, start and end of each validation part that leaves two counts to train."""
    whole, weight = cuts.labels[end], cuts.weight
    inner = np.unique(np.linspace(0, end, min(end + 1, _WEIGHED)).astype(int))
    for start, stop in itertools.combinations(inner.tolist(), 2):
        validation = cuts.labels[stop] - cuts.labels[start]
        train = whole - validation
        if not validation.any() or np.count_nonzero(train) < 2:
            continue
        share = (weight[stop] - weight[start]) / max(weight[end], 1e-9)
        cost = abs(share - _VALIDATED) + _LACKING * _lacking(train, whole)
        cost += 0.1 * (stop != end)  # the last rows are most like those to come
        cost += 0.5 * (not validation[1:].any()) + 0.2 * (not validation[0])
        yield float(cost), start, stop


def _lacking(learned: Ints, asked: Ints) -> int:
    """Return how many counts are in some rows and not in those that are learned."""
    return int(np.count_nonzero((asked > 0) & (learned == 0)))
