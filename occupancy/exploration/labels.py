"""The distribution of the counts over rows, and over the much fewer runs of equal count."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator, PercentFormatter

from occupancy.data.times import label_runs
from occupancy.exploration.parts import Picture, Section, Subject
from occupancy.exploration.words import percent, several
from occupancy.plots.colours import LABELS
from occupancy.plots.figure import titled_figure
from occupancy.plots.prediction import WRITTEN_LABELS
from occupancy.plots.timeaxis import row_bounds

_TICKS = {1: "1 min", 5: "5 min", 20: "20 min", 60: "1 h", 240: "4 h", 1440: "1 day", 10_080: "1 week"}


def section(subject: Subject) -> Section:
    """Return the number of rows with each count, and the length of its runs."""
    title = "How often does each count occur?"
    if not subject.labelled:
        return Section(title, "The log has no counts, so this section and all others that need counts are left out.")
    runs = runs_of(subject)
    known = subject.counts[subject.log.labelled].astype(np.int64)
    share = pd.Series(known).value_counts(normalize=True).sort_index()
    blank = len(subject.counts) - len(known)
    without = f" {several(blank, 'more row')} without a count." if blank else ""
    occupied = runs[runs["count"] > 0]
    last = f", with a median length of {occupied['minutes'].median():.3g} min" if len(occupied) else ""
    empty = percent(share.get(0, 0.0)).capitalize()
    finding = (
        f"{empty} of the rows are of an empty room. The {several(len(known), 'row')} are "
        f"{several(len(runs), 'run')} of equal count, {len(occupied)} of them with people{last}.{without}"
    )
    return Section(
        title,
        finding,
        [
            "The rows of one run are similar, so the number of runs, not of rows, limits what a model can learn and "
            "how certain its scores are."
        ],
        [
            Picture(partial(_draw_balance, subject, share), "share of the rows with each count", small=True),
            Picture(partial(_draw_runs, runs), "length of every run of equal count", small=True),
        ],
    )


def runs_of(subject: Subject) -> pd.DataFrame:
    """Return each run of equal count in order: its ``count``, and its recorded ``minutes`` without gaps."""
    known = subject.log.labelled
    counts = subject.counts[known].astype(np.int64)
    start, until = row_bounds(subject.log.times, subject.log.max_gap)
    rows = pd.DataFrame({"count": counts, "minutes": (until - start)[known] * 1440})
    return rows.groupby(label_runs(counts)).agg({"count": "first", "minutes": "sum"})


def _draw_balance(subject: Subject, share: pd.Series[float], width: float) -> Figure:
    rows = share * subject.log.labelled.sum()
    title = "Share of rows with each count: the accuracy of always answering it"
    figure = titled_figure(3.4, title, width)
    axes = figure.subplots()
    axes.bar(share.index.astype(str), share, color=[_colour(int(count)) for count in share.index])
    few = len(share) <= 5  # with more counts, there is no room for letters of this size
    if len(share) > WRITTEN_LABELS:  # nor for any
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    for place, (part, number) in enumerate(zip(share, rows, strict=True) if len(share) <= WRITTEN_LABELS else ()):
        axes.annotate(
            f"{part:.1%}\n{number:,.0f}" if few else f"{part:.0%}",
            (place, part),
            (0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=9,
        )
    axes.set(xlabel="people", ylabel="share of rows", ylim=(0, 1.2 * share.max()))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_runs(runs: pd.DataFrame, width: float) -> Figure:
    many = runs["count"].max() > WRITTEN_LABELS
    figure = titled_figure(
        6.0 if many else max(3.4, 0.3 * runs["count"].nunique() + 1),
        "Number and length of the runs of equal count: each dot is a run",
        width,
    )
    axes = figure.subplots()
    for count in sorted(set(runs["count"])):
        of_count = runs[runs["count"] == count]
        # Spread vertically, so that runs of the same length do not hide each other.
        height = count + 0.25 * np.linspace(-1, 1, len(of_count)) if len(of_count) > 1 else np.array([count])
        axes.scatter(of_count["minutes"], height, s=26, color=_colour(count), alpha=0.8, linewidth=0)
    number = runs.groupby("count").size()
    told = [f"{count}: {size} run{'s' if size > 1 else ''}" for count, size in number.items()]
    if many:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
    else:
        axes.set_yticks(number.index, told)
    axes.set_ylabel("people")
    axes.set_ylim(-0.6, number.index.max() + 0.6)
    low, high = runs["minutes"].min() / 1.5, runs["minutes"].max() * 1.5
    axes.set(xscale="log", xlabel="length of the run", xlim=(low, high))
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in _TICKS if low <= tick <= high]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _TICKS.get(round(value), "")))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x", linewidth=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _colour(count: int) -> str:
    return LABELS[count % len(LABELS)]
