"""What a span of samples tells at its last row: mean and slope; nothing looks past the start of a stretch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from occupancy.arrays import Floats, Ints


def slope(values: Floats, samples: int) -> Floats:
    """Return the least-squares slope over each row's trailing samples, per sample, (N,).

    The first rows use what they have; a row alone has slope 0.

    Args:
        values: (N,) consecutive samples.
        samples: how many samples, the row's own included, the line is fitted to.
    """
    found = np.zeros(len(values))
    for length in range(2, min(samples, len(values) + 1)):
        found[length - 1] = values[:length] @ _slope_weights(length)
    # A dot product per row, not a difference of running sums, whose rounding grows with the log.
    if len(values) >= samples > 1:
        found[samples - 1 :] = np.correlate(values, _slope_weights(samples), "valid")
    return found


def mean(values: Floats, samples: int) -> Floats:
    """Return the mean over each row's trailing samples, (N,); the first rows use what they have.

    Args:
        values: (N,) consecutive samples.
        samples: how many samples, the row's own included.
    """
    sums: Floats = np.convolve(values, np.ones(samples))[: len(values)]
    return sums / np.minimum(np.arange(1, len(values) + 1), samples)


def by_stretch(
    trailing: Callable[[Floats, int], Floats], values: Floats, stretch: Ints, samples: int, centred: bool = False
) -> Floats:
    """Return what a trailing function makes of the values (N,) of each stretch by itself, (N,).

    Args:
        trailing: `mean`, `slope`, or a function like them.
        values: (N,) samples.
        stretch: (N,) the stretch of each row, as `occupancy.data.times.stretches` numbers them.
        samples: how many samples a span has.
        centred: whether each row takes the span around it; towards the end of a stretch, its last span.
    """
    parts = np.split(values, np.flatnonzero(np.diff(stretch)) + 1)
    later = samples // 2 if centred else 0
    return np.concatenate([_earlier(trailing(part, samples), later) for part in parts])


def samples_of(span_s: float, step_s: float, fewest: int = 1) -> int:
    """Return how many samples a span in seconds has at a step, at least the fewest that a function needs."""
    return max(round(span_s / step_s), fewest)


def _earlier(values: Floats, rows: int) -> Floats:
    """Return the values (N,) so many rows earlier, the last of them repeated."""
    return values[np.minimum(np.arange(len(values)) + rows, len(values) - 1)]


def _slope_weights(samples: int) -> Floats:
    """Return what each of several consecutive samples adds to the slope of their line, (samples,)."""
    centred = np.arange(samples, dtype=np.float64) - (samples - 1) / 2
    weights: Floats = centred / (samples * (samples**2 - 1) / 12)  # the sum of the squares of `centred`
    return weights
