"""Cells as numbers: the states that devices send in words, and numbers as Python reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.config import Kind

STATES: dict[str, float] = {
    **dict.fromkeys(("on", "true", "yes", "open", "opened", "detected", "occupied", "home", "motion", "active"), 1.0),
    **dict.fromkeys(("off", "false", "no", "closed", "clear", "not_occupied", "unoccupied", "away", "not_home"), 0.0),
    **dict.fromkeys(("vacant", "no motion", "no_motion", "inactive", "idle", "not occupied", "close"), 0.0),
}
"""What words mean in a column of two states, in lower case."""
OF_TWO_STATES: tuple[Kind, ...] = ("motion", "door", "ventilation")


def to_numbers(cells: pd.Series[Any], kind: Kind | None) -> pd.Series[float]:
    """Return the cells as floats, NaN where a cell is not a number.

    Args:
        cells: (N,) text or numbers.
        kind: what the column measures; the states of motion, doors and ventilation may be words.
    """

    def read(values: pd.Series[Any]) -> pd.Series[float]:
        numbers = pd.to_numeric(values, errors="coerce")
        readable = numbers.notna()
        exact = values.where(readable).astype(np.float64)  # read by Python, which is exact to the last digit
        if kind not in OF_TWO_STATES or readable.all():
            return exact
        words = values[~readable].map(lambda cell: STATES.get(str(cell).strip().lower(), np.nan))
        return exact.fillna(words.astype(np.float64))

    return pd.Series(in_each(cells, read), cells.index)


def in_each(cells: pd.Series[Any], convert: Callable[[pd.Series[Any]], pd.Series[Any]]) -> NDArray[Any]:
    """Return the converted cells of a column, (N,); each different value is converted once.

    Args:
        cells: (N,) text or numbers.
        convert: returns the converted values.
    """
    place, values = pd.factorize(cells, use_na_sentinel=False)
    return convert(pd.Series(np.asarray(values))).to_numpy()[place]
