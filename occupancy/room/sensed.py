"""CO2 as a sensor reads it: the room's excess over outdoors, and an offset where the sensor hangs.

The excess ``x`` obeys the mass balance ``dx = (p n - k x) dt + sqrt(q) dW`` with ``n`` people. Air is never fully
mixed, so a sensor is off by ``o``, an Ornstein-Uhlenbeck process: ``do = -o / T dt + s sqrt(2 / T) dW``, with standard
deviation ``s`` in the long run. A reading is ``outdoors + x + o + noise``. `exact_steps` solves both over a step of any
length.
"""

from __future__ import annotations

import numpy as np

from occupancy.arrays import Floats

KEPT, KEPT_OFFSET, ADDED_H, NOISE_H = range(4)
"""Places of the numbers that `exact_steps` gives."""


def exact_steps(air_changes_per_h: Floats, mixing_h: Floats, hours: Floats) -> Floats:
    """Return what a step does to excess and offset, (..., 4), at the places `KEPT` to `NOISE_H`.

    ``kept`` and ``kept_offset`` are the shares of excess and offset that are left; ``added_h`` the hours of breath
    that are still in the room, so that n people raise the excess by ``p n added_h``; and ``noise_h`` those of the
    disturbance that are, so that it has the variance ``q noise_h``. The noise of the offset has the variance
    ``s^2 (1 - kept_offset^2)``.

    Args:
        air_changes_per_h: k, above 0.
        mixing_h: T, the time constant of the offset in hours.
        hours: length of the step. The three are broadcast.
    """
    decay = air_changes_per_h * hours
    kept, kept_offset = np.exp(-decay), np.exp(-hours / mixing_h)
    added_h = -np.expm1(-decay) / air_changes_per_h
    noise_h = -np.expm1(-2 * decay) / (2 * air_changes_per_h)
    return np.stack(np.broadcast_arrays(kept, kept_offset, added_h, noise_h), axis=-1)
