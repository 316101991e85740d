"""Figures that compare models, with a small panel for each."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter, StrMethodFormatter

from occupancy.arrays import Floats, Ints
from occupancy.comparison.groups import Comparison, Group
from occupancy.data.times import steps_of
from occupancy.plots.colours import BLACK, BLUE, GREY, ORANGE, VERMILLION
from occupancy.plots.figure import NARROW, WIDTH, titled_figure
from occupancy.plots.timeaxis import BREAK_S, row_spans, step_lines

BINS = 15  # as in the expected calibration error
_COLOURS = {"honest": BLUE, "report": ORANGE}
_PROTOCOLS = {"honest": "honest", "report": "report: stopped on the test rows"}
_STEPS_H = (0.25, 0.5, 1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0, 168.0)
_LABEL = 0.8  # inches that a label of the time axis needs


def fold_bars(comparison: Comparison, key: str, title: str, unit: str) -> Figure:
    """Return a bar for each model in each fold; the folds are below each other and share one scale.

    Args:
        comparison: the models, the best first.
        key: the metric.
        title: the title of the figure.
        unit: the label of the axis.
    """
    groups = comparison.groups
    names = [textwrap.fill(group.title, 24) for group in groups]
    lines = sum(name.count("\n") + 1.5 for name in names)
    figure = titled_figure(len(comparison.folds) * (0.13 * lines + 0.35) + 1.2, title, NARROW)
    panels = figure.subplots(len(comparison.folds), 1, sharex=True, squeeze=False)[:, 0]
    bars = {rows.number: [group.fold_mean(key, rows.number) for group in groups] for rows in comparison.folds}
    highest = max((value for values in bars.values() for value in values if value > 0), default=1.0)
    middles = np.cumsum([name.count("\n") + 1.5 for name in names]) - [name.count("\n") / 2 + 0.75 for name in names]
    for axes, rows in zip(panels, comparison.folds, strict=True):
        found = np.array(bars[rows.number])
        colours = [_COLOURS.get(group.protocol, GREY) for group in groups]
        axes.barh(middles, found, height=1.0, color=colours)
        for middle, value in zip(middles, found, strict=True):
            at, text = (0.0, "unknown") if np.isnan(value) else (value, f"{value:.3f}")
            axes.text(at + highest / 80, middle, text, va="center", fontsize=8)
        found_labels = " ".join(map(str, np.unique(rows.truth)))
        axes.set_title(f"fold {rows.number}: {len(rows.truth):,} rows, labels {found_labels}", fontsize=9, loc="left")
        axes.set_yticks(middles, names, fontsize=8)
        axes.set_ylim(lines, 0)
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set(xlabel=unit, xlim=(0, 1.2 * highest))
    protocols = dict.fromkeys(group.protocol for group in groups)
    labels = {name: f"protocol {_PROTOCOLS.get(name, name)}" for name in protocols}
    patches = [Patch(color=_COLOURS.get(name, GREY), label=label) for name, label in labels.items()]
    figure.legend(handles=patches, loc="outside lower left", frameon=False, fontsize=8)
    return figure


def labels_over_time(groups: Sequence[Group], fold: int, title: str, max_gap: float, width: float = WIDTH) -> Figure:
    """Return the true count and the label of every model in a fold, on one time axis without long gaps.

    Args:
        groups: the models; the first seed of each is shown.
        fold: the number of the fold.
        title: the title of the figure.
        max_gap: seconds; no line crosses a longer step.
        width: width of the figure, in inches.
    """
    parts = [next(rows for rows in group.parts[0] if rows.number == fold) for group in groups]
    axis = _Axis.of(pd.DatetimeIndex(parts[0].times), max_gap, int(width / _LABEL))
    lines = 1 if width > NARROW else 2  # of a panel's title
    figure = titled_figure((0.8 + 0.15 * lines) * len(groups) + 1.6, title, width)
    panels = figure.subplots(len(groups), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, group, rows in zip(panels, groups, parts, strict=True):
        wrong = rows.label != rows.truth
        x, truth, label = step_lines(axis.start, axis.until, rows.truth, rows.label)
        for first, long in row_spans(wrong, axis.start, axis.until):
            axes.axvspan(first, first + long, color=VERMILLION, alpha=0.25, linewidth=0.8, label="label wrong")
        axes.step(x, truth, where="post", color=GREY, linewidth=4, solid_capstyle="butt", label="truth")
        axes.step(x, label, where="post", color=BLACK, linewidth=1, label="predicted label")
        said = f"{group.title}, seed {group.runs[0].params['seed']}: label wrong on {wrong.mean():.1%} of the rows"
        axes.set_title(textwrap.fill(said, int(12 * width)), fontsize=9, loc="left")
        for place in axis.cuts:
            axes.axvline(place, color=BLACK, linewidth=1, linestyle=":", label="gap in the recording, cut out")
    highest = max(max(rows.truth.max(), rows.label.max()) for rows in parts)
    panels[0].set(ylim=(-0.4, highest + 0.4), xlim=(axis.start[0], axis.until[-1]))
    panels[0].yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    panels[-1].set_xticks(axis.ticks, axis.labels)
    panels[-1].set_xlabel("local time")
    figure.supylabel("people", fontsize="medium")
    entries = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=int(width / 2.2), frameon=False)
    return figure


class _Axis(NamedTuple):
    """A time axis without long gaps.

    Attributes:
        start: (N,) when each row begins, in hours.
        until: (N,) when each row ends, in hours.
        cuts: where gaps are cut out, in hours.
        ticks: the ticks, in hours.
        labels: the labels of the ticks.
    """

    start: Floats
    until: Floats
    cuts: list[float]
    ticks: list[float]
    labels: list[str]

    @classmethod
    def of(cls, times: pd.DatetimeIndex, max_gap: float, most: int) -> _Axis:
        seconds = steps_of(times)
        step = min(float(np.median(seconds)), max_gap) if len(seconds) else max_gap
        long = seconds > max(BREAK_S, max_gap)
        blank = 0.015 * (seconds[~long].sum() + step)
        start = np.cumsum([0.0, *np.where(long, step + blank, seconds)]) / 3600
        until = start + step / 3600
        until[:-1] = np.where(seconds <= max_gap, start[1:], until[:-1])
        edges = [0, *(np.flatnonzero(long) + 1), len(times)]
        cuts = [float(start[edge] - blank / 7200) for edge in edges[1:-1]]
        parts = itertools.pairwise(edges)
        ticks = [tick for first, last in parts for tick in _ticks(times, start, until, first, last, most)]
        room = 0.6 * until[-1] / most
        kept = [
            tick
            for tick, after in zip(ticks, [*ticks[1:], None], strict=True)
            if after is None or after[0] - tick[0] >= room
        ]
        days = [moment.date() for _, moment in kept]
        labels = [
            f"{moment:%H:%M}" + (f"\n{moment:%d %b}" if place == 0 or days[place - 1] != days[place] else "")
            for place, (_, moment) in enumerate(kept)
        ]
        return cls(start, until, cuts, [x for x, _ in kept], labels)


def _ticks(
    times: pd.DatetimeIndex, start: Floats, until: Floats, first: int, last: int, most: int
) -> list[tuple[float, pd.Timestamp]]:
    """Return the round times between two cuts and their positions; ``most`` limits their number on the whole axis."""
    step_h = next((step for step in _STEPS_H if until[-1] / step <= most), _STEPS_H[-1])
    step = pd.Timedelta(hours=step_h)
    begin = times[first]
    moments = pd.date_range(begin.ceil(step), begin + pd.Timedelta(hours=until[last - 1] - start[first]), freq=step)
    return [(float(start[first] + (moment - begin) / pd.Timedelta("1h")), moment) for moment in moments]


def reliability(group: Group) -> Figure:
    """Return how often the most likely label is right at each level of confidence, over all folds and seeds.

    Below it, the number of rows at each level of confidence, on a logarithmic scale.
    """
    probs, truth = (
        np.concatenate([getattr(rows, name) for parts in group.parts for rows in parts]) for name in ("probs", "truth")
    )
    counts, confidence, right = calibration(probs, truth)
    figure = titled_figure(3.7, "", 3.3)
    figure.suptitle(textwrap.fill(group.title, 38), fontsize="medium")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="perfect calibration")
    upper.plot(confidence, right, color=BLUE, marker="o", markersize=4, linewidth=1, label="this model")
    upper.set(ylabel="share right", ylim=(-0.03, 1.03))
    lower.bar((np.arange(BINS) + 0.5) / BINS, counts, width=0.9 / BINS, color=GREY)
    lower.set(
        yscale="log", ylim=(0.5, 3 * max(counts.max(), 1)), xlabel="probability of the most likely label", ylabel="rows"
    )
    lower.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    lower.yaxis.set_minor_locator(NullLocator())
    for axis in (upper.xaxis, upper.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    lower.set_xlim(0, 1)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure


def calibration(probs: Floats, truth: Ints) -> tuple[Ints, Floats, Floats]:
    """Return the rows in each of `BINS` equal bins of confidence, their mean confidence and the share that is right.

    Mean and share are NaN for an empty bin.

    Args:
        probs: (N, C) probabilities.
        truth: (N,) true labels.
    """
    confidence = probs.max(axis=1)
    place = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    sums = [
        np.bincount(place, weights=values, minlength=BINS) for values in (confidence, probs.argmax(axis=1) == truth)
    ]
    with np.errstate(invalid="ignore"):
        return counts, sums[0] / counts, sums[1] / counts
