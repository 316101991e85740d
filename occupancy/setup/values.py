"""What the values of a column are like: numbers or words, their range, and how they change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from occupancy.arrays import Floats
from occupancy.data.blanks import is_blank_text
from occupancy.data.numbers import in_each, to_numbers

_TAIL = 0.005  # share of readings at either end that may be errors
_SHOWN = 3  # words of a column that a reason quotes


@dataclass(frozen=True)
class Values:
    """The values of a column.

    Attributes:
        readings: how many cells are not blank.
        numeric: share of them that are numbers, or words for on and off.
        low: the smallest but for the last half per cent; NaN without numbers.
        high: the largest but for the last half per cent.
        median: the middle one.
        distinct: how many different numbers there are.
        binary: whether they are all 0 or 1.
        whole: whether all are whole numbers.
        counts_rows: whether each is one more than the last, as row numbers are.
        smooth: how much of the spread is between neighbours, 0 to about 1: a gas changes slowly, a row of
            independent readings has 1.
        words: the words among them, the most frequent first.
    """

    readings: int
    numeric: float
    low: float
    high: float
    median: float
    distinct: int
    binary: bool
    whole: bool
    counts_rows: bool
    smooth: float
    words: tuple[str, ...]

    @property
    def constant(self) -> bool:
        """Whether there is only one number."""
        return self.distinct == 1

    def within(self, low: float, high: float) -> bool:
        """Return whether nearly all numbers are in a range."""
        return low <= self.low and self.high <= high

    def range(self) -> str:
        """Return the range for people."""
        return (
            f"{self.low:.3g} to {self.high:.3g}"
            if max(abs(self.low), abs(self.high)) < 1000
            else f"{self.low:.0f} to {self.high:.0f}"
        )


def numbers_of(cells: pd.Series[Any]) -> Floats:
    """Return cells as numbers, (N,): words for on and off are 1 and 0, and what is no number is NaN."""
    return np.asarray(to_numbers(cells, "motion"), np.float64)


def values_of(cells: pd.Series[Any], numbers: Floats) -> Values:
    """Return what the cells of a column (N,) are like.

    Args:
        cells: (N,) the cells.
        numbers: (N,) the cells as numbers, NaN where a cell is none.
    """
    there = ~np.asarray(in_each(cells, lambda text: text.astype(str).map(is_blank_text)), bool)
    known = numbers[np.isfinite(numbers)]
    strange = cells[there & np.isnan(numbers)]
    words = tuple(str(word).strip() for word in strange.astype(str).value_counts().index[:_SHOWN])
    readings = int(there.sum())
    if not len(known):
        return Values(readings, 0.0, np.nan, np.nan, np.nan, 0, False, False, False, np.nan, words)
    low, median, high = np.quantile(known, [_TAIL, 0.5, 1 - _TAIL])
    steps, spread = np.diff(known), float(known.std())
    return Values(
        readings,
        len(known) / max(readings, 1),
        float(low),
        float(high),
        float(median),
        len(np.unique(known)),
        bool(np.isin(known, (0, 1)).all()),
        bool((known == np.round(known)).all()),
        bool(len(steps) > 1 and (steps == 1).mean() > 1 - 2 * _TAIL),
        float(steps.std() / spread / np.sqrt(2)) if spread > 0 and len(steps) else np.nan,
        words,
    )
