"""The mass balance of CO2 in a well-mixed room, with constants that are estimated from labelled rows."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from occupancy.arrays import Floats, Ints, stretch_of
from occupancy.data import rolling
from occupancy.data.rolling import samples_of
from occupancy.errors import InputWarning
from occupancy.features.learned import Learned

SLOPE_S = 762.5  # span over which the constants are estimated: 25 samples of the UCI log
LOWEST = 0.01  # share of the learned rows that may read less CO2 than outdoors, because of sensor errors
ENOUGH_S = 1200.0  # an empty room must be recorded for so long to estimate its air-change rate
PLAUSIBLE_PER_H = (0.05, 20.0)  # air changes, from a sealed room to a laboratory with fume hoods
USUAL_PER_H = 0.75  # air changes of a room with closed windows, used if the log does not show them
PLAUSIBLE_PERSON = (10.0, 4000.0)  # ppm per hour that one person adds, from a hall to a car
USUAL_PERSON = 208.0  # ppm per hour: 16 l per hour into 77 m3, used if the log shows nobody


@dataclass(frozen=True)
class Span:
    """The CO2 over a span at each row.

    Attributes:
        mean_ppm: (N,) the mean.
        slope_ppm_per_h: (N,) the slope of a fitted line.
    """

    mean_ppm: Floats
    slope_ppm_per_h: Floats


@dataclass(frozen=True)
class Air:
    """The constants of ``dC/dt = p N - k (C - C0)``, with ``N`` people and ``C`` the CO2 of the room.

    Attributes:
        outdoor_ppm: ``C0``, the CO2 outdoors.
        air_changes_per_h: ``k``, air changes per hour.
        person_ppm_per_h: ``p``, what one person adds: the CO2 breathed out divided by the volume, ``G / V``.
    """

    outdoor_ppm: float
    air_changes_per_h: float
    person_ppm_per_h: float

    @classmethod
    def fit(cls, co2_ppm: Floats, counts: Ints, stretch: Ints, step_s: float, who: str) -> Self:
        """Return the constants estimated from labelled rows.

        ``C0`` is a low quantile of the CO2. ``k`` is estimated from the empty room, see `air_changes`, and ``p`` from
        the occupied room: the median over rows of the ``p`` that solves the balance, weighted by the count.

        Args:
            co2_ppm: (N,) CO2; NaN outside every stretch and where it is missing.
            counts: (N,) people, negative where the count is not known; only read inside stretches.
            stretch: (N,) the stretch of each row, negative for rows that may not be read.
            step_s: seconds between rows.
            who: how a warning calls the model.

        Warns:
            InputWarning: if the rows give no plausible air-change rate, or no plausible ``p``.
        """
        inside = stretch >= 0
        outdoor_ppm = outdoors(co2_ppm[inside])
        empty, occupied = inside & (counts == 0), inside & (counts > 0)
        rate = air_changes(co2_ppm, outdoor_ppm, stretch_of(empty, stretch), step_s, SLOPE_S, who)
        span = span_of(co2_ppm, stretch, step_s, SLOPE_S)
        added = span.slope_ppm_per_h + rate * (span.mean_ppm - outdoor_ppm)
        occupied &= ~np.isnan(added)
        person = USUAL_PERSON
        if occupied.any():
            people = counts[occupied].astype(np.float64)
            person = float(np.quantile(added[occupied] / people, 0.5, weights=people, method="inverted_cdf"))
        if not PLAUSIBLE_PERSON[0] <= person <= PLAUSIBLE_PERSON[1]:
            warnings.warn(
                f"{who}: one person seems to add {person:.3g} ppm of CO2 per hour; {USUAL_PERSON:g} is used instead",
                InputWarning,
                stacklevel=3,
            )
            person = USUAL_PERSON
        return cls(outdoor_ppm, rate, person)

    def people(self, span: Span) -> Floats:
        """Return the number of people that solves the balance at each row, (N,); noise can make it negative."""
        aired_ppm_per_h = self.air_changes_per_h * (span.mean_ppm - self.outdoor_ppm)
        return (span.slope_ppm_per_h + aired_ppm_per_h) / self.person_ppm_per_h

    def to_settings(self) -> dict[str, Any]:
        """Return the constants by name."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the constants that `to_settings` described. Raise InputError if they are not as it gives them."""
        learned = Learned(settings, "air")
        outdoor_ppm, per_h = learned.number("outdoor_ppm"), learned.number("air_changes_per_h", 0.0)
        return cls(outdoor_ppm, per_h, learned.number("person_ppm_per_h", 0.0, above=True))


def span_of(co2_ppm: Floats, stretch: Ints, step_s: float, span_s: float, centred: bool = False) -> Span:
    """Return the mean and the slope of CO2 over a span at each row.

    The balance is linear, so it also holds for means over a span.

    Args:
        co2_ppm: (N,) CO2.
        stretch: (N,) the stretch of each row; no span reaches past its ends.
        step_s: seconds between rows.
        span_s: length of the span in seconds.
        centred: whether the span lies around its row instead of before it.
    """
    samples = samples_of(span_s, step_s, fewest=2)
    mean_ppm = rolling.by_stretch(rolling.mean, co2_ppm, stretch, samples, centred)
    slope_ppm = rolling.by_stretch(rolling.slope, co2_ppm, stretch, samples, centred)  # per sample
    return Span(mean_ppm, slope_ppm * 3600 / step_s)


def outdoors(co2_ppm: Floats) -> float:
    """Return the CO2 outdoors in ppm, estimated as a low quantile of the CO2 in the room (N,), NaN where missing."""
    return float(np.quantile(co2_ppm[~np.isnan(co2_ppm)], LOWEST, method="lower"))


def air_changes(co2_ppm: Floats, outdoor_ppm: float, empty: Ints, step_s: float, span_s: float, who: str) -> float:
    """Return the air changes per hour of the empty room, or a usual value with a warning.

    Without people the slope is ``-k (C - C0)``: a line through the origin, fitted by least absolute
    deviations. This is the median of the ``k`` of each row, weighted by its ``C - C0``; it does not change
    much if a door was open for a while.

    Args:
        co2_ppm: (N,) CO2.
        outdoor_ppm: ``C0``.
        empty: (N,) the stretch of empty rows of each row, -1 for other rows.
        step_s: seconds between rows.
        span_s: span over which slopes are fitted, in seconds.
        who: how a warning calls the model.

    Warns:
        InputWarning: if the empty room is not recorded for long enough, or the estimate is not plausible.
    """
    span = span_of(co2_ppm, empty, step_s, span_s)
    excess_ppm = span.mean_ppm - outdoor_ppm
    earlier = samples_of(span_s, step_s, fewest=2) - 1
    useful = (empty >= 0) & (excess_ppm > 0) & ~np.isnan(span.slope_ppm_per_h)
    # Over a shorter span, a slope is mostly noise.
    useful[:earlier] = False
    useful[earlier:] &= empty[earlier:] == empty[: max(len(empty) - earlier, 0)]
    seen_s = useful.sum() * step_s
    if seen_s < ENOUGH_S:
        return _usual(who, f"the training rows show the empty room for {seen_s:g} s, expected {ENOUGH_S:g} s or more")
    weights = excess_ppm[useful]
    rates = -span.slope_ppm_per_h[useful] / weights
    rate = float(np.quantile(rates, 0.5, weights=weights, method="inverted_cdf"))
    if not PLAUSIBLE_PER_H[0] <= rate <= PLAUSIBLE_PER_H[1]:
        return _usual(who, f"the empty room seems to have {rate:.3g} air changes per hour")
    return rate


def _usual(who: str, reason: str) -> float:
    """Return the usual air-change rate, with a warning that says why it is used."""
    warnings.warn(f"{who}: {reason}; {USUAL_PER_H:g} air changes per hour are used", InputWarning, stacklevel=4)
    return USUAL_PER_H
