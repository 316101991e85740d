"""The kinds of arrays that all parts pass to each other, and how rows are cut into stretches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.bool_]
"""Which rows of a log are meant, (N,)."""

OUTSIDE = -1
"""The stretch of a row that may not be looked at."""


def stretch_of(rows: Rows, whole: Ints) -> Ints:
    """Return recordings or stretches (N,) cut down to some of their rows (N,), and numbered anew.

    Args:
        rows: (N,) the rows that may be looked at; all others are `OUTSIDE`.
        whole: (N,) the number of the recording or stretch of each row.
    """
    starts = rows & np.concatenate([[True], ~rows[:-1] | (np.diff(whole) != 0)])
    return np.where(rows, np.cumsum(starts) - 1, OUTSIDE)
