"""Mean and slope of the samples before each row; no span reaches past the start of its stretch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from occupancy.arrays import Floats, Ints


def slope(values: Floats, samples: int) -> Floats:
    """Return the least-squares slope over the trailing samples of each row, per sample, (N,).

    The first rows use the samples that there are; a single row has slope 0.

    Args:
        values: (N,) consecutive samples.
        samples: number of samples that the line is fitted to, including the row itself.
    """
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
    sums: Floats = np.convolve(values, np.ones(samples))[: len(values)]
    return sums / np.minimum(np.arange(1, len(values) + 1), samples)


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


def _earlier(values: Floats, rows: int) -> Floats:
    """Return the values (N,) moved to earlier rows, with the last value repeated."""
    return values[np.minimum(np.arange(len(values)) + rows, len(values) - 1)]


def _slope_weights(samples: int) -> Floats:
    """Return the weight of each of several consecutive samples in the slope of their line, (samples,)."""
    centred = np.arange(samples, dtype=np.float64) - (samples - 1) / 2
    weights: Floats = centred / (samples * (samples**2 - 1) / 12)  # the sum of the squares of `centred`
    return weights
