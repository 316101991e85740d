"""The hour and the weekday of a row as inputs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NAMES = ("hour", "hour_sin", "hour_cos", "weekend")
"""Names of the inputs."""
KIND = "hour"
"""Stands for them among the kinds of inputs; it is never missing."""


def hours(wall: pd.DatetimeIndex) -> NDArray[np.float32]:
    """Return the inputs of `NAMES`, (N, 4): the hour from 0 to 1, its place on a circle, and whether it is weekend.

    Trees split the first; a linear model needs the circle, on which 23:59 is beside 0:00.

    Args:
        wall: (N,) times of the clock on the wall.
    """
    share = (wall.hour * 3600 + wall.minute * 60 + wall.second).to_numpy(np.float64) / 86_400
    angle = 2 * np.pi * share
    weekend = (wall.dayofweek >= 5).astype(np.float64)
    return np.column_stack([share, np.sin(angle), np.cos(angle), weekend]).astype(np.float32)
