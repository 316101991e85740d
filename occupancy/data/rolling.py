"""Mean and slope of the samples before each row; no span reaches past the start of its stretch.

A missing sample is NaN. A span uses the samples that are there; with less than `ENOUGH` of them its result is NaN.
Results of spans without a missing sample do not depend on missing samples elsewhere, to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occupancy.arrays import Floats, Ints, Rows

ENOUGH = 0.25
"""The least share of the samples of a span for a mean; for a slope, of the sum of squares of their times around the
mean time, to which the variance of a slope is inversely proportional."""


def slope(values: Floats, samples: int) -> Floats:
    """Return the least-squares slope over the trailing samples of each row, per sample, (N,).

    The first rows use the samples that there are; a single row has slope 0.

    Args:
        values: (N,) consecutive samples.
        samples: number of samples that the line is fitted to, including the row itself.
    """
    there = ~np.isnan(values)
    if there.all():
        return _slope(values, samples)
    if not there.any():
        return np.full(len(values), np.nan)
    filled = np.where(there, values, 0.0)
    found, counts, most = _slope(filled, samples), _sums(there * 1.0, samples), _counts(len(values), samples)
    holed = counts < most
    found[holed] = _holed_slope(filled, there, samples)[holed]
    return found


def _slope(values: Floats, samples: int) -> Floats:
    """Return what `slope` does of values (N,) of which none is missing."""
    found = np.zeros(len(values))
    for length in range(2, min(samples, len(values) + 1)):
        found[length - 1] = values[:length] @ _slope_weights(length)
    # A dot product per row: the rounding errors of running sums would grow with the log.
    if len(values) >= samples > 1:
        found[samples - 1 :] = np.correlate(values, _slope_weights(samples), "valid")
    return found


def mean(values: Floats, samples: int) -> Floats:
    """Return the mean over the trailing samples of each row, (N,); the first rows use the samples that there are.

    Args:
        values: (N,) consecutive samples.
        samples: number of samples, including the row itself.
    """
    most, there = _counts(len(values), samples), ~np.isnan(values)
    if there.all():
        return _sums(values, samples) / most
    if not there.any():
        return np.full(len(values), np.nan)
    counts = _sums(there * 1.0, samples)
    return np.where(counts >= ENOUGH * most, _sums(np.where(there, values, 0.0), samples) / counts.clip(1), np.nan)


def by_stretch(
    trailing: Callable[[Floats, int], Floats], values: Floats, stretch: Ints, samples: int, centred: bool = False
) -> Floats:
    """Return a trailing function of the values (N,), computed in each stretch separately, (N,).

    Args:
        trailing: `mean`, `slope`, or a similar function.
        values: (N,) samples.
        stretch: (N,) the stretch of each row, as numbered by `occupancy.data.times.stretches`.
        samples: number of samples in a span.
        centred: whether the span lies around its row; the rows at the end of a stretch use its last span.
    """
    parts = np.split(values, np.flatnonzero(np.diff(stretch)) + 1)
    later = samples // 2 if centred else 0
    return np.concatenate([_earlier(trailing(part, samples), later) for part in parts])


def samples_of(span_s: float, step_s: float, fewest: int = 1) -> int:
    """Return the number of samples in a span, at least ``fewest``; span and step in seconds."""
    return max(round(span_s / step_s), fewest)


def _sums(values: Floats, samples: int) -> Floats:
    """Return the sum over the trailing samples of each row, (N,)."""
    sums: Floats = np.convolve(values, np.ones(samples))[: len(values)]
    return sums


def _counts(rows: int, samples: int) -> Ints:
    """Return how many rows each trailing span has, (N,)."""
    return np.minimum(np.arange(1, rows + 1), samples)


def _holed_slope(filled: Floats, there: Rows, samples: int) -> Floats:
    """Return the slope of the samples that are there, (N,), from values (N,) with 0 for a missing one."""
    samples = min(samples, len(filled))
    times = np.arange(samples, dtype=np.float64) - (samples - 1) / 2
    padding = np.zeros(samples - 1)

    def summed(values: Floats, weights: NDArray[Any]) -> Floats:
        return np.asarray(np.correlate(np.concatenate([padding, values]), weights, "valid"))

    ones, known = np.ones(samples), there.astype(np.float64)
    count, time, square = (summed(known, weights) for weights in (ones, times, times**2))
    spread = square - time**2 / count.clip(1)
    rise = summed(filled, times) - time * summed(filled, ones) / count.clip(1)
    whole = _counts(len(filled), samples)
    enough = spread >= ENOUGH * whole * (whole**2 - 1) / 12 - 1e-9
    return np.where(enough & (count > 1), rise / spread.clip(1e-9), np.where(there & (whole == 1), 0.0, np.nan))


def _earlier(values: Floats, rows: int) -> Floats:
    """Return the values (N,) moved to earlier rows, with the last value repeated."""
    return values[np.minimum(np.arange(len(values)) + rows, len(values) - 1)]


def _slope_weights(samples: int) -> Floats:
    """Return the weight of each of several consecutive samples in the slope of their line, (samples,)."""
    centred = np.arange(samples, dtype=np.float64) - (samples - 1) / 2
    weights: Floats = centred / (samples * (samples**2 - 1) / 12)  # the sum of the squares of `centred`
    return weights
