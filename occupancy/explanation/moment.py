"""What each kind of sensor adds to the count at one time: exact Shapley values of the predicted mean."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints, Rows
from occupancy.data.log import Log
from occupancy.data.times import recordings, stretches
from occupancy.errors import InputError
from occupancy.explanation.sensors import Groups, groups_of
from occupancy.models.estimator import Estimator

_WEEK = np.timedelta64(7, "D")


@dataclass(frozen=True)
class Moment:
    """What each kind of sensor adds to a prediction at one time.

    Attributes:
        time: the time.
        background: mean prediction with all readings from other times, in people.
        prediction: the predicted mean with the readings at that time, in people; it depends only on the window of
            `window_of`, also for a model that filters over the whole recording.
        contributions: what each kind of sensor adds, in people; the sum is the prediction minus the background.
        readings: the last reading of each column, by kind and column.
        drawn: the last time of each background window.
        history_s: seconds of earlier rows that the model uses.
    """

    time: pd.Timestamp
    background: float
    prediction: float
    contributions: dict[str, float]
    readings: dict[str, dict[str, float]]
    drawn: pd.DatetimeIndex
    history_s: float


def explain(estimator: Estimator, log: Log, row: int, source: Rows, backgrounds: int) -> Moment:
    """Return what each kind of sensor adds to the predicted mean at one row of a log.

    The Shapley value of a kind (Shapley, 1953; Lundberg and Lee, 2017, A Unified Approach to Interpreting Model
    Predictions) is the mean of what its readings add over all orders in which the kinds can become known. Known kinds
    keep their readings over the whole window of the row; the other kinds get all their readings from one window of
    the source, and the prediction is averaged over several such windows. The time of the row does not change. If
    predictions are random (dropout in prediction), the randomness is part of the contributions.

    Args:
        estimator: the fitted model.
        log: the log, labelled or not.
        row: the position of the row to explain.
        source: (N,) rows from which the readings of unknown kinds are drawn: those that the model learned from.
        backgrounds: the most windows to draw; fewer if the source has fewer.

    Raises:
        InputError: if there are too few rows before the row in its recording, the source has no window, or the count
            depends on more rows than the model's own window.
    """
    if estimator.config.looks_ahead or estimator.config.decoding is not None:
        raise InputError(
            "got a model with centred_physics or decoding, whose count at one time can't be explained, because it "
            "depends on the rows around it; use a model without both"
        )
    window = window_of(estimator, log, row)
    groups = groups_of(log, estimator.config.features)
    ends = _draw(log, source, len(window), backgrounds, estimator.config.seed)
    values = _coalition_values(estimator, log, window, ends, groups)
    contributions = dict(zip(groups, shapley(values).tolist(), strict=True))
    last = log.frame.iloc[row]
    readings = {kind: {name: float(last[name]) for name in columns} for kind, columns in groups.items()}
    background, prediction = float(values[0]), float(values[-1])
    return Moment(log.times[row], background, prediction, contributions, readings, log.times[ends], estimator.history_s)


def window_of(estimator: Estimator, log: Log, row: int) -> Ints:
    """Return the positions (L,) of a row and of the earlier rows that the model uses for it.

    Raises:
        InputError: if the recording has too few rows before it.
    """
    needed = _earlier_rows(estimator, log)
    recording = recordings(log.times, log.max_gap)
    first = int(np.searchsorted(recording, recording[row]))
    if row - first < needed:
        raise InputError(
            f"at {log.times[row]} the recording has {row - first} earlier rows, but the model needs {needed} "
            f"({estimator.history_s:g} s); give a later time"
        )
    return np.arange(row - needed, row + 1)


def explainable(estimator: Estimator, log: Log, rows: Rows) -> Rows:
    """Return which of the given rows (N,) have as many earlier rows in their recording as the model needs."""
    recording = recordings(log.times, log.max_gap)
    earlier = np.arange(len(recording)) - np.searchsorted(recording, recording)
    return rows & (earlier >= _earlier_rows(estimator, log))


def shapley(values: Floats) -> Floats:
    """Return the Shapley value of each of G players, (G,).

    Args:
        values: (2**G,) the value of each coalition; player g is in coalition i if bit g of i is set.
    """
    players = len(values).bit_length() - 1
    coalitions = np.arange(len(values))
    size = sum((coalitions >> player & 1 for player in range(players)), np.zeros(len(values), np.int64))
    # Of the coalitions without a player, all sizes have the same total weight, and all coalitions of a size the same.
    weights = np.array([1 / (players * math.comb(players - 1, s)) for s in range(players)])
    shares = np.zeros(players)
    for player in range(players):
        without = coalitions[coalitions >> player & 1 == 0]
        shares[player] = weights[size[without]] @ (values[without | 1 << player] - values[without])
    return shares


def _earlier_rows(estimator: Estimator, log: Log) -> int:
    # Clocks drift: a history of 30 s is one row of 30.0001 s.
    return 0 if math.isnan(log.step_s) else math.ceil(estimator.history_s / log.step_s - 0.01)


def _draw(log: Log, source: Rows, length: int, most: int, seed: int) -> Ints:
    """Return the last positions, sorted, of random windows of the source (N,), each inside one stretch."""
    stretch = stretches(log.times, source, log.max_gap)
    ends = np.flatnonzero(source)
    ends = ends[ends >= length - 1]
    ends = ends[stretch[ends - (length - 1)] == stretch[ends]]
    if not len(ends):
        raise InputError(
            f"the rows from which backgrounds are drawn have no {length} consecutive rows, as the model needs; give a "
            "longer log"
        )
    return np.sort(np.random.default_rng(seed).choice(ends, min(most, len(ends)), replace=False))


def _coalition_values(estimator: Estimator, log: Log, window: Ints, ends: Ints, groups: Groups) -> Floats:
    """Return the predicted mean for each coalition of groups, (2**G,), averaged over backgrounds."""
    sensors = log.frame.drop(columns=log.schema.count, errors="ignore")
    values = sensors.to_numpy(np.float64)
    present = values[window]  # (L, K)
    absent = values[ends[:, None] + np.arange(1 - len(window), 1)]  # (n, L, K)
    coalitions = list(itertools.product((False, True), repeat=len(groups)))  # the last bit changes fastest
    keeps = np.ones((len(coalitions), sensors.shape[1]), bool)  # columns that the model does not use stay
    for player, columns in enumerate(groups.values()):
        kept = [coalition[len(groups) - 1 - player] for coalition in coalitions]
        keeps[:, sensors.columns.get_indexer(pd.Index(columns))] = np.array(kept)[:, None]
    laid = np.where(keeps[:, None, None, :], present, absent).reshape(-1, len(window), sensors.shape[1])
    times = log.times[window] + (log.wall[window][-1] - log.times[window][-1])  # a model with a clock sees its hour
    means = _predict_windows(estimator, laid, times, sensors.columns, log.max_gap)
    return np.asarray(means.reshape(len(coalitions), len(ends)).mean(axis=1))


def _predict_windows(
    estimator: Estimator, windows: Floats, times: pd.DatetimeIndex, columns: pd.Index[str], max_gap: float
) -> Floats:
    """Return the predicted mean at the end of each of M windows (M, L, K) that have the same times (L,).

    The windows are placed one after another, whole weeks apart: the gaps separate them, and a model that uses the
    clock sees each at its own hour and weekday.
    """
    span = times[-1] - times[0] + pd.Timedelta(seconds=max_gap)
    shift = (span // _WEEK + 1) * _WEEK
    count, length, width = windows.shape
    laid = times.to_numpy()[None, :] + np.arange(count)[:, None] * shift
    frame = pd.DataFrame(windows.reshape(-1, width), pd.DatetimeIndex(laid.ravel(), name=times.name), columns)
    asked = np.zeros((count, length), bool)
    asked[:, -1] = True
    return estimator.predict(frame, asked.ravel()).mean
