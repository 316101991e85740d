"""A time axis that leaves out long gaps, and the lines and spans that are drawn on it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.transforms import offset_copy

from occupancy.arrays import Floats, Ints, Rows
from occupancy.data.times import steps_of
from occupancy.plots.figure import WIDTH, titled_figure

BREAK_S = 30 * 60.0  # longer gaps are cut out, since they would leave most of the axis blank
MAX_PANELS = 6  # with more panels, a date would not fit into each
_PANEL_GAP, _MARGINS, _TICK_LABEL = 0.25, 1.0, 0.6  # inches
_SHORTEST = pd.Timedelta("10min")  # shortest time that a panel spans; a single row has no duration
_TICK_STEPS = pd.to_timedelta(["5min", "15min", "30min", "1h", "2h", "3h", "6h", "12h", "1D", "2D", "7D"])


class Panel(NamedTuple):
    """The rows between two long gaps.

    Attributes:
        rows: the rows.
        start: (N,) when each row begins, in days.
        until: (N,) when each row ends, in days.
        axes: the axes that show them, from top to bottom.
    """

    rows: slice
    start: Floats
    until: Floats
    axes: list[Axes]


def _days(times: pd.DatetimeIndex) -> Floats:
    """Return the days since 1970, (N,), the unit of matplotlib's time axes."""
    return (times.to_numpy() - np.datetime64("1970-01-01")) / np.timedelta64(1, "D")


def _step(times: pd.DatetimeIndex, max_gap: float) -> float:
    """Return how many seconds a row lasts that has no next row."""
    return min(float(np.median(steps_of(times))), max_gap) if len(times) > 1 else 30.0


def row_bounds(times: pd.DatetimeIndex, max_gap: float) -> tuple[Floats, Floats]:
    """Return when each row begins and ends, (N,) and (N,) in days.

    A row lasts until the next row; before a gap, it lasts one step.
    """
    start = _days(times)
    until = start + _step(times, max_gap) / 86_400
    until[:-1] = np.where(steps_of(times) <= max_gap, start[1:], until[:-1])
    return start, until


def step_lines(start: Floats, until: Floats, *columns: Floats | Ints) -> list[Floats]:
    """Return the days and each column for a step line: the last value is held to the end of its stretch, then NaN."""
    last = np.flatnonzero(np.append(until[:-1] < start[1:], True))
    lines = [(start, until), *((column.astype(np.float64), column) for column in columns)]
    nan = np.full(len(last), np.nan)
    return [np.insert(line, np.repeat(last + 1, 2), np.stack([end[last], nan], axis=1).ravel()) for line, end in lines]


def row_spans(mask: Rows, start: Floats, until: Floats) -> list[tuple[float, float]]:
    """Return the start and the width, in days, of each stretch of rows in the mask (N,)."""
    joined = mask[1:] & mask[:-1] & (until[:-1] >= start[1:])
    first, last = mask & ~np.append(False, joined), mask & ~np.append(joined, False)
    return list(zip(start[first], until[last] - start[first], strict=True))


def label_dates(axes: Axes, width: float) -> None:
    """Label a time axis with its gaps, in a figure of this width in inches."""
    locator = AutoDateLocator(minticks=3, maxticks=int(width) + 2)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_xlabel("local time")


def broken_axis(
    times: pd.DatetimeIndex, max_gap: float, heights: tuple[int, int], title: str, width: float = WIDTH
) -> tuple[Figure, list[Panel]]:
    """Return a figure with two rows of axes whose time axis leaves out long gaps, and its panels from left to right.

    Args:
        times: (N,) sorted times.
        max_gap: seconds between two rows; a longer step is a gap.
        heights: the relative heights of the upper and the lower row of axes.
        title: the title of the figure.
        width: in inches.
    """
    gaps, (start, until) = steps_of(times), row_bounds(times, max_gap)
    threshold = max(BREAK_S, max_gap)
    while (gaps > threshold).sum() >= MAX_PANELS:
        threshold *= 2
    edges = [0, *(np.flatnonzero(gaps > threshold) + 1), len(times)]
    rows = [slice(first, last) for first, last in itertools.pairwise(edges)]
    inches = np.array([max(until[part][-1] - start[part][0], _SHORTEST.total_seconds() / 86_400) for part in rows])
    inches = np.maximum(inches / inches.sum(), 0.12)
    inches *= (width - _MARGINS - _PANEL_GAP * (len(rows) - 1)) / inches.sum()
    # The layout divides wspace by the number of columns, not of the spaces between them.
    figure = titled_figure(4.5, title, width, wspace=_PANEL_GAP * len(rows) / width)
    grid = figure.subplots(
        2, len(rows), sharex="col", sharey="row", squeeze=False, width_ratios=inches, height_ratios=heights
    )
    step = pd.Timedelta(seconds=_step(times, max_gap))
    for axes, part, room in zip(grid[1], rows, inches, strict=True):
        first, last = times[part][0], times[part][-1] + step
        _label_times(axes, first, max(last, first + _SHORTEST), room)
    for column, edge in enumerate(edges[1:-1]):
        _mark_break(list(grid[:, column]), list(grid[:, column + 1]), gaps[edge - 1])
    _label_axis(list(grid[1]), inches, times)
    columns = [list(column) for column in grid.T]
    return figure, [Panel(part, start[part], until[part], axes) for part, axes in zip(rows, columns, strict=True)]


def _label_axis(bottom: Sequence[Axes], inches: Floats, times: pd.DatetimeIndex) -> None:
    """Write one label of the time axis below the middle of all panels; figure.supxlabel would lie on the legend."""
    days = list(dict.fromkeys([f"{times[0]:%d %b %Y}", f"{times[-1]:%d %b %Y}"]))
    left = np.cumsum(inches + _PANEL_GAP) - inches - _PANEL_GAP
    middle = (left[-1] + inches[-1]) / 2
    panel = int(np.searchsorted(left, middle, side="right")) - 1
    # Inside the edges of its panel; beyond them the layout would make room for it.
    bottom[panel].set_xlabel(f"local time, {' to '.join(days)}", x=min((middle - left[panel]) / inches[panel], 1.0))


def _label_times(axes: Axes, first: pd.Timestamp, last: pd.Timestamp, inches: float) -> None:
    """Set as many ticks at round times as fit into the panel; the first tick of each day also shows the date."""
    span, room = last - first, inches / _TICK_LABEL
    step = next((step for step in _TICK_STEPS if span / step <= room), (span / room).ceil("D"))
    ticks = pd.date_range(first.ceil(step), last, freq=step)
    margin = span * min(0.5, 0.3 / room)  # labels beyond the edges would push the panels apart
    ticks = ticks[(ticks >= first + margin) & (ticks <= last - margin)]
    if ticks.empty:
        ticks = pd.DatetimeIndex([(first + span / 2).round("min")])
    first_text, text = ("%H:%M\n%d %b", "%H:%M") if step < pd.Timedelta("1D") else ("%d %b", "")
    repeated = ticks.normalize().duplicated()
    labels = [tick.strftime(text if same else first_text) for tick, same in zip(ticks, repeated, strict=True)]
    axes.set_xticks(_days(ticks), labels)
    axes.set_xlim(*_days(pd.DatetimeIndex([first, last])))


def _mark_break(left: Sequence[Axes], right: Sequence[Axes], seconds: float) -> None:
    """Open the frame between two columns of axes, and write the length of the gap between them."""
    slash = MarkerStyle(((-1, -2), (1, 2)))
    for columns, edge, side in ((left, 1, "right"), (right, 0, "left")):
        for axes in columns:
            axes.spines[side].set_visible(False)
            axes.scatter([edge] * 2, [0, 1], 60, "black", marker=slash, transform=axes.transAxes, clip_on=False)
    for axes in right:
        axes.tick_params(left=False)
    hours = seconds / 3600
    length = f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} h" if hours >= 2 else f"{seconds / 60:.0f} min"
    middle = offset_copy(left[0].transAxes, left[0].get_figure(root=True), x=_PANEL_GAP / 2)
    style = {"rotation": 90, "ha": "center", "va": "center", "color": "dimgrey"}
    left[0].text(1, 0.5, f"gap of {length}", style, transform=middle).set_in_layout(False)
