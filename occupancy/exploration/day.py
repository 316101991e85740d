"""The readings of the sensors over the first day, below the count."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from occupancy.arrays import Floats
from occupancy.exploration.parts import Picture, Section, Subject
from occupancy.exploration.series import by_kind, legend_beside, line_styles, name_of, unit_of
from occupancy.exploration.words import percent, several, short
from occupancy.plots.colours import BLACK, BLUE, GREY
from occupancy.plots.figure import NARROW, titled_figure
from occupancy.plots.timeaxis import label_dates, row_bounds, row_spans, step_lines

_DAY = pd.Timedelta("1D")


def section(subject: Subject) -> Section:
    """Return every sensor over the first 24 hours, below the count."""
    log = subject.log
    inside = int((log.times < log.times[0] + _DAY).sum())
    known = subject.counts[:inside][log.labelled[:inside]] if subject.labelled else np.zeros(0)
    of_them = "them" if len(known) == inside else f"the {len(known):,} with a count"
    return Section(
        "What do the sensors read over a day?",
        f"The first day has {several(inside, 'row')}, from {log.times[0]:%Y-%m-%d %H:%M}"
        + (f"; in {percent(float(np.mean(known > 0)))} of {of_them} the room is occupied." if len(known) else "."),
        ["Grey: the room is occupied." if subject.labelled else "The log has no counts to compare the readings with."],
        [Picture(partial(_draw_day, subject, slice(0, inside)), "the count and every sensor over the first day")],
        in_short=False,
    )


def _draw_day(subject: Subject, rows: slice, width: float) -> Figure:
    log, kinds = subject.log, by_kind(subject)
    times = log.times[rows]
    start, until = row_bounds(times, log.max_gap)
    panels = len(kinds) + subject.labelled
    figure = titled_figure(1.0 + 1.25 * max(panels, 1), f"The first day, from {times[0]:%d %b %Y %H:%M}", width)
    axes = list(figure.subplots(max(panels, 1), 1, sharex=True, squeeze=False)[:, 0])
    if subject.labelled:
        counts = subject.counts[rows]
        x, people = step_lines(start, until, counts)
        axes[0].step(x, people, where="post", color=BLACK, linewidth=1.2, label="people")
        axes[0].set_ylim(-0.3, np.nanmax([*counts, 1]) + 0.3)
        axes[0].yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        for first, long in row_spans(counts > 0, start, until):
            for one in axes:
                one.axvspan(first, first + long, color=GREY, alpha=0.2, linewidth=0)
        axes[0].set_ylabel("people")
    for one, (kind, columns) in zip(axes[subject.labelled :], kinds.items(), strict=True):
        readings = {column.name: log.frame[column.name].to_numpy(np.float64)[rows] for column in columns}
        switches = all(log.frame[name].nunique() == 2 for name in readings)
        draw = _draw_switches if switches else _draw_readings
        draw(one, readings, (start, until), width)
        one.set_ylabel(f"{name_of(kind)}\n({unit_of(columns)})")
    for one in axes:
        one.margins(x=0)
    label_dates(axes[-1], width)
    figure.align_ylabels()
    return figure


def _draw_readings(axes: Axes, readings: Mapping[str, Floats], bounds: tuple[Floats, Floats], width: float) -> None:
    """Draw sensors as half transparent lines on the same axes."""
    lines = []
    for cells, style in zip(readings.values(), line_styles(), strict=False):
        x, y = step_lines(*bounds, cells)
        lines += axes.step(x, y, where="post", linewidth=0.9, alpha=0.8, **style)
    if width > NARROW:
        legend_beside(axes, lines, list(readings))
        return
    axes.legend(
        lines,
        [short(name) for name in readings],
        loc="lower left",
        bbox_to_anchor=(0.0, 0.95),
        ncols=4,
        columnspacing=1.0,
        frameon=False,
        fontsize=7,
        handlelength=1.2,
    )


def _draw_switches(axes: Axes, readings: Mapping[str, Floats], bounds: tuple[Floats, Floats], _width: float) -> None:
    """Draw sensors with two values as lanes, filled while the sensor reads the larger value."""
    for lane, cells in enumerate(readings.values()):
        spans = row_spans(cells > np.nanmin(cells), *bounds)
        axes.broken_barh(spans, (lane - 0.35, 0.7), color=BLUE, linewidth=0.3)
    axes.set_yticks(range(len(readings)), [short(name) for name in readings], fontsize=8)
    axes.set_ylim(len(readings) - 0.5, -0.5)
