"""The mass balance of CO2 in a well-mixed room, with constants that are estimated from labelled rows."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.optimize import nnls

from occupancy.arrays import Floats, Ints, Rows, stretch_of
from occupancy.data import rolling
from occupancy.data.rolling import samples_of
from occupancy.errors import InputWarning
from occupancy.features.learned import Learned

SLOPE_S = 762.5  # span over which the constants are estimated: 25 samples of the UCI log
LOWEST = 0.01  # share of the learned rows that may read less CO2 than outdoors, because of sensor errors
CLOSED_PER_H, FASTER = 0.25, 2.0  # air changes below which an empty room is closed, and how much faster one in use is
FEWEST, PARTS = 6, 8  # samples of a slope in use, and parts of the rows of which one is left out
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
        aired_per_h: ``k`` at the rows of another regime, see `occupancy.features.regime`; None if there is none.
        spread_per_h: the standard error of that.
    """

    outdoor_ppm: float
    air_changes_per_h: float
    person_ppm_per_h: float
    aired_per_h: float | None = None
    spread_per_h: float = 0.0

    @classmethod
    def fit(
        cls,
        co2_ppm: Floats,
        counts: Ints,
        stretch: Ints,
        step_s: float,
        who: str,
        aired: Rows | None = None,
        person_ppm_per_h: float | None = None,
        span_s: float = SLOPE_S,
    ) -> Self:
        """Return the constants estimated from labelled rows: ``k`` as `empty_rate` or, in use, `used_rate` finds it.

        ``C0`` is a low quantile of the CO2; ``p`` the median of what solves the balance in use, weighted by the count.

        Args:
            co2_ppm: (N,) CO2; NaN outside every stretch and where it is missing.
            counts: (N,) people, negative where the count is not known; only read inside stretches.
            stretch: (N,) the stretch of each row, negative for rows that may not be read.
            step_s: seconds between rows.
            who: how a warning calls the model.
            aired: (N,) rows of another regime; None: there is none.
            person_ppm_per_h: ``p``, if it is known.
            span_s: span over which the slopes of the empty room are fitted, in seconds.

        Warns:
            InputWarning: if the rows give no plausible ``k`` or ``p``, or ``k`` in use differs.
        """
        inside = stretch >= 0
        outdoor_ppm = outdoors(co2_ppm[inside])
        rate, why = empty_rate(co2_ppm, outdoor_ppm, stretch_of(inside & (counts == 0), stretch), step_s, span_s)
        used = None
        if 0 <= rate < CLOSED_PER_H and aired is not None:  # a closed room; not one whose readings only rise
            used = used_rate(co2_ppm, outdoor_ppm, counts, np.where(aired, stretch, -1), step_s, person_ppm_per_h)
        rate, used = _chosen(who, rate, why, used)
        one = cls(outdoor_ppm, rate, 1.0, *(used or (None, 0.0)))  # whose people are the ppm that are added in an hour
        added = one.people(span_of(co2_ppm, stretch, step_s, span_s), aired)
        person = person_ppm_per_h or cls._person(added, np.where(inside, counts, 0), who)
        return replace(one, person_ppm_per_h=person)

    @staticmethod
    def _person(added: Floats, counts: Ints, who: str) -> float:
        """Return ``p`` from what was added (N,) by people (N,); a usual one if that is not plausible."""
        occupied = (counts > 0) & ~np.isnan(added)
        person = USUAL_PERSON
        if occupied.any():
            people = counts[occupied].astype(np.float64)
            person = float(np.quantile(added[occupied] / people, 0.5, weights=people, method="inverted_cdf"))
        if not PLAUSIBLE_PERSON[0] <= person <= PLAUSIBLE_PERSON[1]:
            warnings.warn(
                f"{who}: one person seems to add {person:.3g} ppm of CO2 per hour; {USUAL_PERSON:g} is used instead",
                InputWarning,
                stacklevel=4,
            )
            person = USUAL_PERSON
        return person

    def rates(self, aired: Rows | None) -> float | Floats:
        """Return ``k`` of each row, (N,), or of all; ``aired`` (N,) marks those of the other regime."""
        if self.aired_per_h is None or aired is None:
            return self.air_changes_per_h
        return np.where(aired, self.aired_per_h, self.air_changes_per_h)

    def people(self, span: Span, aired: Rows | None = None) -> Floats:
        """Return the number of people that solves the balance at each row, (N,); noise can make it negative.

        Args:
            span: the CO2 of N rows.
            aired: (N,) rows of the other regime; None: all are at rest.
        """
        aired_ppm_per_h = self.rates(aired) * (span.mean_ppm - self.outdoor_ppm)
        return (span.slope_ppm_per_h + aired_ppm_per_h) / self.person_ppm_per_h

    def spread(self, span: Span, aired: Rows | None) -> Floats:
        """Return the standard error of `people` that comes from that of ``k``, (N,)."""
        found = self.spread_per_h * np.abs(span.mean_ppm - self.outdoor_ppm) / self.person_ppm_per_h
        return np.zeros(len(found)) if aired is None else np.where(aired, found, 0.0)

    def to_settings(self) -> dict[str, Any]:
        """Return the constants by name."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the constants that `to_settings` described. Raise InputError if they are not as it gives them."""
        learned = Learned(settings, "air")
        outdoor_ppm, per_h = learned.number("outdoor_ppm"), learned.number("air_changes_per_h", 0.0)
        person = learned.number("person_ppm_per_h", 0.0, above=True)
        if "aired_per_h" not in learned or learned.value("aired_per_h") is None:  # as in earlier versions
            return cls(outdoor_ppm, per_h, person)
        return cls(outdoor_ppm, per_h, person, learned.number("aired_per_h", 0.0), learned.number("spread_per_h", 0.0))


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


def empty_rate(co2_ppm: Floats, outdoor_ppm: float, empty: Ints, step_s: float, span_s: float) -> tuple[float, str]:
    """Return the air changes per hour of the empty room, and why they can't be used; an empty text if they can.

    Without people the slope is ``-k (C - C0)``: a line through the origin, fitted by least absolute
    deviations. This is the median of the ``k`` of each row, weighted by its ``C - C0``; it does not change
    much if a door was open for a while.

    Args:
        co2_ppm: (N,) CO2.
        outdoor_ppm: ``C0``.
        empty: (N,) the stretch of empty rows of each row, -1 for other rows.
        step_s: seconds between rows.
        span_s: span over which slopes are fitted, in seconds.
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
        seen = f"the training rows show the empty room for {seen_s:g} s, expected {ENOUGH_S:g} s or more"
        return np.nan, seen
    weights = excess_ppm[useful]
    rates = -span.slope_ppm_per_h[useful] / weights
    rate = float(np.quantile(rates, 0.5, weights=weights, method="inverted_cdf"))
    if not PLAUSIBLE_PER_H[0] <= rate <= PLAUSIBLE_PER_H[1]:
        return rate, f"the empty room seems to have {rate:.3g} air changes per hour"
    return rate, ""


def used_rate(
    co2_ppm: Floats, outdoor_ppm: float, counts: Ints, stretch: Ints, step_s: float, person: float | None
) -> tuple[float, float] | None:
    """Return the air changes per hour of a room in use, and their standard error; None if the rows hardly show them.

    Over spans with people in, the slope is ``p N - k (C - C0)``, a plane that is fitted by least squares with ``k`` and
    ``p`` above 0. The standard error is that of the jackknife over parts of the rows.

    Args:
        co2_ppm: (N,) CO2.
        outdoor_ppm: ``C0``.
        counts: (N,) people, negative where the count is not known.
        stretch: (N,) the stretch of each row, negative for rows that may not be read.
        step_s: seconds between rows.
        person: ``p``, if it is known.
    """
    span_s = max(SLOPE_S, FEWEST * step_s)
    span = span_of(co2_ppm, stretch, step_s, span_s)
    people = rolling.by_stretch(rolling.mean, counts.astype(np.float64), stretch, samples_of(span_s, step_s, fewest=2))
    excess_ppm = span.mean_ppm - outdoor_ppm
    useful = (stretch >= 0) & (counts > 0) & ~np.isnan(span.slope_ppm_per_h) & ~np.isnan(excess_ppm)
    if useful.sum() * step_s < PARTS * ENOUGH_S:
        return None
    known = np.column_stack([people, -excess_ppm, span.slope_ppm_per_h])[useful]

    def solved(rows: Floats) -> float:
        if person is not None:
            return float(nnls(rows[:, 1:2], rows[:, 2] - person * rows[:, 0])[0][0])
        return float(nnls(rows[:, :2], rows[:, 2])[0][1])

    parts = np.array_split(known, PARTS)
    without = [solved(np.concatenate(parts[:part] + parts[part + 1 :])) for part in range(PARTS)]
    rate = solved(known)
    error = float(np.std(without) * np.sqrt(PARTS - 1))
    return (rate, error) if PLAUSIBLE_PER_H[0] <= rate <= PLAUSIBLE_PER_H[1] and error < rate / 2 else None


def _chosen(
    who: str, rate: float, why: str, used: tuple[float, float] | None
) -> tuple[float, tuple[float, float] | None]:
    """Return the air changes of the empty room, and of the room in use if they are clearly more, with a warning."""
    if used is None or used[0] <= FASTER * rate:
        return _usual(who, why) if why else rate, None
    warnings.warn(
        f"{who}: the empty room has {abs(rate):.2g} air changes per hour; in use it has {used[0]:.2g} ± {used[1]:.1g}, "
        "estimated with the people in it",
        InputWarning,
        stacklevel=4,
    )
    return rate, used


def _usual(who: str, reason: str) -> float:
    """Return the usual air-change rate, with a warning that says why it is used."""
    warnings.warn(f"{who}: {reason}; {USUAL_PER_H:g} air changes per hour are used", InputWarning, stacklevel=4)
    return USUAL_PER_H
