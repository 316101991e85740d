"""Inputs where readings are missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from occupancy.arrays import Floats
from occupancy.errors import InputError


class NoSensorError(InputError):
    """A frame has none of the columns that a model was trained on."""


def fill_by_others(values: NDArray[Any], usual: Floats | None = None) -> NDArray[Any]:
    """Return values (N, M) of M sensors in which a missing one is the median of the others of its row.

    A row of which all are missing, or none, stays as it is.

    Args:
        values: (N, M) NaN where one is missing.
        usual: (M,) what each sensor usually reads, if they differ in that; the others' differences from it are used.
    """
    gone = np.isnan(values)
    holed = gone.any(axis=1) & ~gone.all(axis=1)
    if not holed.any():
        return values
    offset = np.zeros(values.shape[1]) if usual is None else usual
    filled, part = values.copy(), values[holed]
    instead = np.nanmedian(part - offset, axis=1, keepdims=True) + offset
    filled[holed] = np.where(gone[holed], instead, part)
    return filled


def extremes(values: Floats, holed: bool) -> tuple[float, float]:
    """Return the smallest and the largest of an input's values, without those that are missing where some may be."""
    known = values[~np.isnan(values)] if holed else values
    if not len(known):  # of a slope: too few readings in each span
        return 0.0, 0.0
    return float(known.min()), float(known.max())
