"""One figure for a score of each model in each fold, where what matters is how far the folds lie apart."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.figure import Figure

from occupancy.plots.colours import BLACK, GREY, LABELS, MARKERS
from occupancy.plots.figure import NARROW, titled_figure

_LINE = 0.11  # inches


def fold_dots(shares: pd.DataFrame, title: str, xlabel: str, asked: float | None = None) -> Figure:
    """Return a row for each model: a bar as long as its mean over folds, and on it a dot for each fold.

    Args:
        shares: a row for each model, a column for each fold, of shares from 0 to 1; nan where one is not known.
        title: what to see.
        xlabel: what is shared.
        asked: the share that was aimed at.
    """
    names = [textwrap.fill(str(name), 24) for name in shares.index]
    # Each fold has a line of its own in its model's row, so that no dot hides another one.
    lines = max([len(shares.columns), *(name.count("\n") + 1 for name in names)]) + 1
    figure = titled_figure(_LINE * lines * max(len(names), 1) + 1.5, title, NARROW)
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
