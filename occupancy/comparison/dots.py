"""A figure of one score of each model in each fold, which shows how much the folds differ."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.figure import Figure

from occupancy.plots.colours import BLACK, GREY, LABELS, MARKERS
from occupancy.plots.figure import NARROW, titled_figure

_DOT_HEIGHT = 0.11  # inches


def fold_dots(shares: pd.DataFrame, title: str, xlabel: str, asked: float | None = None) -> Figure:
    """Return a row for each model: a bar for the mean over folds, and a dot for each fold.

    Args:
        shares: a row for each model and a column for each fold, with shares from 0 to 1; NaN: unknown.
        title: the title of the figure.
        xlabel: the label of the axis.
        asked: the share that was asked for.
    """
    names = [textwrap.fill(str(name), 24) for name in shares.index]
    # Each fold has its own line in the row of its model, so that no dot hides another.
    lines = max([len(shares.columns), *(name.count("\n") + 1 for name in names)]) + 1
    figure = titled_figure(_DOT_HEIGHT * lines * max(len(names), 1) + 1.5, title, NARROW)
    axes = figure.subplots()
    axes.barh(range(len(names)), shares.mean(axis=1), height=0.9, color=GREY, alpha=0.35, label="mean over folds")
    for place, fold in enumerate(shares.columns):
        shift = (place - (len(shares.columns) - 1) / 2) / lines
        marker, colour = MARKERS[place % len(MARKERS)], LABELS[place % len(LABELS)]
        heights = [row + shift for row in range(len(names))]
        axes.plot(shares[fold], heights, marker, color=colour, markersize=4, label=f"fold {fold}", clip_on=False)
    if asked is not None:
        axes.axvline(asked, color=BLACK, linestyle="--", linewidth=1, label=f"asked for: {asked:g}")
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel=xlabel, xlim=(0, 1), ylim=(max(len(names), 1) - 0.5, -0.5))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=8)
    return figure
