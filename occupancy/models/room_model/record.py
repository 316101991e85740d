"""What the recursion reads of the rows of a log: runs of rows that follow each other, with irregular steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints, Rows
from occupancy.models.room_model.evidence import Fired

DIGITS = 2
"""Significant digits of a step's length. They are the same for all logs: a row may not depend on later ones' steps."""


@dataclass(frozen=True)
class Record:
    """T rows of one or more runs.

    Attributes:
        starts: (T,) rows that begin a run.
        seconds: (T,) since the row before; 0 at the start of a run.
        lengths_h: (D,) the different lengths of a step, in hours.
        pace: (T,) which of them is the step before the row.
        profile: (T,) hour of the week, see `people.PROFILES`.
        place: (T,) number of the pair of length and profile.
        pairs: (M, 2) these pairs.
        co2_ppm: (T,) readings; NaN where one is missing.
        size: (T,) volume of the row's room over that of the model.
        labels: (T,) the count where it is known, else -1.
        fired: of each kind of sensors, how many fired.
    """

    starts: Rows
    seconds: Floats
    lengths_h: Floats
    pace: Ints
    profile: Ints
    place: Ints
    pairs: Ints
    co2_ppm: Floats
    size: Floats
    labels: Ints
    fired: Mapping[str, Fired]

    @classmethod
    def of(
        cls,
        runs: Sequence[Ints],
        wall: pd.DatetimeIndex,
        times: pd.DatetimeIndex,
        co2_ppm: Floats,
        fired: Mapping[str, Fired],
        size: Floats,
        labels: Ints,
    ) -> Record:
        """Return the rows of runs (positions) of N rows; all else is (N,)."""
        rows = np.concatenate(runs)
        starts = np.zeros(len(rows), bool)
        starts[np.cumsum([0, *(len(run) for run in runs[:-1])])] = True
        seconds = np.where(starts, 0.0, np.diff(times[rows].asi8, prepend=0) / _per_second(times))
        lengths_s, pace = _rounded(seconds)
        hour = wall[rows]
        profile = np.asarray((hour.dayofweek >= 5) * 24 + hour.hour, np.int64)
        pairs, place = np.unique(np.column_stack([pace, profile]), axis=0, return_inverse=True)
        chosen = {kind: each.at(rows) for kind, each in fired.items()}
        return cls(
            starts, seconds, lengths_s / 3600, pace, profile, place.ravel().astype(np.int64), pairs,
            co2_ppm[rows], size[rows], labels[rows], chosen,
        )  # fmt: skip

    def __len__(self) -> int:
        """Return the number of rows T."""
        return len(self.starts)

    def last(self, most: int) -> Record:
        """Return the last rows, at most so many."""
        if len(self) <= most:
            return self
        kept = slice(len(self) - most, None)
        starts = self.starts[kept].copy()
        starts[0] = True
        cut = {kind: each.at(np.arange(len(self))[kept]) for kind, each in self.fired.items()}
        return Record(
            starts, np.where(starts, 0.0, self.seconds[kept]), self.lengths_h, self.pace[kept], self.profile[kept],
            self.place[kept], self.pairs, self.co2_ppm[kept], self.size[kept], self.labels[kept], cut,
        )  # fmt: skip


def _per_second(times: pd.DatetimeIndex) -> float:
    return float(pd.Timedelta(seconds=1) / pd.Timedelta(1, unit=times.unit))


def _rounded(seconds: Floats) -> tuple[Floats, Ints]:
    """Return the different lengths (D,) of steps (T,), rounded so that they are few, and which each step has."""
    power = 10.0 ** (np.floor(np.log10(np.maximum(seconds, 1e-3))) - DIGITS + 1)
    lengths, pace = np.unique(np.round(seconds / power) * power, return_inverse=True)
    return lengths, pace.ravel().astype(np.int64)
