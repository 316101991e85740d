"""Which rows of a log a fitted model can answer: those whose readings are there, and come as in training."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from occupancy.arrays import Floats, Rows
from occupancy.data import holes
from occupancy.data.rhythm import of_another_step, off_rhythm
from occupancy.data.table import Log
from occupancy.errors import InputError
from occupancy.prediction import Prediction

LONGEST_HELD_S = 300.0  # in longer, a room fills or empties, and a reading that is held does not show it


def rested(log: Log, step_s: float, history_s: float, columns: Sequence[str]) -> tuple[Rows, list[str]]:
    """Return the rows (N,) that a model can't answer, though it counts them, and why, a line for each reason.

    These are rows at another step than in training, rows whose history holds such rows, and rows of readings that have
    been held for more than `LONGEST_HELD_S`.

    Args:
        log: the log.
        step_s: seconds between rows in training; NaN if that is not known.
        history_s: seconds of earlier rows that a prediction needs.
        columns: the sensors that the model reads.
    """
    silent, lines = np.zeros(len(log.frame), bool), []
    off = off_rhythm(log.times, step_s, log.max_gap) if not np.isnan(step_s) else silent
    if off.any():
        seconds = (log.times - log.times[0]).total_seconds().to_numpy()
        last = np.maximum.accumulate(np.where(off, seconds, -np.inf))
        silent = silent | (seconds - last <= history_s)
        lines.append(
            f"{of_another_step(log.times, off, step_s)} as in training: {silent.sum():,} rows rest on them and "
            f"are not answered; data.step={step_s:g}s puts the rows on that step"
        )
    held = _long_held(log, columns)
    if held.any():
        lines.append(
            f"{held.sum():,} rows rest on readings held for more than {LONGEST_HELD_S:g} s, and are not answered"
        )
    return silent | held, lines


def _long_held(log: Log, columns: Sequence[str]) -> Rows:
    """Return the rows (N,) at which a reading of some columns has been held for too long."""
    found = np.zeros(len(log.frame), bool)
    if np.isnan(log.step_s):
        return found
    held = log.held
    for column in (name for name in columns if name in held):
        if held[column].any():
            found |= holes.runs(held[column].to_numpy()) * log.step_s > LONGEST_HELD_S
    return found


def without(prediction: Prediction, rows: Rows) -> Prediction:
    """Return a prediction that does not answer some of its rows (N,)."""
    return dataclasses.replace(prediction, answered=prediction.is_answered & ~rows) if rows.any() else prediction


def check_readings(log: Log, columns: Sequence[str], where: str) -> None:
    """Check that a log has a reading of a sensor that the model reads.

    Raises:
        InputError: if it has none.
    """
    there = [name for name in columns if name in log.frame]
    if columns and not log.frame[there].notna().any(axis=None):
        raise InputError(
            f"{where}: has no reading of {', '.join(columns)}, which are all that the model reads; give at least "
            "one of them under its name"
        )


def on_counts(truth: Floats, most: int, count: str) -> list[str]:
    """Return what is to be said of a log's own counts (N,), NaN where it has none, and of those above the model's."""
    lines = []
    if (blank := int(np.isnan(truth).sum())) and blank < len(truth):
        lines.append(f"{blank:,} of {len(truth):,} rows have no {count}, and are not scored")
    if (above := truth > most).any():
        lines.append(
            f"{count} counts up to {np.nanmax(truth):g}, the model tells {most} at most: {above.sum():,} rows count as "
            f"at least {most}, and are not answered"
        )
    return lines
