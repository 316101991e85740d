"""The CO2 of a well-mixed room as its balance has it, and the constants of that balance from rows with labels."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from occupancy.arrays import Floats, Ints, stretch_of
from occupancy.data import rolling
from occupancy.data.rolling import samples_of
from occupancy.errors import InputWarning

SLOPE_S = 762.5  # of the span by which the constants are found: 25 samples of the UCI log
LOWEST = 0.01  # share of the learned rows that may read less CO2 than there is outdoors: slips of the sensor
ENOUGH_S = 1200.0  # an empty room that is seen for less tells no air-change rate
PLAUSIBLE_PER_H = (0.05, 20.0)  # air changes, from a sealed room to a laboratory's fume hoods
USUAL_PER_H = 0.75  # air changes of a room with closed windows, where the log tells none
PLAUSIBLE_PERSON = (10.0, 4000.0)  # ppm an hour that one person adds, from a hall to a car
USUAL_PERSON = 208.0  # 16 l an hour into 77 m3, where the log shows nobody


@dataclass(frozen=True)
class Span:
    """The CO2 over the span at each row.

    Attributes:
        mean_ppm: (N,) its mean.
        slope_ppm_per_h: (N,) the slope of a line through it.
    """

    mean_ppm: Floats
    slope_ppm_per_h: Floats


@dataclass(frozen=True)
class Air:
    """The constants of ``dC/dt = p N - k (C - C0)``, with ``N`` people and ``C`` the CO2 of the room.

    Attributes:
        outdoor_ppm: ``C0``, the CO2 outdoors.
        air_changes_per_h: ``k``, how often an hour the room's air is replaced.
        person_ppm_per_h: ``p``, what one person adds: the CO2 breathed out over the volume, ``G / V``.
    """

    outdoor_ppm: float
    air_changes_per_h: float
    person_ppm_per_h: float

    @classmethod
    def fit(cls, co2_ppm: Floats, counts: Ints, stretch: Ints, step_s: float, who: str) -> Self:
        """Return the constants that rows with labels show.

        ``C0`` is a low quantile of the CO2. ``k`` makes the balance of the empty room come out, ``p`` that of
        the occupied one: the median of each row's own ``p``, weighted by its people.

        Args:
            co2_ppm: (N,) CO2; NaN outside every stretch.
            counts: (N,) people; read inside of stretches alone.
            stretch: (N,) the stretch of each row, negative for rows that may not be looked at.
            step_s: seconds between rows.
            who: what a warning calls whoever asks.

        Warns:
            InputWarning: the rows tell no air-change rate, or no plausible one.
        """
        inside = stretch >= 0
        outdoor_ppm = outdoors(co2_ppm[inside])
        empty, occupied = inside & (counts == 0), inside & (counts > 0)
        rate = air_changes(co2_ppm, outdoor_ppm, stretch_of(empty, stretch), step_s, SLOPE_S, who)
        span = span_of(co2_ppm, stretch, step_s, SLOPE_S)
        added = span.slope_ppm_per_h + rate * (span.mean_ppm - outdoor_ppm)
        person = USUAL_PERSON
        if occupied.any():
            people = counts[occupied].astype(np.float64)
            person = float(np.quantile(added[occupied] / people, 0.5, weights=people, method="inverted_cdf"))
        if not PLAUSIBLE_PERSON[0] <= person <= PLAUSIBLE_PERSON[1]:
            warnings.warn(
                f"{who}: one person seems to add {person:.3g} ppm of CO2 an hour; {USUAL_PERSON:g} stand in",
                InputWarning,
                stacklevel=3,
            )
            person = USUAL_PERSON
        return cls(outdoor_ppm, rate, person)

    def people(self, span: Span) -> Floats:
        """Return the people that the balance finds in each row, (N,), negative where noise makes them so."""
        aired_ppm_per_h = self.air_changes_per_h * (span.mean_ppm - self.outdoor_ppm)
        return (span.slope_ppm_per_h + aired_ppm_per_h) / self.person_ppm_per_h

    def to_settings(self) -> dict[str, Any]:
        """Return the constants by name."""
        return asdict(self)


def span_of(co2_ppm: Floats, stretch: Ints, step_s: float, span_s: float, centred: bool = False) -> Span:
    """Return the CO2 (N,) over the span at each row; a mean over it too, as averaging leaves the balance as it is.

    Args:
        co2_ppm: (N,) CO2.
        stretch: (N,) the stretch of each row, beyond whose ends nothing looks.
        step_s: seconds between rows.
        span_s: length of the span in seconds.
        centred: whether the span lies around its row, not before it.
    """
    samples = samples_of(span_s, step_s, fewest=2)
    mean_ppm = rolling.by_stretch(rolling.mean, co2_ppm, stretch, samples, centred)
    slope_ppm = rolling.by_stretch(rolling.slope, co2_ppm, stretch, samples, centred)  # per sample
    return Span(mean_ppm, slope_ppm * 3600 / step_s)


def outdoors(co2_ppm: Floats) -> float:
    """Return the CO2 outdoors as rows (N,) in ppm tell it, which is what the room falls to: a low quantile."""
    return float(np.quantile(co2_ppm, LOWEST, method="lower"))


def air_changes(co2_ppm: Floats, outdoor_ppm: float, empty: Ints, step_s: float, span_s: float, who: str) -> float:
    """Return the air changes per hour of an empty room, or the usual ones with a warning.

    Without people the slope is ``-k (C - C0)``: a line through the origin, fitted by least absolute
    deviations. That is the median of each row's own ``k``, weighted by its ``C - C0``; a door that was
    open for a while does not move it.

    Args:
        co2_ppm: (N,) CO2.
        outdoor_ppm: ``C0``.
        empty: (N,) the stretch of empty rows that each row belongs to, -1 for none.
        step_s: seconds between rows.
        span_s: over which slopes are fitted.
        who: what a warning calls whoever asks.
    """
    span = span_of(co2_ppm, empty, step_s, span_s)
    excess_ppm = span.mean_ppm - outdoor_ppm
    earlier = samples_of(span_s, step_s, fewest=2) - 1
    useful = (empty >= 0) & (excess_ppm > 0)
    # With a shorter span behind it, a slope is mostly noise.
    useful[:earlier] = False
    useful[earlier:] &= empty[earlier:] == empty[: max(len(empty) - earlier, 0)]
    seen_s = useful.sum() * step_s
    if seen_s < ENOUGH_S:
        return _usual(who, f"the training rows show an empty room for {seen_s:g} s, and {ENOUGH_S:g} s are needed")
    weights = excess_ppm[useful]
    rates = -span.slope_ppm_per_h[useful] / weights
    rate = float(np.quantile(rates, 0.5, weights=weights, method="inverted_cdf"))
    if not PLAUSIBLE_PER_H[0] <= rate <= PLAUSIBLE_PER_H[1]:
        return _usual(who, f"the empty room seems to have {rate:.3g} air changes per hour")
    return rate


def _usual(who: str, reason: str) -> float:
    """Return the usual air-change rate, and warn why it has to stand in."""
    warnings.warn(f"{who}: {reason}; {USUAL_PER_H:g} air changes per hour stand in", InputWarning, stacklevel=4)
    return USUAL_PER_H
