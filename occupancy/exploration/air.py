"""How fast the room is aired, read off the decay of its CO2 after people left."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from scipy.optimize import curve_fit

from occupancy.arrays import Floats
from occupancy.data.times import recordings
from occupancy.exploration.parts import Picture, Section, Subject
from occupancy.features.balance import PLAUSIBLE_PER_H
from occupancy.plots.colours import LABELS
from occupancy.plots.figure import NARROW, titled_figure

FRESHEST = "30min"  # the log's lowest median over such a span is taken for outdoors: one row may be a slip
BENT = 1.25  # times the rate at first, from which on a decay is called bent
SHORTEST_S = 1200.0  # of a decay: less tells no rate
UNSEEN_S = 600.0  # a longer gap may hide when people left, or that others came
LEAST_PPM = 40.0  # above outdoors when the room emptied, or noise is all there is
LEFT = 0.2  # a decay is followed until this share of the excess is left; later the level outdoors would decide
_SHOWN = 6


@dataclass(frozen=True)
class Decay:
    """The CO2 of an empty room on its way to that outdoors.

    Attributes:
        rows: from the first row without people on.
        outdoor_ppm: what it falls to.
        excess_ppm: how far it was above that at the start, as fitted.
        rate_per_h: air changes per hour, as fitted.
        bend: the rate over the last third of the rows as a multiple of that over the first.
    """

    rows: slice
    outdoor_ppm: float
    excess_ppm: float
    rate_per_h: float
    bend: float


def section(subject: Subject) -> Section | None:
    """Return the decays of CO2 in the empty room with the air-change rate of each; None without counts or CO2."""
    if not subject.labelled or not any(column.name in subject.varying for column in subject.log.schema.of_kind("co2")):
        return None
    title = "How fast is the room aired?"
    found = decays(subject)
    if not found:
        return Section(
            title,
            f"The log shows no decay of CO2 that can be fitted: one that begins {LEAST_PPM:g} ppm above outdoors when "
            f"people leave, and goes on for {SHORTEST_S / 60:g} min.",
        )
    rates = [decay.rate_per_h for decay in found]
    bend = float(np.median([decay.bend for decay in found]))
    rate = f"{np.median(rates):.2f} air changes per hour"
    several = (
        f"{len(found)} decays of CO2 after people left give {min(rates):.2f} to {max(rates):.2f}, the median {rate}."
    )
    alone = f"The one decay of CO2 after people left gives {rate}."
    straight = "One rate fits from beginning to end."
    bent = f"One rate is a rough fit: over the last third of a decay it is {bend:.1f} times that over the first."
    return Section(
        title,
        f"{several if len(found) > 1 else alone} {straight if 1 / BENT <= bend <= BENT else bent}",
        [
            f"Outdoors is taken as {found[0].outdoor_ppm:.0f} ppm, the log's own low. On this scale the CO2 of a "
            "well-mixed room with constant ventilation falls along a straight line; a bend tells of doors, windows, "
            "air that mixes slowly, or another level outdoors.",
        ],
        [
            Picture(
                partial(_draw_decays, subject, found),
                "CO2 above outdoors after the room emptied, with the fitted decays",
            )
        ],
    )


def decays(subject: Subject) -> list[Decay]:
    """Return each decay of CO2 after people left, in order of time.

    ``C - C0`` of a well-mixed empty room falls as ``exp(-k t)``; ``k`` is the air-change rate. ``C0``, outdoors,
    is the lowest median of the log's CO2 over `FRESHEST`. Followed are rows from the moment the room empties
    until `LEFT` of the excess is left, somebody comes, or a gap of more than `UNSEEN_S` begins. Fitted by least
    squares in ppm.
    """
    log, empty = subject.log, subject.counts == 0
    co2 = co2_of(subject)
    outdoor = float(pd.Series(co2, log.times).rolling(FRESHEST, min_periods=1).median().min())
    seen = recordings(log.times, max(log.max_gap, UNSEEN_S))
    steps = np.flatnonzero(np.diff(empty) | (np.diff(seen) > 0)) + 1
    found = []
    for first, last in itertools.pairwise([*steps.tolist(), len(empty)]):
        # Only where people are seen to leave: how long a room has been empty before is not known otherwise.
        if empty[first] and not empty[first - 1] and seen[first] == seen[first - 1]:
            fit = _fit(_hours(log.times[first:last]), co2[first:last] - outdoor)
            if fit is not None:
                excess, rate, rows, bend = fit
                found.append(Decay(slice(first, first + rows), outdoor, excess, rate, bend))
    return found


def co2_of(subject: Subject) -> Floats:
    """Return the mean of all CO2 sensors that vary, (N,) in ppm; NaN where one of them has no reading."""
    names = [column.name for column in subject.log.schema.of_kind("co2") if column.name in subject.varying]
    return subject.log.frame[names].mean(axis=1, skipna=False).to_numpy(np.float64)


def _fit(hours: Floats, excess: Floats) -> tuple[float, float, int, float] | None:
    """Return excess at the start, rate per hour, rows that they rest on, and bend; None where nothing decays."""
    start = float(np.nanmedian(excess[:5]))
    if not start >= LEAST_PPM:
        return None
    gone = pd.Series(excess).rolling(5, min_periods=1).median().to_numpy() < LEFT * start
    length = int(np.argmax(gone)) if gone.any() else len(excess)
    hours, excess = hours[:length], excess[:length]
    known = np.isfinite(excess)
    if known.sum() < 10 or (hours[-1] - hours[0]) * 3600 < SHORTEST_S:
        return None
    try:
        (height, rate), _ = curve_fit(_decay, hours[known], excess[known], (start, 1.0))
    except RuntimeError:  # no line of this form comes near
        return None
    if not PLAUSIBLE_PER_H[0] <= rate <= PLAUSIBLE_PER_H[1]:
        return None
    return float(height), float(rate), length, _bend(hours[known], excess[known])


def _bend(hours: Floats, excess: Floats) -> float:
    """Return the slope of the logarithm over the last third of the rows as a multiple of that over the first."""
    third = max(len(hours) // 3, 2)
    logarithm = np.log(np.maximum(excess, 1.0))  # ppm: below that is noise
    early, late = (np.polyfit(hours[part], logarithm[part], 1)[0] for part in (slice(third), slice(-third, None)))
    return float(late / early) if early else np.nan


def _decay(hours: Floats, height: float, rate: float) -> Floats:
    return np.asarray(height * np.exp(-rate * hours))


def _hours(times: pd.DatetimeIndex) -> Floats:
    return np.asarray((times - times[0]) / pd.Timedelta("1h"), dtype=np.float64)


def _draw_decays(subject: Subject, found: Sequence[Decay], width: float) -> Figure:
    co2, times = co2_of(subject), subject.log.times
    highest = sorted(found, key=lambda decay: -decay.excess_ppm)[:_SHOWN]
    which = f"; the {_SHOWN} highest of {len(found)}" if len(found) > _SHOWN else ""
    figure = titled_figure(
        4.4, f"CO2 of the empty room as it decays, and the fits: the steeper, the more air{which}", width
    )
    axes = figure.subplots()
    for decay, colour in zip(
        sorted(highest, key=lambda decay: decay.rows.start), itertools.cycle(LABELS), strict=False
    ):
        hours, excess = _hours(times[decay.rows]), co2[decay.rows] - decay.outdoor_ppm
        label = f"{times[decay.rows.start]:%d %b %H:%M}: {decay.rate_per_h:.2f}"
        axes.plot(60 * hours, excess, ".", color=colour, markersize=3, alpha=0.5)
        axes.plot(60 * hours, _decay(hours, decay.excess_ppm, decay.rate_per_h), color=colour, linewidth=2, label=label)
    axes.set(yscale="log", xlabel="minutes since the room emptied", ylabel="CO2 above outdoors (ppm)")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.grid(linewidth=0.3)
    title = "emptied: fitted air\nchanges per hour"
    if width > NARROW:
        figure.legend(loc="outside right center", frameon=False, title=title, fontsize=9)
    else:
        figure.legend(loc="outside lower center", frameon=False, title=title, fontsize=9)
    return figure
