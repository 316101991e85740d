"""How much worse a fitted model does without the readings of a sensor: permutation importance by blocks in time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from occupancy.arrays import Ints, Rows
from occupancy.config import Explanation
from occupancy.data.folds import Fold
from occupancy.data.table import Log
from occupancy.data.times import recordings
from occupancy.errors import InputError
from occupancy.explanation.sensors import groups_of, sensors_of
from occupancy.metrics import score
from occupancy.models.estimator import Estimator
from occupancy.prediction import Prediction

KIND, SENSOR = "kind", "sensor"
MSE, MSE_STD, F1, F1_STD = "mse_increase", "mse_increase_std", "f1_macro_decrease", "f1_macro_decrease_std"


def importance(estimator: Estimator, fold: Fold, prediction: Prediction, settings: Explanation) -> pd.DataFrame:
    """Return how much a fitted model's errors on a fold's test rows rest on each kind of sensor, and on each sensor.

    The readings of the test rows are cut into blocks of time, whose order is shuffled; the columns that are asked
    about move together, all others and all rows that only serve as history stay. Shuffled single rows would make a
    sensor jump as none does, and every model that looks back would seem to rest on it. What follows is the error of
    the fitted model on readings of another time (Breiman, 2001, Random Forests; Fisher, Rudin and Dominici, 2019,
    All Models are Wrong, but Many are Useful): it tells what this model uses, not what another one could make of the
    rest. All sensors meet the same shuffles, so that they can be compared.

    It is measured on the rows that are scored, and nothing is chosen by it.

    Args:
        estimator: the fitted model.
        fold: the fold whose test rows are scored.
        prediction: what the model gives for them as they are.
        settings: how often to shuffle, and how long a block is.

    Returns:
        A row for each kind (its ``sensor`` is empty), followed by one for each of its sensors: the mean over shuffles
        of the increase of the label's mean squared error (people squared) and of the decrease of macro-F1, each with
        its standard deviation (ddof 0).

    Raises:
        InputError: the test rows do not hold two blocks.
    """
    log = fold.log
    frame, truth = log.frame.drop(columns=log.schema.count), fold.counts(fold.test)
    blocks = blocks_of(log, fold.test, settings.block_s)
    orders = [shuffled(blocks, np.random.default_rng([estimator.config.seed, n])) for n in range(settings.repeats)]
    plain = score([(prediction, truth)], log.max_gap)
    known: dict[tuple[str, ...], dict[str, float]] = {}  # of a kind with one sensor, both are the same

    def measured(columns: tuple[str, ...]) -> Mapping[str, float]:
        if columns not in known:
            changes = []
            for order in orders:
                moved = estimator.predict(permuted(frame, columns, fold.test, order), fold.test, fold.test)
                scores = score([(moved, truth)], log.max_gap)
                changes.append((scores["mse"] - plain["mse"], plain["f1_macro"] - scores["f1_macro"]))
            (mse, f1), (mse_std, f1_std) = np.mean(changes, axis=0), np.std(changes, axis=0)
            known[columns] = {MSE: mse, MSE_STD: mse_std, F1: f1, F1_STD: f1_std}
        return known[columns]

    sensors = sensors_of(log, estimator.config.features)
    rows = []
    for kind, columns in groups_of(log, estimator.config.features).items():
        rows.append({KIND: kind, SENSOR: "", **measured(columns)})
        rows += [{KIND: kind, SENSOR: name, **measured(own)} for name, own in sensors.items() if name in columns]
    return pd.DataFrame(rows)


def blocks_of(log: Log, rows: Rows, block_s: float) -> Ints:
    """Return the number of the block that each of the given rows of a log is in, (n,), from 0 and in order of time.

    A block is part of one recording, in which blocks are counted from the first of the given rows on.

    Args:
        log: the log.
        rows: (N,) the rows to cut into blocks, n of them.
        block_s: length of a block in seconds.

    Raises:
        InputError: there are not two blocks, so that there is nothing to shuffle.
    """
    times = log.times[rows]
    recording = recordings(log.times, log.max_gap)[rows]
    seconds = (times - times[0]).total_seconds().to_numpy()
    place = (seconds - seconds[np.searchsorted(recording, recording)]) // block_s
    begins = (np.diff(recording, prepend=recording[:1]) > 0) | (np.diff(place, prepend=place[:1]) != 0)
    blocks: Ints = np.cumsum(begins)
    if blocks[-1] == 0:
        raise InputError(
            f"explanation.block_s: got {block_s:g}, but the scored rows from {times[0]} to {times[-1]} are one block "
            "then, and nothing can be shuffled; give a shorter one"
        )
    return blocks


def shuffled(blocks: Ints, random: np.random.Generator) -> Ints:
    """Return a new order (n,) of rows in which their blocks (n,) stand in any order, each of them as it is."""
    return np.argsort(random.permutation(blocks[-1] + 1)[blocks], kind="stable")


def permuted(frame: pd.DataFrame, columns: tuple[str, ...], rows: Rows, order: Ints) -> pd.DataFrame:
    """Return a frame in which the readings of some columns at the given rows (N,) stand in another order (n,)."""
    places = frame.columns.get_indexer(pd.Index(columns))
    values = frame.to_numpy(np.float64, copy=True)
    at = np.ix_(np.flatnonzero(rows), places)
    values[at] = values[at][order]
    return pd.DataFrame(values, frame.index, frame.columns)
