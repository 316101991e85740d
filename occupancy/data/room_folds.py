"""The folds of many rooms: whole rooms are tested, or the last rows of each room."""

from __future__ import annotations

import numpy as np

from occupancy.config import LEAVE_ROOMS_OUT, Data
from occupancy.data.folds import Fold, check_labels, cut, load_scheme, rest_of
from occupancy.data.log import Log
from occupancy.errors import InputError

FOLDS = 4
TRAINED, VALIDATED = 0.6, 0.25  # share of the rows of a room that is learned, and share of these for validation
VALIDATION_STRIDE = 4  # of the rooms that are not tested, every fourth is for validation


def leave_rooms_out(log: Log, folds: int) -> list[Fold]:
    """Return the folds of a log of many rooms: each fold tests some rooms, validates on others, trains on the rest.

    Args:
        log: the log of many rooms.
        folds: number of folds; at most one for each room, and at least so many that each fold leaves two rooms
            untested.

    Warns:
        InputWarning: if a test label does not occur in the training rows.

    Raises:
        InputError: if the training rooms of a fold have a single label.
    """
    rooms = len(log.rooms)
    fewest = -(-rooms // (rooms - 2))  # so that one room is left for training and one for validation
    groups = deal(rooms, min(max(folds, fewest), rooms))
    sizes = [place.end - place.first for place in log.rooms]
    found = []
    for group in range(groups.max() + 1):
        test = groups == group
        validation = np.zeros_like(test)
        validation[np.flatnonzero(~test)[::VALIDATION_STRIDE]] = True
        train, chosen, tested = (
            np.repeat(part, sizes) & log.labelled for part in (~test & ~validation, validation, test)
        )
        fold = Fold(group + 1, log, train, chosen, tested, rest_of(np.ones(len(log.frame), bool), log.labelled))
        found.append(check_labels(fold, f"folds {LEAVE_ROOMS_OUT}: fold {fold.number}"))
    return found


def folds_of(log: Log, settings: Data) -> list[Fold]:
    """Return the folds that the settings ask for, of a log of one room or of many.

    Raises:
        InputError: if the log can't be cut, see `leave_rooms_out` and `occupancy.data.folds.cut`.
    """
    return leave_rooms_out(log, settings.room_folds or FOLDS) if log.rooms else cut(log, load_scheme(settings.folds))


def deal(rooms: int, groups: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the group of each room, (rooms,), from 0; the groups are equally large.

    In each round, every group gets one of the next rooms, in a random order with a fixed seed. So the groups stay the
    same if a room is added at the end, and rooms with similar names are not all in one group.
    """
    rng = np.random.default_rng(0)
    rounds = [rng.permutation(groups) for _ in range(-(-rooms // groups))]
    return np.concatenate(rounds)[:rooms]


def cut_within(log: Log, where: str) -> Fold:
    """Return the single fold of the log of one room: first training rows, then validation rows, then test rows.

    The shares are of rows, not of days, because rows measure recorded time without gaps.

    Args:
        log: the log of one room.
        where: how messages call the log.

    Raises:
        InputError: if there are too few rows, or the training rows have a single label.
    """
    rows = np.cumsum(log.labelled) - 1  # of a row without a count, that of the row before
    whole = int(log.labelled.sum())
    trained = round(TRAINED * whole)
    learned = round((1 - VALIDATED) * trained)
    parts = rows < learned, (rows >= learned) & (rows < trained), rows >= trained
    labelled = log.labelled_in(np.select(parts, [1, 2, 3]))
    train, validation, test = (part & labelled for part in parts)
    if not (train.any() and validation.any() and test.any()):
        named = "rows" if whole == len(rows) else "rows with a count"
        raise InputError(f"{where}: has {whole} {named}, too few for training, validation and test; give a longer log")
    return check_labels(Fold(1, log, train, validation, test, rest_of(np.ones(len(rows), bool), labelled)), where)
