"""How fast the air of the room is replaced, estimated from the decay of CO2 after people leave."""

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
from occupancy.data.kinds import in_usual_unit
from occupancy.data.times import recordings
from occupancy.exploration.parts import Picture, Section, Subject
from occupancy.features.balance import PLAUSIBLE_PER_H
from occupancy.plots.colours import LABELS
from occupancy.plots.figure import NARROW, titled_figure

FRESHEST = "30min"  # the lowest median over such a span is taken as outdoors, since a single row may be wrong
BENT = 1.25  # ratio of the rates at the end and at the start from which a decay is not one exponential
SHORTEST_S = 1200.0  # a shorter decay is too short for an estimate
UNSEEN_S = 600.0  # in a longer gap people may leave or come without being recorded
LEAST_PPM = 40.0  # above outdoors when the room becomes empty; a smaller decay is mostly noise
LEFT = 0.2  # a decay is fitted until this share of the excess is left; after that, outdoors matters too much
_DRAWN_DECAYS = 6


@dataclass(frozen=True)
class Decay:
    """The CO2 of an empty room while it falls to the level outdoors.

    Attributes:
        rows: the rows, from the first without people.
        outdoor_ppm: CO2 outdoors.
        excess_ppm: fitted CO2 above outdoors at the start.
        rate_per_h: fitted air changes per hour.
        bend: the rate over the last third of the rows divided by the rate over the first third.
    """

    rows: slice
    outdoor_ppm: float
    excess_ppm: float
    rate_per_h: float
    bend: float


def section(subject: Subject) -> Section | None:
    """Return the decays of CO2 in the empty room and the air-change rate of each; None without counts or CO2."""
    if not subject.labelled or not any(column.name in subject.varying for column in subject.log.schema.of_kind("co2")):
        return None
    title = "How fast is the air replaced?"
    found = decays(subject)
    if not found:
        return Section(
            title,
            "The log has no decay of CO2 that can be fitted: it must begin at least "
            f"{LEAST_PPM:g} ppm above outdoors when people leave, and last at least {SHORTEST_S / 60:g} min.",
        )
    rates = [decay.rate_per_h for decay in found]
    bend = float(np.median([decay.bend for decay in found]))
    rate = f"{np.median(rates):.2f} air changes per hour"
    several = (
        f"{len(found)} decays of CO2 after people left give {min(rates):.2f} to {max(rates):.2f}, with a median of "
        f"{rate}."
    )
    alone = f"The single decay of CO2 after people left gives {rate}."
    straight = "One rate fits each decay from start to end."
    bent = f"One rate is a rough fit: over the last third of a decay it is {bend:.1f} times that over the first third."
    return Section(
        title,
        f"{several if len(found) > 1 else alone} {straight if 1 / BENT <= bend <= BENT else bent}",
        [
            f"CO2 outdoors is taken as {found[0].outdoor_ppm:.0f} ppm, the lowest level in the log. On this scale, the "
            "CO2 of a well-mixed room with constant ventilation falls along a straight line; a curve is caused by "
            "doors, windows, slow mixing of the air, or another level outdoors.",
        ],
        [
            Picture(
                partial(_draw_decays, subject, found),
                "CO2 above outdoors after people left, with the fitted decays",
            )
        ],
    )


def decays(subject: Subject) -> list[Decay]:
    """Return each decay of CO2 after people left, in order of time.

    In a well-mixed empty room, ``C - C0`` falls as ``exp(-k t)``, where ``k`` is the air-change rate. ``C0``, the CO2
    outdoors, is the lowest median of CO2 over `FRESHEST`. A decay begins when the last person leaves; it ends when
    `LEFT` of the excess is left, somebody comes, or a gap of more than `UNSEEN_S` begins. It is fitted by least
    squares in ppm.
    """
    log, empty = subject.log, subject.counts == 0
    co2 = co2_of(subject)
    outdoor = float(pd.Series(co2, log.times).rolling(FRESHEST, min_periods=1).median().min())
    seen = recordings(log.times, max(log.max_gap, UNSEEN_S))
    steps = np.flatnonzero(np.diff(empty) | (np.diff(seen) > 0)) + 1
    found = []
    for first, last in itertools.pairwise([*steps.tolist(), len(empty)]):
        # Only where people are recorded leaving: otherwise it is not known how long the room has been empty.
        if empty[first] and subject.counts[first - 1] > 0 and seen[first] == seen[first - 1]:
            fit = _fit(_hours(log.times[first:last]), co2[first:last] - outdoor)
            if fit is not None:
                excess, rate, rows, bend = fit
                found.append(Decay(slice(first, first + rows), outdoor, excess, rate, bend))
    return found


def co2_of(subject: Subject) -> Floats:
    """Return the mean of all CO2 sensors that vary, (N,) in ppm; NaN if one of them has no reading."""
    columns = [column for column in subject.log.schema.of_kind("co2") if column.name in subject.varying]
    frame = subject.log.frame
    ppm = [in_usual_unit("co2", column.unit, frame[column.name].to_numpy(np.float64)) for column in columns]
    return np.asarray(np.mean(ppm, axis=0))


def _fit(hours: Floats, excess: Floats) -> tuple[float, float, int, float] | None:
    """Return excess at the start, rate per hour, number of rows, and bend; None if there is no decay to fit."""
    start = float(pd.Series(excess[:5]).median())  # NaN without a reading
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
    except RuntimeError:  # no exponential fits
        return None
    if not PLAUSIBLE_PER_H[0] <= rate <= PLAUSIBLE_PER_H[1]:
        return None
    return float(height), float(rate), length, _bend(hours[known], excess[known])


def _bend(hours: Floats, excess: Floats) -> float:
    """Return the slope of the logarithm over the last third of the rows divided by the slope over the first third."""
    third = max(len(hours) // 3, 2)
    logarithm = np.log(np.maximum(excess, 1.0))  # less than 1 ppm is noise
    early, late = (np.polyfit(hours[part], logarithm[part], 1)[0] for part in (slice(third), slice(-third, None)))
    return float(late / early) if early else np.nan


def _decay(hours: Floats, height: float, rate: float) -> Floats:
    return np.asarray(height * np.exp(-rate * hours))


def _hours(times: pd.DatetimeIndex) -> Floats:
    return np.asarray((times - times[0]) / pd.Timedelta("1h"), dtype=np.float64)


def _draw_decays(subject: Subject, found: Sequence[Decay], width: float) -> Figure:
    co2, times = co2_of(subject), subject.log.times
    highest = sorted(found, key=lambda decay: -decay.excess_ppm)[:_DRAWN_DECAYS]
    which = f"; the {_DRAWN_DECAYS} highest of {len(found)}" if len(found) > _DRAWN_DECAYS else ""
    title = f"Decay of CO2 in the empty room, with fits: a steeper line means more ventilation{which}"
    figure = titled_figure(4.4, title, width)
    axes = figure.subplots()
    for decay, colour in zip(
        sorted(highest, key=lambda decay: decay.rows.start), itertools.cycle(LABELS), strict=False
    ):
        hours, excess = _hours(times[decay.rows]), co2[decay.rows] - decay.outdoor_ppm
        label = f"{times[decay.rows.start]:%d %b %H:%M}: {decay.rate_per_h:.2f}"
        axes.plot(60 * hours, excess, ".", color=colour, markersize=3, alpha=0.5)
        axes.plot(60 * hours, _decay(hours, decay.excess_ppm, decay.rate_per_h), color=colour, linewidth=2, label=label)
    axes.set(yscale="log", xlabel="minutes since the last person left", ylabel="CO2 above outdoors (ppm)")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.grid(linewidth=0.3)
    style = {"frameon": False, "title": "start: fitted air\nchanges per hour", "fontsize": 9}
    if width > NARROW:
        figure.legend(loc="outside right center", **style)
    else:
        figure.legend(loc="outside lower center", **style)
    return figure
