"""What findings change: readings that are not used, counts that are not answered, and a word on each row."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np

from occupancy.arrays import Rows
from occupancy.data.log import Log
from occupancy.health.finding import Finding
from occupancy.prediction import Prediction

LEAST_ROWS, LEAST_OCCUPIED = 0.5, 0.3
"""The shares of all rows, and of those that are counted as occupied, below which a log is better not counted."""


def believed(log: Log, findings: Collection[Finding]) -> Log:
    """Return the log in which the readings that are not to be used are missing."""
    wrong = {name: rows for name in log.missing.columns if (rows := _wrong(log, findings, name)).any()}
    if not wrong:
        return log
    frame, missing = log.frame.copy(deep=False), log.missing.copy(deep=False)
    for name, rows in wrong.items():
        frame[name] = frame[name].mask(rows)
        missing[name] = missing[name] | rows
    return dataclasses.replace(log, frame=frame, missing=missing)


def answerable(
    prediction: Prediction,
    findings: Collection[Finding],
    log: Log,
    read: Collection[str],
    knows_doubt: bool,
    history_s: float = 0.0,
) -> Prediction:
    """Return a prediction in which the rows are not answered that the findings leave without a sound count.

    These are the rows of which the readings are beyond those of the training, those that rest on rows of another
    rhythm, and those that lack a sensor which is not believed: all of them if the model is not calibrated, so that it
    does not say where it is unsure without that sensor; else those without any sensor left.

    Args:
        prediction: of the N rows of the log, by the readings that are believed.
        findings: what was found.
        log: the log, in which readings that are not believed are missing.
        read: the names of the sensors that the model reads.
        knows_doubt: whether the model says how sure it is of a row that lacks a sensor; one that is calibrated does.
        history_s: seconds of earlier rows on which a prediction rests.
    """
    silent = np.zeros(len(prediction), bool)
    left = [name for name in read if name in log.missing.columns]
    nothing = log.missing[left].all(axis=1).to_numpy() if left else np.ones(len(prediction), bool)
    for finding in findings:
        if finding.fault == "beyond":
            silent |= finding.rows
        elif finding.fault == "rhythm":
            silent |= _resting_on(finding.rows, log, history_s)
        elif finding.distrusts:
            silent |= finding.rows & (nothing if knows_doubt else True)
    if not silent.any():
        return prediction
    answered = np.ones(len(prediction), bool) if prediction.answered is None else prediction.answered
    return dataclasses.replace(prediction, answered=answered & ~silent)


def is_useless(prediction: Prediction) -> bool:
    """Return whether so few rows are answered, or so few of those with people, that a log is better not counted."""
    if prediction.answered is None:
        return False
    people = prediction.label > 0
    answered = prediction.answered
    return bool(answered.mean() < LEAST_ROWS or (people.any() and answered[people].mean() < LEAST_OCCUPIED))


def health_of(findings: Collection[Finding], rows: int) -> list[str]:
    """Return what is wrong at each row, (N,): sensors and their faults, empty where nothing is."""
    told = np.full(rows, "", object)
    for tag in dict.fromkeys(finding.tag for finding in findings):
        about = np.logical_or.reduce([finding.rows for finding in findings if finding.tag == tag])
        told[about] = [f"{text}; {tag}" if text else tag for text in told[about]]
    return list(told)


def _resting_on(rows: Rows, log: Log, history_s: float) -> Rows:
    """Return the rows (N,) that have some rows in their history."""
    seconds = (log.times - log.times[0]).total_seconds().to_numpy()
    last = np.maximum.accumulate(np.where(rows, seconds, -np.inf))
    return np.asarray(seconds - last <= history_s)


def _wrong(log: Log, findings: Collection[Finding], name: str) -> Rows:
    """Return the rows (N,) in which a sensor, or the one that it is computed from, is not to be used."""
    source = next((column.slope_of or column.name for column in log.schema.columns if column.name == name), name)
    about = [each.rows for each in findings if each.distrusts and source in each.sensors]
    return np.logical_or.reduce(about) if about else np.zeros(len(log.frame), bool)
