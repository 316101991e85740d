"""Probabilities of the rows that a model learns from, by models that did not: each visit is left out once."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.data.times import label_runs, stretches
from occupancy.errors import InputWarning
from occupancy.models.estimator import NO_STEPS, Make, Steps
from occupancy.models.rooms import predict_by_room
from occupancy.prediction import Prediction

APART_S = 1200.0  # what an empty room must last for, at each end, to part two visits
MOST = 8  # models that are trained at most; beyond, visits share one
PARTS = 4  # of rows that no visits part well
NONE = -1


def visits(fold: Fold, rows: Rows) -> Ints:
    """Return the number of the visit that each row belongs to, (N,), -1 for rows not asked for.

    The rows of a stretch are parted in the middle of each long time without people, so that a visit has empty
    rows before and after it. Rows of one visit are alike, and so are those at its edges: parted anywhere else, a
    model would be asked about rows whose neighbours it has learned by heart.

    Args:
        fold: the fold, whose log has counts at the rows.
        rows: (N,) the rows to part.
    """
    log = fold.log
    stretch = stretches(log.times, rows, log.max_gap)
    positions = np.flatnonzero(rows)
    counts, stretch = fold.counts(rows), stretch[positions]
    opens = np.diff(stretch, prepend=NONE) != 0
    seconds = (log.times[positions] - log.times[0]).total_seconds().to_numpy()
    cuts = opens.copy()
    first = np.flatnonzero(opens | (np.diff(label_runs(counts), prepend=0) != 0))
    for start, end in zip(first, np.append(first, len(counts))[1:], strict=True):
        whole = opens[start] and (end == len(counts) or opens[end])  # of a stretch: there is no visit to part it from
        if counts[start] == 0 and not whole and seconds[end - 1] - seconds[start] >= 2 * APART_S:
            cuts[(start + end) // 2] = True
    numbers = np.full(len(rows), NONE)
    numbers[positions] = np.cumsum(cuts) - 1
    return numbers


def left_out(fold: Fold, rows: Rows) -> Ints:
    """Return which model leaves each row out, (N,), -1 for rows not asked for: a visit each, or some.

    Short visits that are beyond `MOST` join the group that has the fewest rows. Of a log of many rooms each room is
    left out as a whole, for it is unknown rooms that the model is asked about. Where so few visits were seen that
    the others of one have a single label, from which nothing is learned, the rows are cut in time instead.

    Args:
        fold: the fold, whose log has counts at the rows.
        rows: (N,) the rows that a model learns from, of two labels or more.
    """
    number = visits(fold, rows)[rows]
    if fold.log.rooms:
        ends = [place.end for place in fold.log.rooms]
        room = np.unique(np.searchsorted(ends, np.flatnonzero(rows), side="right"), return_inverse=True)[1]
        number = room if room.any() else number  # of a single room, visits again
    sizes = np.bincount(number)
    group_of, weight = np.empty(len(sizes), np.int64), np.zeros(min(MOST, len(sizes)))
    for visit in np.argsort(-sizes, kind="stable"):
        group_of[visit] = weight.argmin()
        weight[group_of[visit]] += sizes[visit]
    counts, found = fold.counts(rows), group_of[number]
    if any(len(np.unique(counts[found != group])) < 2 for group in range(len(weight))):
        found = _in_time(counts)
    groups = np.full(len(rows), NONE)
    groups[rows] = found
    return groups


def _in_time(counts: Ints) -> Ints:
    """Return which of `PARTS` successive parts rows (N,) with such counts belong to, (N,).

    Each label weighs the same, and so does each part: what is left without one holds two labels or more.
    """
    weights = 1 / np.bincount(counts)[counts]
    middles = weights.cumsum() - weights / 2
    return np.asarray(PARTS * middles / weights.sum(), np.int64)


def count_groups(groups: Ints) -> int:
    """Return how many groups rows (N,) are in, each of which a model leaves out."""
    return int(groups.max()) + 1


def out_of_fold(config: Config, fold: Fold, groups: Ints, make: Make, steps: Steps = NO_STEPS) -> Floats:
    """Return the probabilities (N, C) of each grouped row by a model that left out its group; see `predictions`.

    Args:
        config: the experiment.
        fold: the fold, its test rows blank or not.
        groups: (N,) the group of each row, -1 for rows that are neither learned from nor predicted.
        make: returns the unfitted model of an experiment.
        steps: the progress, in which the caller has planned a step for each group.
    """
    probs = np.full((len(groups), config.data.max_count + 1), np.nan)
    for asked, prediction in predictions(config, fold, groups, make):
        probs[asked] = prediction.probs
        steps.done()
    return probs


def predictions(config: Config, fold: Fold, groups: Ints, make: Make) -> Iterator[tuple[Rows, Prediction]]:
    """Yield the rows (N,) of each group and their prediction by a model that did not learn from them.

    Rows of the other groups are the past that a row looks back on, as they are for a row in use: their sensors,
    not their labels. Validation rows that are in no group choose the number of epochs, as they do for the model in
    use. No row outside all groups is a row's past, so what the fold tests, or validates, is not even seen there. A
    model with memory begins with the rows asked for, since it has learned from the others.

    Args:
        config: the experiment.
        fold: the fold, its test rows blank or not.
        groups: (N,) the group of each row, -1 for rows that are neither learned from nor predicted.
        make: returns the unfitted model of an experiment.
    """
    grouped = groups != NONE
    sensors = fold.log.frame.drop(columns=fold.log.schema.count)[grouped]
    for group in np.unique(groups[grouped]):
        asked = groups == group
        estimator = make(config)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)  # the model for use gives them, once
            estimator.fit(_without(fold, asked, grouped), NO_STEPS)
        yield asked, predict_by_room(estimator, sensors, asked[grouped], fold.log, past=asked[grouped])


def _without(fold: Fold, asked: Rows, grouped: Rows) -> Fold:
    """Return a fold as it is without some of its grouped rows, which are blank in it."""
    validation = fold.validation & ~asked
    train = grouped & ~asked & ~validation
    if not validation.any() or not train.any():  # all of one part is left out: half of what is left chooses
        rest = np.flatnonzero(train | validation)
        train, validation = np.zeros((2, len(asked)), bool)
        train[rest[: len(rest) // 2]] = True
        validation[rest[len(rest) // 2 :]] = True
    return dataclasses.replace(fold, train=train, validation=validation, test=~(train | validation)).sealed()


def pieces(groups: Ints, times: pd.DatetimeIndex, max_gap: float) -> list[Ints]:
    """Return the positions of rows that follow each other within one group, an array a piece."""
    stretch = stretches(times, groups != NONE, max_gap)
    positions = np.flatnonzero(groups != NONE)
    ends = (np.diff(groups[positions]) != 0) | (np.diff(stretch[positions]) != 0)
    return np.split(positions, np.flatnonzero(ends) + 1)
