"""The types of arrays that all parts of the package use, and how rows are cut into stretches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.bool_]
"""A mask of the rows of a log, (N,)."""

OUTSIDE = -1
"""The stretch number of a row that may not be read."""


def stretch_of(rows: Rows, whole: Ints) -> Ints:
    """Return the stretch number of each row, (N,), from 0: recordings or stretches are cut down to some of their rows.

    Args:
        rows: (N,) the rows that may be read; all others get `OUTSIDE`.
        whole: (N,) the number of the recording or stretch of each row.
    """
    starts = rows & np.concatenate([[True], ~rows[:-1] | (np.diff(whole) != 0)])
    return np.where(rows, np.cumsum(starts) - 1, OUTSIDE)
