"""The readings of the sensors for each count."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score

from occupancy.data.schema import Column
from occupancy.exploration.parts import Picture, Section, Subject
from occupancy.exploration.series import by_kind, unit_of
from occupancy.exploration.words import percent, short
from occupancy.plots.colours import BLACK, LABELS
from occupancy.plots.figure import titled_figure

INFORMATIVE = 0.6  # area under the ROC curve from which a reading carries information
_BOX_PANEL = 2.3  # inches that a panel needs in width


def section(subject: Subject) -> Section | None:
    """Return how the readings of each sensor differ between counts; None without counts or varying readings."""
    if not subject.labelled or not subject.varying:
        return None
    return Section(
        "Does one reading show the count?",
        _tell_best(subject),
        [
            "Boxes hold the middle half of the rows, whiskers 90 %; the line is the median. If the boxes of two counts "
            "overlap, a single reading cannot separate them. For sensors with two values, the bars show how often they "
            "read the larger value."
        ],
        [Picture(partial(_draw_distributions, subject), "readings of each sensor for each count")],
    )


def separation(subject: Subject) -> pd.Series[float]:
    """Return how well one reading of each sensor separates an occupied from an empty room, the best first.

    The probability that an occupied row reads higher than an empty row (the area under the ROC curve), or lower if
    readings fall with people: 0.5 is chance, 1 is certain. Empty if the room is always occupied or always empty.
    """
    occupied = subject.counts > 0
    areas = pd.Series(dtype=np.float64)
    for name in subject.varying:
        known = subject.log.frame[name].notna().to_numpy() & subject.log.labelled
        if 0 < occupied[known].sum() < known.sum():
            areas[name] = roc_auc_score(occupied[known], subject.log.frame[name][known])
    return areas.where(areas >= 0.5, 1 - areas).sort_values(ascending=False)


def _tell_best(subject: Subject) -> str:
    found = separation(subject)
    if found.empty:
        return "The room is always occupied or always empty in this log, so there is nothing to separate."
    light = [column.name for column in subject.log.schema.of_kind("light")]
    name, share = found.index[0], percent(found.iloc[0])
    if found.iloc[0] < INFORMATIVE:
        return f"No: even {name} separates only {share} of the pairs of an occupied and an empty row (chance: 50%)."
    rest = found.drop(light, errors="ignore")
    dark = f"; of the other sensors except light, {rest.index[0]} separates {percent(rest.iloc[0])}"
    return (
        f"{name} separates occupied from empty rows best: {share} of the pairs of such rows (chance: 50%)"
        f"{dark if name in light and len(rest) else ''}."
    )


def _draw_distributions(subject: Subject, width: float) -> Figure:
    columns = [column for found in by_kind(subject).values() for column in found]
    across = min(int(width / _BOX_PANEL), len(columns))
    deep = math.ceil(len(columns) / across)
    title = "Readings of each sensor by count: one reading cannot separate counts whose boxes overlap"
    figure = titled_figure(0.8 + 2.1 * deep, title, width, wspace=0.06)
    grid = figure.subplots(deep, across, squeeze=False).ravel()
    for axes, column in zip(grid, columns, strict=False):
        _draw_one(axes, subject, column)
    for axes in grid[len(columns) :]:
        axes.set_visible(False)
    return figure


def _draw_one(axes: Axes, subject: Subject, column: Column) -> None:
    readings, counts = subject.log.frame[column.name].to_numpy(), subject.counts
    found = [int(count) for count in np.unique(counts[~np.isnan(counts)])]
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
    every = 1 if len(found) <= 8 else math.ceil(len(found) / 6)  # more would overlap
    axes.set_xticks(range(0, len(found), every), list(map(str, found[::every])))
    axes.set_xlabel("people")
    axes.set_title(short(column.name), fontsize=10)
