"""Missing inputs of networks: what is put in their place, and which rows rest on too many of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.arrays import OUTSIDE, Floats, Ints, Rows
from occupancy.data import rolling
from occupancy.features.inputs import Inputs
from occupancy.models.neural.masks import Masks
from occupancy.models.neural.windows import Windows

MOST = 0.25
"""The largest share of a window's samples in which an input may be missing in a row that is answered."""


def lay(inputs: Inputs, frame: pd.DataFrame, stretch: Ints, window: int, dropout: float = 0.0) -> tuple[Windows, Rows]:
    """Return the windows of a frame, and which of its rows (N,) have readings enough to be answered.

    Without dropout these are the rows whose windows lack no input; with it, those whose windows lack not all kinds.

    Args:
        inputs: the inputs of the network.
        frame: sensors on a time index, N rows.
        stretch: (N,) the stretch of each row.
        window: T, samples of a window.
        dropout: ``train.sensor_dropout``; above 0 the windows have masks.
    """
    values, scarce = _patch(inputs.transform(frame, stretch), inputs, stretch, window)
    if not dropout:
        return Windows(values, stretch, window), np.asarray(~scarce.any(axis=1))
    masks = Masks.of(inputs.kinds, usual(inputs), scarce, dropout)
    return Windows(values, stretch, window, masks), masks.answerable


def _patch(values: NDArray[np.float32], inputs: Inputs, stretch: Ints, window: int) -> tuple[NDArray[np.float32], Rows]:
    """Return inputs (N, F) without missing ones in the stretches, and which are missing too often, (N, F).

    A missing input holds its last value in the stretch, so that the network can be run; before the first one it has
    its usual value. It is missing too often if it is there in less than all but the share `MOST` of a row's window.

    Args:
        values: (N, F) NaN outside every stretch, and where an input is missing.
        inputs: what the values are.
        stretch: (N,) the stretch of each row.
        window: T, samples of a window.
    """
    inside = stretch != OUTSIDE
    gone = np.isnan(values) & inside[:, None]
    scarce = np.zeros(values.shape, bool)
    if not gone.any():
        return values, scarce
    holed = np.flatnonzero(gone.any(axis=0))
    held = pd.DataFrame(values[:, holed]).groupby(stretch).ffill().to_numpy()
    patched = values.copy()
    patched[:, holed] = np.where(gone[:, holed], np.where(np.isnan(held), usual(inputs)[holed], held), values[:, holed])
    for column in holed:
        share = rolling.by_stretch(rolling.mean, gone[:, column].astype(np.float64), stretch, window)
        scarce[:, column] = ~(share <= MOST)  # outside every stretch the share is NaN
    return patched, scarce


def usual(inputs: Inputs) -> Floats:
    """Return the inputs (F,) of a room whose sensors all read what they usually do."""
    typical = inputs.typical
    frame = pd.DataFrame([typical], pd.DatetimeIndex(["2000-01-01"], name="time"))
    return np.asarray(inputs.transform(frame, np.zeros(1, np.int64))[0], np.float64)
