"""Which rows of a log a fitted model can answer by the readings that are there, and what it says of the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from occupancy.arrays import Floats, Rows
from occupancy.data import holes
from occupancy.data.log import Log
from occupancy.errors import InputError
from occupancy.prediction import Prediction

LONGEST_HELD_S = 300.0  # in longer, a room fills or empties, and a reading that is held does not show it


def held_for_long(log: Log, columns: Sequence[str]) -> Rows:
    """Return the rows (N,) at which a reading of some columns has been held for more than `LONGEST_HELD_S`."""
    found = np.zeros(len(log.frame), bool)
    if np.isnan(log.step_s):
        return found
    held = log.held
    for column in (name for name in columns if name in held):
        if held[column].any():
            found |= holes.runs(held[column].to_numpy()) * log.step_s > LONGEST_HELD_S
    return found


def on_held(log: Log, columns: Sequence[str]) -> list[str]:
    """Return what is to be said of the rows at which readings have been held for too long, if there are some."""
    rows = int(held_for_long(log, columns).sum())
    return [f"{rows:,} rows rest on readings held for more than {LONGEST_HELD_S:g} s, and are not answered"][: rows > 0]


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
