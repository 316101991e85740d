"""How much worse a fitted model is without the readings of a sensor: permutation importance with blocks of time."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from occupancy.arrays import Ints, Rows
from occupancy.config import Explanation
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.times import recordings
from occupancy.errors import InputError
from occupancy.explanation.sensors import groups_of, sensors_of
from occupancy.metrics import score
from occupancy.models.estimator import Estimator
from occupancy.models.rooms import predict_by_room
from occupancy.prediction import Prediction

KIND, SENSOR = "kind", "sensor"
MSE, MSE_STD, F1, F1_STD = "mse_increase", "mse_increase_std", "f1_macro_decrease", "f1_macro_decrease_std"


def importance(estimator: Estimator, fold: Fold, prediction: Prediction, settings: Explanation) -> pd.DataFrame:
    """Return how much the errors of a fitted model on the test rows depend on each kind of sensor and each sensor.

    The readings of the test rows are cut into blocks of time, and the blocks are shuffled. The columns in question
    move together; all other columns stay, and so do rows that are only history. If single rows were shuffled, a
    sensor would jump as no real sensor does, and would seem important to every model that looks back. The result is
    the error of the fitted model with readings of another time (Breiman, 2001, Random Forests; Fisher, Rudin and
    Dominici, 2019, All Models are Wrong, but Many are Useful): it shows what this model uses, not what another model
    could do without the sensor. All sensors get the same shuffles, so that they can be compared.

    It is measured on the test rows, and nothing is chosen by it.

    Args:
        estimator: the fitted model.
        fold: the fold whose test rows are scored.
        prediction: the prediction of the test rows with their own readings.
        settings: number of shuffles and length of a block.

    Returns:
        A row for each kind (its ``sensor`` is empty), followed by a row for each of its sensors: the mean over shuffles
        of the increase of the mean squared error of the label (people squared) and of the decrease of macro-F1, each
        with its standard deviation (ddof 0).

    Raises:
        InputError: if the test rows do not hold two blocks.
    """
    log = fold.log
    blocks = blocks_of(log, fold.test, settings.block_s)
    orders = [shuffled(blocks, np.random.default_rng([estimator.config.seed, n])) for n in range(settings.repeats)]
    plain = score([(prediction, fold.counts(fold.test))], log.max_gap)
    # A kind with one sensor has the same columns as that sensor, which are measured once.
    measured = functools.cache(partial(_changes, estimator, fold, orders, plain))
    sensors = sensors_of(log, estimator.config.features)
    rows = []
    for kind, columns in groups_of(log, estimator.config.features).items():
        rows.append({KIND: kind, SENSOR: "", **measured(columns)})
        rows += [{KIND: kind, SENSOR: name, **measured(own)} for name, own in sensors.items() if name in columns]
    return pd.DataFrame(rows)


def _changes(
    estimator: Estimator, fold: Fold, orders: Sequence[Ints], plain: Mapping[str, float], columns: tuple[str, ...]
) -> dict[str, float]:
    """Return how the scores change if some columns are shuffled: mean and standard deviation over the shuffles."""
    log = fold.log
    frame, truth = log.frame.drop(columns=log.schema.count), fold.counts(fold.test)
    changes = []
    for order in orders:
        moved = predict_by_room(estimator, permuted(frame, columns, fold.test, order), fold.test, log, fold.test)
        scores = score([(moved, truth)], log.max_gap)
        changes.append((scores["mse"] - plain["mse"], plain["f1_macro"] - scores["f1_macro"]))
    (mse, f1), (mse_std, f1_std) = np.mean(changes, axis=0), np.std(changes, axis=0)
    return {MSE: mse, MSE_STD: mse_std, F1: f1, F1_STD: f1_std}


def blocks_of(log: Log, rows: Rows, block_s: float) -> Ints:
    """Return the number of the block of each of the given rows, (n,), from 0 in order of time.

    A block lies inside one recording; the first block of a recording begins at the first of the given rows.

    Args:
        log: the log.
        rows: (N,) the rows to cut into blocks, n of them.
        block_s: length of a block in seconds.

    Raises:
        InputError: if there are fewer than two blocks, so that nothing can be shuffled.
    """
    times = log.times[rows]
    recording = recordings(log.times, log.max_gap)[rows]
    seconds = (times - times[0]).total_seconds().to_numpy()
    place = (seconds - seconds[np.searchsorted(recording, recording)]) // block_s
    begins = (np.diff(recording, prepend=recording[:1]) > 0) | (np.diff(place, prepend=place[:1]) != 0)
    blocks: Ints = np.cumsum(begins)
    if blocks[-1] == 0:
        raise InputError(
            f"explanation.block_s: got {block_s:g}, but the test rows from {times[0]} to {times[-1]} are then a single "
            "block, and nothing can be shuffled; give a smaller number"
        )
    return blocks


def shuffled(blocks: Ints, random: np.random.Generator) -> Ints:
    """Return a new order (n,) of rows with their blocks (n,) in random order; the order inside a block stays."""
    return np.argsort(random.permutation(blocks[-1] + 1)[blocks], kind="stable")


def permuted(frame: pd.DataFrame, columns: tuple[str, ...], rows: Rows, order: Ints) -> pd.DataFrame:
    """Return a frame in which the readings of some columns at the given rows (N,) are in another order (n,)."""
    places = frame.columns.get_indexer(pd.Index(columns))
    values = frame.to_numpy(np.float64, copy=True)
    at = np.ix_(np.flatnonzero(rows), places)
    values[at] = values[at][order]
    return pd.DataFrame(values, frame.index, frame.columns)
