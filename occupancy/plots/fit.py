"""The figures by which a fit is judged: plain matplotlib figures, without pyplot and its global state."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from sklearn.metrics import confusion_matrix

from occupancy.arrays import Floats, Ints, Rows
from occupancy.data.folds import Fold
from occupancy.plots.timeaxis import WIDTH, broken_axis, row_spans, step_lines, titled_figure
from occupancy.prediction import Prediction

# Okabe and Ito's colours, which colour-blind people tell apart too.
BLACK, GREY = "#000000", "#999999"
ORANGE, SKY, GREEN, BLUE, VERMILLION = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00"
LABELS = (BLUE, ORANGE, GREEN, VERMILLION, SKY, BLACK)
PARTS = {"train": BLUE, "validation": ORANGE, "test": GREEN}


def learning_curves(history: pd.DataFrame, chosen_epoch: int) -> Figure:
    """Return the loss over epochs: the search for the number of epochs, and the final fit where there is one.

    Args:
        history: at least one row an epoch with the columns ``stage`` (``search`` or ``final``), ``member``,
            ``epochs`` (how many its training takes at most), ``epoch``, ``train_loss`` and ``stop_loss``,
            the loss on the rows that choose the epoch (NaN: none).
        chosen_epoch: the number of epochs, from 1, that the search came to.
    """
    history = history.replace([np.inf, -np.inf], np.nan)
    losses = ["train_loss", "stop_loss"]
    searched = history["stop_loss"].notna().any()
    how = f"{chosen_epoch} epochs chosen by the loss on the stopping rows" if searched else f"{chosen_epoch} epochs"
    figure = titled_figure(4.5, f"Learning curves: {how}")
    titles = {"search": "search for the number of epochs", "final": "final fit"}
    stages = [stage for stage in titles if (history["stage"] == stage).any()]
    for stage, axes in zip(stages, figure.subplots(1, len(stages), sharey=True, squeeze=False)[0], strict=True):
        rows = history[history["stage"] == stage]
        columns = ["epochs", "member"]
        _draw_losses(axes, *(rows.pivot_table(loss, "epoch", columns, dropna=False) for loss in losses))
        if stage == "search":
            axes.axvline(chosen_epoch, color=BLACK, linestyle="--", linewidth=1, label=f"chosen epoch {chosen_epoch}")
        axes.set(title=titles[stage], xlabel="epoch", xlim=(0.5, rows["epoch"].max() + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    figure.axes[0].set_ylabel("loss")
    _scale_losses(figure.axes[0], history[losses].to_numpy(np.float64))
    return _with_legend(figure)


def transitions(history: pd.DataFrame, classes: int, title: str) -> Figure | None:
    """Return how a chain's transitions change over epochs, or None if the history holds none.

    A panel a label to come from; a line a label to go to, its log-potential less that of staying. What a
    chain gives up by changing is to be read off in nats: emissions have to make up for it.

    Args:
        history: one row an epoch with ``stage``, ``epochs``, ``epoch`` and ``transition/i/j``, from label i to label j.
        classes: C, one more than the largest count.
        title: what is shown.
    """
    if "transition/0/0" not in history:
        return None
    used = history[history["stage"] == history["stage"].iloc[-1]]  # the final fit, where there is one
    used = used[used["epochs"] == used["epochs"].iloc[-1]].groupby("epoch").mean(numeric_only=True)
    figure = titled_figure(3.6, title, width=max(WIDTH, 2.5 * classes))
    for label, axes in enumerate(figure.subplots(1, classes, sharey=True)):
        staying = used[f"transition/{label}/{label}"]
        axes.axhline(0, color=GREY, linestyle="--", linewidth=1, label="staying")
        for other, colour in zip(range(classes), itertools.cycle(LABELS), strict=False):
            # The line of the label itself is left empty: it only keeps the legend in order.
            score = used[f"transition/{label}/{other}"] - staying if other != label else staying * np.nan
            axes.plot(used.index, score, color=colour, linewidth=1.5, label=f"to {other}", marker=".", markersize=2)
        axes.set(title=f"from {label}", xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
    figure.axes[0].set_ylabel("log-potential less\nthat of staying (nats)")
    return _with_legend(figure)


def predictions(prediction: Prediction, truth: Ints, title: str, max_gap: float = 120.0) -> Figure:
    """Return truth, predictive mean, two standard deviations around it and label over time; wrong rows below.

    The frame spans the possible counts and every mean; a wider band is cut off at its edge.

    Args:
        prediction: N predicted rows, sorted by time.
        truth: (N,) counts, in people.
        title: what is shown.
        max_gap: seconds; no line is drawn over a longer step.
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
        # The edge keeps a single wrong row visible, which would be thinner than a pixel.
        spans = row_spans(wrong[rows], start, until)
        strip.broken_barh(spans, (0, 1), color=VERMILLION, linewidth=0.8, label=count)
    axes, strip = panels[0].axes
    lowest, highest = min(0.0, prediction.mean.min()), max(prediction.probs.shape[1] - 1.0, prediction.mean.max())
    axes.set(ylabel="people", ylim=(lowest - 0.6, highest + 0.6))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    strip.set(ylim=(0, 1))
    strip.set_yticks([0.5], ["wrong"])
    strip.tick_params(left=False)
    return _with_legend(figure)


def timeline(
    times: pd.DatetimeIndex,
    counts: Ints,
    folds: Sequence[tuple[str, Rows, Rows, Rows]],
    title: str,
    max_gap: float = 120.0,
    width: float = WIDTH,
) -> Figure:
    """Return one lane a fold, coloured by what its rows are for, above the counts on the same time axis.

    Args:
        times: (N,) sorted times.
        counts: (N,) people.
        folds: of each fold its name and its rows (N,) for training, validation and test.
        title: what is shown.
        max_gap: seconds; neither lane nor line goes on over a longer step.
        width: of the figure, in inches.
    """
    figure, panels = broken_axis(times, max_gap, (max(len(folds), 2), 2), title, width)
    for rows, start, until, (lanes, axes) in panels:
        for lane, (_, *masks) in enumerate(folds):
            for (part, colour), mask in zip(PARTS.items(), masks, strict=True):
                spans = row_spans(mask[rows], start, until)
                lanes.broken_barh(spans, (lane - 0.35, 0.7), color=colour, linewidth=0, label=part)
        x, people = step_lines(start, until, counts[rows])
        axes.step(x, people, where="post", color=BLACK, linewidth=1)
    lanes, axes = panels[0].axes
    lanes.set(yticks=range(len(folds)), yticklabels=[name for name, *_ in folds], ylim=(len(folds) - 0.5, -0.5))
    lanes.set_ylabel("fold")
    axes.set(ylabel="people", ylim=(-0.4, max(counts.max(), 1) + 0.4))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    return _with_legend(figure)


def fold_timeline(folds: Sequence[Fold], title: str, width: float = WIDTH) -> Figure:
    """Return the timeline of the folds of a labelled log, so many inches wide."""
    log = folds[0].log
    lanes = [(f"fold {fold.number}", fold.train, fold.validation, fold.test) for fold in folds]
    return timeline(log.times, log.frame[log.schema.count].to_numpy(np.int64), lanes, title, log.max_gap, width)


def confusion(label: Ints, truth: Ints, classes: int, title: str) -> Figure:
    """Return how often each count was predicted for each true one: rows, and their share of the true count's rows.

    Args:
        label: (N,) predicted counts.
        truth: (N,) true counts.
        classes: C, one more than the largest count.
        title: what is shown.
    """
    matrix = confusion_matrix(truth, label, labels=range(classes))
    assert matrix.sum() == len(truth), "a count outside 0..C-1"
    totals = matrix.sum(axis=1, keepdims=True)
    share = matrix / np.maximum(totals, 1)
    figure = titled_figure(max(4.5, 0.55 * classes + 1.5), title, width=max(6.0, 0.65 * classes + 2.5))
    axes = figure.subplots()
    image = axes.imshow(share, cmap=LinearSegmentedColormap.from_list("share", ["white", BLUE]), vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        text = f"{count:,}\n{share[row, column]:.1%}" if totals[row] else "0\nno rows"
        # Up to here black letters have the higher contrast (WCAG 2.1).
        axes.text(column, row, text, ha="center", va="center", color="white" if share[row, column] > 0.93 else BLACK)
    ticks = range(classes)
    axes.set(xticks=ticks, yticks=ticks, xlabel="predicted count (people)", ylabel="true count (people)")
    bar = figure.colorbar(image, ax=axes, label="share of the true count's rows")
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    return figure


def _with_legend(figure: Figure) -> Figure:
    """Return the figure with one legend for all its axes, below them."""
    axes = figure.axes
    entries = {label: handle for one in axes for handle, label in zip(*one.get_legend_handles_labels(), strict=True)}
    figure.legend(
        entries.values(),
        entries.keys(),
        loc="outside lower center",
        ncols=int(figure.get_figwidth() / 2),
        frameon=False,
    )
    figure.align_ylabels()
    return figure


def _draw_losses(axes: Axes, train: pd.DataFrame, stop: pd.DataFrame) -> None:
    """Draw losses, a table each with epochs as rows and networks as columns."""
    # Markers show the epochs that no line reaches: a single one, or one between two NaN.
    draw = partial(axes.plot, marker="o")
    draw(train.index, train, color=BLUE, linewidth=0.9, markersize=2.5, label="training rows, each network")
    if stop.notna().any(axis=None):
        # As the estimator has it: trainings of one length together, a network that stopped early keeps its last loss.
        lengths = stop.T.groupby(level="epochs")
        mean = stop.ffill().T.groupby(level="epochs").mean().T.where(lengths.count().T > 0)
        draw(stop.index, mean, color=ORANGE, linewidth=4, markersize=5, label="stopping rows, mean of networks")
        draw(stop.index, stop, color=BLACK, linewidth=0.6, markersize=1.5, label="stopping rows, each network")


def _scale_losses(axes: Axes, losses: Floats) -> None:
    """Make the loss axis logarithmic where all finite losses are positive and span a factor of ten."""
    losses = losses[np.isfinite(losses)]
    if losses.size and losses.min() > 0 and losses.max() >= 10 * losses.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if losses.max() < 1000 * losses.min() else (1,)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def counts(prediction: Prediction, title: str, max_gap: float = 120.0, truth: Ints | None = None) -> Figure:
    """Return the predicted count over time in its 90 % interval, below it how probable that count is.

    Args:
        prediction: N predicted rows, sorted by time.
        title: what is shown.
        max_gap: seconds; no line is drawn over a longer step.
        truth: (N,) counts, in people, where they are known.
    """
    highest = prediction.probs.shape[1] - 1
    sure = np.take_along_axis(prediction.probs, prediction.label[:, None], axis=1)[:, 0]
    figure, panels = broken_axis(prediction.times, max_gap, (5, 1), title)
    for rows, start, until, (axes, strip) in panels:
        columns = [prediction.label, prediction.lower, prediction.upper, sure, *([] if truth is None else [truth])]
        x, label, lower, upper, share, *known = step_lines(start, until, *(np.asarray(c)[rows] for c in columns))
        # A band of a single count would have no height.
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
    return _with_legend(figure)
