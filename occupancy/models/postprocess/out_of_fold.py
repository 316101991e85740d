"""Out-of-fold probabilities: each row that a model learns from, predicted by a model that left out its visit."""

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

APART_S = 1200.0  # an empty room separates two visits if each visit keeps at least this many empty seconds
MAX_GROUPS = 8  # most models that are trained; with more visits, several are left out together
ENOUGH_DAYS = 6  # with people: as many days are left out whole, since a model may know the rhythm of days
TIME_PARTS = 4  # parts in time, where leaving out visits leaves too few labels
UNGROUPED = -1
"""The group of a row that is neither learned from nor predicted."""


def visits(fold: Fold, rows: Rows) -> Ints:
    """Return the number of the visit that each row belongs to, (N,), `UNGROUPED` for rows not asked for.

    A stretch of rows is cut in the middle of each long time without people, so that a visit has empty rows before and
    after it. The rows of one visit are alike, also those at its edges: cut anywhere else, a model would have to
    predict rows whose neighbours it has learned by heart.

    Args:
        fold: the fold, whose log has counts at the rows.
        rows: (N,) the rows to divide into visits.
    """
    log = fold.log
    stretch = stretches(log.times, fold.seen(rows), log.max_gap)
    positions = np.flatnonzero(rows)
    counts, stretch = fold.counts(rows), stretch[positions]
    opens = np.diff(stretch, prepend=UNGROUPED) != 0
    seconds = (log.times[positions] - log.times[0]).total_seconds().to_numpy()
    cuts = opens.copy()
    first = np.flatnonzero(opens | (np.diff(label_runs(counts), prepend=0) != 0))
    for start, end in zip(first, np.append(first, len(counts))[1:], strict=True):
        whole = opens[start] and (end == len(counts) or opens[end])  # an empty stretch, without a visit
        if counts[start] == 0 and not whole and seconds[end - 1] - seconds[start] >= 2 * APART_S:
            cuts[(start + end) // 2] = True
    numbers = np.full(len(rows), UNGROUPED)
    numbers[positions] = np.cumsum(cuts) - 1
    return numbers


def days(fold: Fold, rows: Rows) -> Ints:
    """Return the number of the day that each row belongs to, (N,), `UNGROUPED` for rows not asked for.

    Days begin at the hour at which the fewest people are in, by the clock on the wall.

    Args:
        fold: the fold, whose log has counts at the rows.
        rows: (N,) the rows to divide into days.
    """
    wall, counts = fold.log.wall[rows], fold.counts(rows)
    hours = np.bincount(wall.hour, minlength=24)
    people = np.bincount(wall.hour, weights=counts, minlength=24)
    quietest = int(np.argmin(np.where(hours > 0, people / hours.clip(1), np.inf)))
    numbers = np.full(len(rows), UNGROUPED)
    numbers[rows] = np.unique((wall - pd.Timedelta(hours=quietest)).normalize(), return_inverse=True)[1]
    return numbers


def days_with_people(fold: Fold, rows: Rows) -> int:
    """Return on how many days people were in, among the given rows (N,) of a fold."""
    return len(np.unique(days(fold, rows)[rows][fold.counts(rows) > 0]))


def left_out(fold: Fold, rows: Rows) -> Ints:
    """Return the group that each row is left out with, (N,), `UNGROUPED` for rows not asked for.

    Where people were in on enough days (`ENOUGH_DAYS`), a group is one day, or every eighth day. Else it is one visit;
    with more than `MAX_GROUPS` visits, short visits join the group with the fewest rows. In a
    log of many rooms a group is a whole room, because the model will be used in unknown rooms. If the rows outside
    some group had a single label, from which nothing is learned, the rows are divided in time instead.

    Args:
        fold: the fold, whose log has counts at the rows.
        rows: (N,) the rows that a model learns from, with two labels or more.
    """
    if not fold.log.rooms and days_with_people(fold, rows) >= ENOUGH_DAYS:
        groups = np.where(rows, days(fold, rows) % MAX_GROUPS, UNGROUPED)
        counts = fold.counts(rows)
        if all(len(np.unique(counts[groups[rows] != group])) > 1 for group in range(MAX_GROUPS)):
            return groups
    number = visits(fold, rows)[rows]
    if fold.log.rooms:
        ends = [place.end for place in fold.log.rooms]
        room = np.unique(np.searchsorted(ends, np.flatnonzero(rows), side="right"), return_inverse=True)[1]
        number = room if room.any() else number  # with a single room, visits again
    sizes = np.bincount(number)
    group_of, weight = np.empty(len(sizes), np.int64), np.zeros(min(MAX_GROUPS, len(sizes)))
    for visit in np.argsort(-sizes, kind="stable"):
        group_of[visit] = weight.argmin()
        weight[group_of[visit]] += sizes[visit]
    counts, found = fold.counts(rows), group_of[number]
    if any(len(np.unique(counts[found != group])) < 2 for group in range(len(weight))):
        found = _in_time(counts)
    groups = np.full(len(rows), UNGROUPED)
    groups[rows] = found
    return groups


def _in_time(counts: Ints) -> Ints:
    """Return which of `TIME_PARTS` successive parts each row belongs to, (N,), given the rows' counts (N,).

    All labels have the same total weight, and so have all parts, so the rows outside a part have two labels or more.
    """
    weights = 1 / np.bincount(counts)[counts]
    middles = weights.cumsum() - weights / 2
    return np.asarray(TIME_PARTS * middles / weights.sum(), np.int64)


def count_groups(groups: Ints) -> int:
    """Return the number of groups among the groups (N,) of rows; for each of them a model is trained."""
    return int(groups.max()) + 1


def out_of_fold(config: Config, fold: Fold, groups: Ints, make: Make, steps: Steps = NO_STEPS) -> Floats:
    """Return the probabilities (N, C) of each grouped row by a model that left out its group; see `predictions`.

    Rows that are not grouped are NaN, and those that the model does not answer because their readings are missing.

    Args:
        config: the experiment.
        fold: the fold, its test rows blank or not.
        groups: (N,) the group of each row, `UNGROUPED` for rows that are neither learned from nor predicted.
        make: returns the unfitted model of an experiment.
        steps: the progress, in which the caller has planned a step for each group.
    """
    probs = np.full((len(groups), config.data.max_count + 1), np.nan)
    for asked, prediction in predictions(config, fold, groups, make):
        probs[asked] = np.where(prediction.is_answered[:, None], prediction.probs, np.nan)
        steps.done()
    return probs


def predictions(config: Config, fold: Fold, groups: Ints, make: Make) -> Iterator[tuple[Rows, Prediction]]:
    """Yield the rows (N,) of each group and their prediction by a model that did not learn from them.

    The sensors of rows in other groups serve as history, as earlier rows do in use; their labels do not. Validation
    rows outside all groups choose the number of epochs, as they do for the model in use. No other row outside the
    groups is seen at all, in particular no test row. A model with memory begins with the rows of the group, because
    it has learned from the others.

    Args:
        config: the experiment.
        fold: the fold, its test rows blank or not.
        groups: (N,) the group of each row, `UNGROUPED` for rows that are neither learned from nor predicted.
        make: returns the unfitted model of an experiment.
    """
    grouped = groups != UNGROUPED
    seen = fold.seen(grouped)
    sensors = fold.log.frame.drop(columns=fold.log.schema.count)[seen]
    for group in np.unique(groups[grouped]):
        asked = groups == group
        estimator = make(config)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)  # the model in use gives these warnings once
            estimator.fit(_without(fold, asked, grouped), NO_STEPS)
        yield asked, predict_by_room(estimator, sensors, asked[seen], fold.log, past=fold.seen(asked)[seen])


def _without(fold: Fold, asked: Rows, grouped: Rows) -> Fold:
    """Return a fold in which some of the grouped rows are left out, and blank."""
    validation = fold.validation & ~asked
    train = grouped & ~asked & ~validation
    if not validation.any() or not train.any():  # a part is left out whole: half of the rest chooses
        rest = np.flatnonzero(train | validation)
        train, validation = np.zeros((2, len(asked)), bool)
        train[rest[: len(rest) // 2]] = True
        validation[rest[len(rest) // 2 :]] = True
    return dataclasses.replace(fold, train=train, validation=validation, test=~(train | validation)).sealed()


def pieces(groups: Ints, times: pd.DatetimeIndex, max_gap: float) -> list[Ints]:
    """Return the positions of rows that follow each other within one group, an array for each such piece."""
    stretch = stretches(times, groups != UNGROUPED, max_gap)
    positions = np.flatnonzero(groups != UNGROUPED)
    ends = (np.diff(groups[positions]) != 0) | (np.diff(stretch[positions]) != 0)
    return np.split(positions, np.flatnonzero(ends) + 1)
