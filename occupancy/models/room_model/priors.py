"""The parameters of a room's air, and what is known of them before a log is seen.

Nothing here is from a labelled log. All but the CO2 outdoors are log-normal: a median, and the standard deviation of
the logarithm. The sources:

- Breath: Persily and de Jonge (2017), Carbon dioxide generation rates for building occupants, Indoor Air 27: 13 to 17
  l per hour for seated adults at light work by age and sex; children less, people who walk about more. 16 within 20
  %.
- Volume: 15 to 300 m3 hold 95 % of the prior, from a cell office to a classroom.
- Air changes: 0.2 to 5 per hour hold 95 %, from a closed room with tight windows to a mechanically aired one: an
  assumption that covers what field measurements report (Persily 2016, Indoor Air 26).
- Outdoors: the lowest readings of a recording with empty hours; outdoor air has about 420 ppm, in towns up to 480,
  and a sensor without calibration may be off by tens of ppm.
- Noise: data sheets of infrared sensors give a repeatability of a few ppm.
- Mixing: the air of a room mixes in minutes (Baughman, Gadgil and Nazaroff 1994, Indoor Air 4: 7 to 15 min with
  people's heat alone), and readings at different places differ by some per cent of the excess: an assumption.
- Wander: disturbances that the balance lacks, such as air from other rooms and uneven breath: an assumption.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from occupancy.arrays import Floats
from occupancy.room.sensed import exact_steps

NAMES = (
    "person_ppm_per_h",
    "air_changes_per_h",
    "aired_per_h",
    "wander_ppm2_per_h",
    "noise_ppm",
    "mixing_h",
    "offset_ppm",
    "offset_share",
    "outdoor_ppm",
)
"""The parameters, in their order; all but the last are searched as logarithms."""
PERSON, RATE, AIRED, WANDER, NOISE, MIXING, OFFSET, SHARE, OUTDOOR = range(9)

BREATH_STD = 0.2
MEDIAN_M3, VOLUME_STD = 67.0, 0.76
STRATA_STD = (0.0, -1.0, 1.0)
"""Where the search begins if the volume is not known, in standard deviations of its prior."""
USUAL = {
    "air_changes_per_h": (1.0, 0.8),
    "aired_per_h": (3.0, 0.7),
    "wander_ppm2_per_h": (20.0, 1.0),
    "noise_ppm": (2.0, 0.5),
    "mixing_h": (0.2, 0.5),
    "offset_ppm": (4.0, 0.7),
    "offset_share": (0.03, 0.5),
}
"""Median and standard deviation of the logarithm."""
INSIDE, STEEP = 2.0, 50.0
LOW_QUANTILE, ABOVE_PPM, OUTDOOR_STD = 0.01, 5.0, 8.0
HIGHEST_OUTDOOR_PPM, NEVER_AIRED_STD = 480.0, 40.0


@dataclass(frozen=True)
class Prior:
    """A prior of the parameters in the scale of the search: Normal within two standard deviations, steeper outside.

    A model that lacks what a room has can explain its readings better by an impossible room. So what is outside the
    ranges above is nearly excluded.

    Attributes:
        mean: (9,).
        std: (9,).
    """

    mean: Floats
    std: Floats

    @classmethod
    def of(cls, co2_ppm: Floats, generation_l_per_h: float, volume_m3: float | None) -> Prior:
        """Return the prior of a room.

        Args:
            co2_ppm: readings (N,) of its CO2, with which the outdoor level is guessed; NaN where one is missing.
            generation_l_per_h: breath of one person.
            volume_m3: its volume; None if it is not known.
        """
        person = np.log(generation_l_per_h * 1e3 / (volume_m3 or MEDIAN_M3))
        person_std = np.hypot(BREATH_STD, 0.0 if volume_m3 else VOLUME_STD)
        known = co2_ppm[~np.isnan(co2_ppm)]
        lowest = float(np.quantile(known, LOW_QUANTILE)) if len(known) else 420.0
        outdoor, outdoor_std = lowest - ABOVE_PPM, OUTDOOR_STD
        if lowest > HIGHEST_OUTDOOR_PPM:  # the room was never aired for long: outdoors is lower
            outdoor, outdoor_std = HIGHEST_OUTDOOR_PPM - NEVER_AIRED_STD, NEVER_AIRED_STD
        medians, stds = zip(*USUAL.values(), strict=True)
        return cls(np.array([person, *np.log(medians), outdoor]), np.array([person_std, *stds, outdoor_std]))

    def log_density(self, theta: Floats) -> Floats:
        """Return the logarithm of the density, but for a constant, of parameters (B, 9) in the scale of the search."""
        scaled = (theta - self.mean) / self.std
        outside = np.maximum(np.abs(scaled) - INSIDE, 0.0)
        return np.asarray(-(np.square(scaled) / 2 + STEEP * np.square(outside)).sum(axis=1))


class Constants(NamedTuple):
    """What the recursion needs of B candidates: its constants (B, 6), and steps (B, D, R, 4)."""

    numbers: Floats
    steps: Floats


def in_units(theta: Floats) -> Floats:
    """Return parameters (B, 9) in their units from those in the scale of the search."""
    return np.column_stack([np.exp(theta[:, :OUTDOOR]), theta[:, OUTDOOR]])


def constants_of(theta: Floats, hours: Floats, resolution_ppm: float, regimes: int) -> Constants:
    """Return what the recursion needs of candidates (B, 9) in the scale of the search.

    Args:
        theta: the candidates.
        hours: (D,) lengths of a step.
        regimes: R, 1 for a room that is never aired.
        resolution_ppm: step between two readings of the sensor; rounding has the variance of a uniform error.
    """
    units = in_units(theta)
    noise = np.square(units[:, NOISE]) + resolution_ppm**2 / 12
    chosen = units[:, PERSON], noise, units[:, WANDER], units[:, OFFSET], units[:, SHARE], units[:, OUTDOOR]
    rates = np.column_stack([units[:, RATE], units[:, RATE] + units[:, AIRED]])[:, :regimes]
    steps = exact_steps(rates[:, None, :], units[:, MIXING, None, None], hours[None, :, None])
    return Constants(np.column_stack(chosen), steps)
