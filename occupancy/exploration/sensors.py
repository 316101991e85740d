"""What the sensors read: over the first day, and under each count."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import roc_auc_score

from occupancy.config import Kind
from occupancy.data.schema import Column
from occupancy.exploration import Picture, Section, Subject
from occupancy.plots import BLACK, GREY, LABELS
from occupancy.timeaxis import NARROW, label_dates, row_bounds, row_spans, step_lines, titled_figure

_DAY = pd.Timedelta("1D")
_PANEL = 2.3  # inches that a panel of the distributions needs in width
_NAMES: dict[Kind, str] = {"co2": "CO2", "co2_slope": "CO2 slope"}


def name_of(kind: Kind) -> str:
    """Return a kind of sensor as people write it."""
    return _NAMES.get(kind, kind)


def by_kind(subject: Subject) -> dict[Kind, list[Column]]:
    """Return the sensor columns that vary, by kind, both in the order of the schema."""
    found: dict[Kind, list[Column]] = {}
    for column in subject.log.schema.columns:
        if column.name in subject.varying:
            found.setdefault(column.kind, []).append(column)
    return found


def unit_of(columns: list[Column]) -> str:
    """Return the unit of columns of a kind, as axes show it."""
    return " or ".join(dict.fromkeys(column.unit.replace("degC", "°C") for column in columns))


def first_day(subject: Subject) -> Section:
    """Return every sensor over the first 24 hours, under the count."""
    log = subject.log
    inside = int((log.times < log.times[0] + _DAY).sum())
    return Section(
        "What do the sensors read over a day?",
        f"The first day: {inside:,} rows from {log.times[0]:%Y-%m-%d %H:%M} on"
        + (f", {np.mean(subject.counts[:inside] > 0):.0%} of them with people in." if subject.labelled else "."),
        ["Grey: somebody is in." if subject.labelled else "The log holds no counts to set them beside."],
        [Picture(partial(_draw_day, subject, slice(0, inside)), "the count and every sensor over the first day")],
        in_short=False,
    )


def distributions(subject: Subject) -> Section | None:
    """Return how the readings of each sensor differ from count to count; None without counts or readings."""
    if not subject.labelled or not subject.varying:
        return None
    return Section(
        "Does a single reading tell the count?",
        _tell_best(subject),
        [
            "Boxes hold the middle half of the rows, whiskers 90 %, the line is the median. Where the boxes of two "
            "counts overlap, one reading alone can't tell them apart. Sensors that know two values are shown by how "
            "often they read the larger."
        ],
        [Picture(partial(_draw_distributions, subject), "readings of each sensor for each count")],
    )


def separation(subject: Subject) -> pd.Series[float]:
    """Return how well one reading of each sensor tells an occupied room from an empty one, the best first.

    The probability that an occupied row reads higher than an empty one (the area under the ROC curve), or
    lower where readings fall with people: 0.5 is chance, 1 certain. Empty where the room never changes.
    """
    occupied = subject.counts > 0
    areas = pd.Series(dtype=np.float64)
    for name in subject.varying:
        known = subject.log.frame[name].notna().to_numpy()
        if 0 < occupied[known].sum() < known.sum():
            areas[name] = roc_auc_score(occupied[known], subject.log.frame[name][known])
    return areas.where(areas >= 0.5, 1 - areas).sort_values(ascending=False)


def _tell_best(subject: Subject) -> str:
    found = separation(subject)
    if found.empty:
        return "The room never fills or empties in this log, so its readings have nothing to tell apart."
    light = [column.name for column in subject.log.schema.of_kind("light")]
    told = (
        f"{found.index[0]} tells an occupied row from an empty one best: it reads apart in {found.iloc[0]:.0%} of pairs"
    )
    rest = found.drop(light, errors="ignore")
    if found.index[0] in light and len(rest):
        told += f"; of the sensors other than light {rest.index[0]}, in {rest.iloc[0]:.0%}"
    return f"{told} (chance: 50%)."


def _draw_day(subject: Subject, rows: slice, width: float) -> Figure:
    log, kinds = subject.log, by_kind(subject)
    times = log.times[rows]
    start, until = row_bounds(times, log.max_gap)
    panels = len(kinds) + subject.labelled
    figure = titled_figure(1.0 + 1.25 * max(panels, 1), f"The first day, from {times[0]:%d %b %Y %H:%M} on", width)
    axes = list(figure.subplots(max(panels, 1), 1, sharex=True, squeeze=False)[:, 0])
    if subject.labelled:
        counts = subject.counts[rows]
        x, people = step_lines(start, until, counts)
        axes[0].step(x, people, where="post", color=BLACK, linewidth=1.2, label="people in")
        axes[0].set_ylim(-0.3, max(counts.max(), 1) + 0.3)
        axes[0].yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        for first, long in row_spans(counts > 0, start, until):
            for one in axes:
                one.axvspan(first, first + long, color=GREY, alpha=0.2, linewidth=0)
        axes[0].set_ylabel("people")
    for one, (kind, columns) in zip(axes[subject.labelled :], kinds.items(), strict=True):
        for column, colour in zip(columns, itertools.cycle(LABELS)):
            x, readings = step_lines(start, until, log.frame[column.name].to_numpy()[rows])
            one.step(x, readings, where="post", color=colour, linewidth=0.9, label=column.name)
        one.set_ylabel(f"{name_of(kind)}\n({unit_of(columns)})")
    for one in axes:
        if one.get_legend_handles_labels()[0]:
            beside = (
                {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
                if width > NARROW
                else {"loc": "lower left", "bbox_to_anchor": (0.0, 0.95), "ncols": 4, "columnspacing": 1.0}
            )
            one.legend(**beside, frameon=False, fontsize=8, handlelength=1.2)
        one.margins(x=0)
    label_dates(axes[-1], width)
    figure.align_ylabels()
    return figure


def _draw_distributions(subject: Subject, width: float) -> Figure:
    columns = [column for found in by_kind(subject).values() for column in found]
    across = min(int(width / _PANEL), len(columns))
    deep = math.ceil(len(columns) / across)
    title = "Readings of each sensor while so many people are in: boxes that overlap can't be told apart"
    figure = titled_figure(0.8 + 2.1 * deep, title, width, wspace=0.06)
    grid = figure.subplots(deep, across, squeeze=False).ravel()
    for axes, column in zip(grid, columns, strict=False):
        _draw_one(axes, subject, column)
    for axes in grid[len(columns) :]:
        axes.set_visible(False)
    return figure


def _draw_one(axes: Axes, subject: Subject, column: Column) -> None:
    readings, counts = subject.log.frame[column.name].to_numpy(), subject.counts
    found = [int(count) for count in np.unique(counts)]
    values = {count: readings[(counts == count) & np.isfinite(readings)] for count in found}
    colours = [LABELS[count % len(LABELS)] for count in found]
    known = np.unique(readings[np.isfinite(readings)])
    if len(known) == 2:
        shares = [float(np.mean(part == known[1])) if len(part) else 0.0 for part in values.values()]
        axes.bar(range(len(found)), shares, color=colours)
        axes.set(ylim=(0, 1), ylabel=f"share that reads {known[1]:g}")
    else:
        boxes = axes.boxplot(
            list(values.values()),
            positions=range(len(found)),
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            widths=0.65,
            medianprops={"color": BLACK},
        )
        for box, colour in zip(boxes["boxes"], colours, strict=True):
            box.set(facecolor=colour, alpha=0.75)
        axes.set_ylabel(unit_of([column]))
    axes.set_xticks(range(len(found)), list(map(str, found)))
    axes.set_xlabel("people")
    axes.set_title(column.name, fontsize=10)
