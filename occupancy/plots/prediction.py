"""Figures of a prediction: truth and count over time, and which count is taken for which."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from sklearn.metrics import confusion_matrix

from occupancy.arrays import Floats, Ints
from occupancy.plots.colours import BLACK, BLUE, GREY, SKY, VERMILLION
from occupancy.plots.figure import titled_figure, with_legend
from occupancy.plots.timeaxis import broken_axis, row_spans, step_lines
from occupancy.prediction import Prediction


def predictions(prediction: Prediction, truth: Ints, title: str, max_gap: float = 120.0) -> Figure:
    """Return the true count, the label, and the mean ± two standard deviations over time; wrong rows are marked below.

    The axis spans the possible counts and every mean; a wider band is cut off at its edge.

    Args:
        prediction: N predicted rows, sorted by time.
        truth: (N,) true counts, in people.
        title: the title of the figure.
        max_gap: seconds; no line crosses a longer step.
    """
    wrong = prediction.label != truth
    count = f"label wrong: {wrong.sum():,} of {len(wrong):,} rows ({wrong.mean():.1%})"
    figure, panels = broken_axis(prediction.times, max_gap, (7, 1), title)
    for rows, start, until, (axes, strip) in panels:
        columns = (truth, prediction.label, prediction.mean, prediction.std)
        x, counts, label, mean, std = step_lines(start, until, *(column[rows] for column in columns))
        low, high = mean - 2 * std, mean + 2 * std
        axes.fill_between(x, low, high, step="post", color=SKY, alpha=0.45, linewidth=0, label="mean ± 2 std")
        axes.step(x, counts, where="post", color=GREY, linewidth=4, solid_capstyle="butt", label="truth")
        axes.step(x, mean, where="post", color=BLUE, linewidth=1, label="predicted mean")
        axes.step(x, label, where="post", color=BLACK, linewidth=1, label="predicted label")
        # With an edge, a single wrong row is visible; otherwise it would be thinner than a pixel.
        spans = row_spans(wrong[rows], start, until)
        strip.broken_barh(spans, (0, 1), color=VERMILLION, linewidth=0.8, label=count)
    axes, strip = panels[0].axes
    lowest, highest = min(0.0, prediction.mean.min()), max(prediction.probs.shape[1] - 1.0, prediction.mean.max())
    axes.set(ylabel="people", ylim=(lowest - 0.6, highest + 0.6))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    strip.set(ylim=(0, 1))
    strip.set_yticks([0.5], ["wrong"])
    strip.tick_params(left=False)
    return with_legend(figure)


def counts(prediction: Prediction, title: str, max_gap: float = 120.0, truth: Ints | Floats | None = None) -> Figure:
    """Return the predicted count with its 90 % interval over time, and below it the probability of that count.

    Args:
        prediction: N predicted rows, sorted by time.
        title: the title of the figure.
        max_gap: seconds; no line crosses a longer step.
        truth: (N,) true counts, in people, NaN where one is not known; None if none is.
    """
    highest = prediction.probs.shape[1] - 1
    sure = np.take_along_axis(prediction.probs, prediction.label[:, None], axis=1)[:, 0]
    figure, panels = broken_axis(prediction.times, max_gap, (5, 1), title)
    for rows, start, until, (axes, strip) in panels:
        columns: list[Ints | Floats] = [prediction.label, prediction.lower, prediction.upper, sure]
        columns += [] if truth is None else [truth]
        x, label, lower, upper, share, *known = step_lines(start, until, *(column[rows] for column in columns))
        # An interval that holds a single count would have no height.
        axes.fill_between(
            x, lower - 0.12, upper + 0.12, step="post", color=SKY, alpha=0.45, linewidth=0, label="90 % interval"
        )
        for people in known:
            axes.step(x, people, where="post", color=GREY, linewidth=4, solid_capstyle="butt", label="truth")
        axes.step(x, label, where="post", color=BLACK, linewidth=1, label="predicted count")
        strip.fill_between(x, 0, share, step="post", color=BLUE, linewidth=0, label="probability of that count")
    axes, strip = panels[0].axes
    axes.set(ylabel="people", ylim=(-0.6, highest + 0.6))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    strip.set(ylim=(0, 1), yticks=[0, 1], ylabel="prob.")
    return with_legend(figure)


WRITTEN_LABELS = 16
"""The most labels C for which a confusion matrix shows numbers."""


def confusion(label: Ints, truth: Ints, classes: int, title: str) -> Figure:
    """Return the confusion matrix: the number of rows, and their share of the rows with that true count.

    With more than `WRITTEN_LABELS` labels no numbers fit into the cells: colours alone show the shares.

    Args:
        label: (N,) predicted counts.
        truth: (N,) true counts.
        classes: C, one more than the largest count.
        title: the title of the figure.
    """
    matrix = confusion_matrix(truth, label, labels=range(classes))
    assert matrix.sum() == len(truth), "a count outside 0..C-1"
    totals = matrix.sum(axis=1, keepdims=True)
    share = matrix / np.maximum(totals, 1)
    if classes > WRITTEN_LABELS:
        return _coloured(share, totals[:, 0], title)
    figure = titled_figure(max(4.5, 0.55 * classes + 1.5), title, width=max(6.0, 0.65 * classes + 2.5))
    axes = figure.subplots()
    image = axes.imshow(share, cmap=LinearSegmentedColormap.from_list("share", ["white", BLUE]), vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        text = f"{count:,}\n{share[row, column]:.1%}" if totals[row] else "0\nno rows"
        # Up to this share, black letters have the higher contrast (WCAG 2.1).
        axes.text(column, row, text, ha="center", va="center", color="white" if share[row, column] > 0.93 else BLACK)
    ticks = range(classes)
    axes.set(xticks=ticks, yticks=ticks, xlabel="predicted count (people)", ylabel="true count (people)")
    bar = figure.colorbar(image, ax=axes, label="share of the rows with that true count")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    return figure


def _coloured(share: Floats, totals: Ints, title: str) -> Figure:
    """Return a confusion matrix of many labels, in colours alone.

    Args:
        share: (C, C) share of the rows with a true count (row) that got a label (column).
        totals: (C,) rows with each true count.
        title: the title of the figure.
    """
    figure = titled_figure(7.5, title, width=8.5)
    axes = figure.subplots()
    scale = LinearSegmentedColormap.from_list("share", [SKY, BLUE, BLACK])
    colours = scale.with_extremes(under="white", bad="whitesmoke")
    shown = np.where(totals[:, None] > 0, share, np.nan)
    # From corner to corner at full size, a cell of one in two hundred labels is two pixels wide.
    image = axes.imshow(shown, cmap=colours, vmin=1e-9, vmax=1, interpolation="nearest")
    axes.plot([0, len(totals) - 1], [0, len(totals) - 1], color=VERMILLION, linewidth=0.6, linestyle=":")
    axes.set(xlabel="predicted count (people)", ylabel="true count (people); grey: no rows with it")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 5, 10], integer=True))
    bar = figure.colorbar(image, ax=axes, label="share of the rows with that true count; white: none", shrink=0.8)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    return figure
