"""Figures of the folds of a log: what each row is used for, over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from occupancy.arrays import Ints, Rows
from occupancy.data.folds import Fold
from occupancy.plots.colours import BLACK, PART_COLOURS
from occupancy.plots.figure import WIDTH, with_legend
from occupancy.plots.timeaxis import broken_axis, row_spans, step_lines


def timeline(
    times: pd.DatetimeIndex,
    counts: Ints,
    folds: Sequence[tuple[str, Rows, Rows, Rows]],
    title: str,
    max_gap: float = 120.0,
    width: float = WIDTH,
) -> Figure:
    """Return one lane for each fold, coloured by the part of each row, above the counts on the same time axis.

    Args:
        times: (N,) sorted times.
        counts: (N,) people.
        folds: for each fold its name and its rows (N,) for training, validation and test.
        title: the title of the figure.
        max_gap: seconds; lanes and lines are interrupted at a longer step.
        width: width of the figure, in inches.
    """
    figure, panels = broken_axis(times, max_gap, (max(len(folds), 2), 2), title, width)
    for rows, start, until, (lanes, axes) in panels:
        for lane, (_, *masks) in enumerate(folds):
            for (part, colour), mask in zip(PART_COLOURS.items(), masks, strict=True):
                spans = row_spans(mask[rows], start, until)
                lanes.broken_barh(spans, (lane - 0.35, 0.7), color=colour, linewidth=0, label=part)
        x, people = step_lines(start, until, counts[rows])
        axes.step(x, people, where="post", color=BLACK, linewidth=1)
    lanes, axes = panels[0].axes
    lanes.set(yticks=range(len(folds)), yticklabels=[name for name, *_ in folds], ylim=(len(folds) - 0.5, -0.5))
    lanes.set_ylabel("fold")
    axes.set(ylabel="people", ylim=(-0.4, max(counts.max(), 1) + 0.4))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    return with_legend(figure)


def fold_timeline(folds: Sequence[Fold], title: str, width: float = WIDTH) -> Figure:
    """Return the timeline of the folds of a labelled log.

    Args:
        folds: the folds of one log.
        title: the title of the figure.
        width: width of the figure, in inches.
    """
    log = folds[0].log
    lanes = [(f"fold {fold.number}", fold.train, fold.validation, fold.test) for fold in folds]
    return timeline(log.times, log.frame[log.schema.count].to_numpy(np.int64), lanes, title, log.max_gap, width)
