"""Missing inputs of networks: what is put in their place, and which rows rest on too many of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.arrays import OUTSIDE, Floats, Ints, Rows
from occupancy.data import rolling
from occupancy.features.inputs import Inputs

MOST = 0.25
"""The largest share of a window's samples in which an input may be missing in a row that is answered."""


def patch(values: NDArray[np.float32], inputs: Inputs, stretch: Ints, window: int) -> tuple[NDArray[np.float32], Rows]:
    """Return inputs (N, F) without missing ones in the stretches, and the rows (N,) that rest on few of them.

    A missing input holds its last value in the stretch, so that the network can be run; before the first one it has
    its usual value. A row is supported if each input is there in all but the share `MOST` of its window.

    Args:
        values: (N, F) NaN outside every stretch, and where an input is missing.
        inputs: what the values are.
        stretch: (N,) the stretch of each row.
        window: T, samples of a window.
    """
    inside = stretch != OUTSIDE
    gone = np.isnan(values) & inside[:, None]
    if not gone.any():
        return values, np.ones(len(values), bool)
    holed = np.flatnonzero(gone.any(axis=0))
    held = pd.DataFrame(values[:, holed]).groupby(stretch).ffill().to_numpy()
    patched = values.copy()
    patched[:, holed] = np.where(gone[:, holed], np.where(np.isnan(held), usual(inputs)[holed], held), values[:, holed])
    shares = [rolling.by_stretch(rolling.mean, gone[:, column].astype(np.float64), stretch, window) for column in holed]
    return patched, np.stack(shares).max(axis=0) <= MOST


def usual(inputs: Inputs) -> Floats:
    """Return the inputs (F,) of a room whose sensors all read what they usually do."""
    typical = inputs.typical
    frame = pd.DataFrame([typical], pd.DatetimeIndex(["2000-01-01"], name="time"))
    return np.asarray(inputs.transform(frame, np.zeros(1, np.int64))[0], np.float64)
