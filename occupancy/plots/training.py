"""Figures of a training: the losses over epochs, and the transitions that a chain learns."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from occupancy.arrays import Floats
from occupancy.plots.colours import BLACK, BLUE, GREY, LABELS, ORANGE
from occupancy.plots.figure import WIDTH, titled_figure, with_legend


def learning_curves(history: pd.DataFrame, chosen_epoch: int) -> Figure:
    """Return the loss over epochs: of the search for the number of epochs, and of the final fit if there is one.

    Args:
        history: one or more rows per epoch with the columns ``stage`` (``search`` or ``final``), ``member``,
            ``epochs`` (the most that its training may take), ``epoch``, ``train_loss`` and ``val_loss``,
            the loss on the rows that choose the number of epochs (NaN: there are none).
        chosen_epoch: the number of epochs that the search chose, from 1.
    """
    history = history.replace([np.inf, -np.inf], np.nan)
    losses = ["train_loss", "val_loss"]
    searched = history["val_loss"].notna().any()
    how = f"{chosen_epoch} epochs chosen by the validation loss" if searched else f"{chosen_epoch} epochs"
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
    return with_legend(figure)


def transitions(history: pd.DataFrame, classes: int, title: str) -> Figure | None:
    """Return how the transitions of a chain change over epochs, or None if the history holds none.

    Each panel shows the label before a step, each line the label after it: the log-potential of the transition
    minus that of staying. It is the score in nats that the emissions must add before the label changes.

    Args:
        history: one row per epoch with ``stage``, ``epochs``, ``epoch`` and ``transition/i/j`` (label i to label j).
        classes: C, one more than the largest count.
        title: the title of the figure.
    """
    if "transition/0/0" not in history:
        return None
    used = history[history["stage"] == history["stage"].iloc[-1]]  # the final fit, if there is one
    used = used[used["epochs"] == used["epochs"].iloc[-1]].groupby("epoch").mean(numeric_only=True)
    figure = titled_figure(3.6, title, width=max(WIDTH, 2.5 * classes))
    for label, axes in enumerate(figure.subplots(1, classes, sharey=True)):
        staying = used[f"transition/{label}/{label}"]
        axes.axhline(0, color=GREY, linestyle="--", linewidth=1, label="staying")
        for other, colour in zip(range(classes), itertools.cycle(LABELS), strict=False):
            # The line of the label itself is empty: it only keeps the legend in order.
            score = used[f"transition/{label}/{other}"] - staying if other != label else staying * np.nan
            axes.plot(used.index, score, color=colour, linewidth=1.5, label=f"to {other}", marker=".", markersize=2)
        axes.set(title=f"from {label}", xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
    figure.axes[0].set_ylabel("log-potential minus\nthat of staying (nats)")
    return with_legend(figure)


def _draw_losses(axes: Axes, train: pd.DataFrame, stop: pd.DataFrame) -> None:
    """Draw two tables of losses, with a row for each epoch and a column for each network."""
    # Markers show epochs that no line reaches: a single epoch, or one between two NaN.
    draw = partial(axes.plot, marker="o")
    draw(train.index, train, color=BLUE, linewidth=0.9, markersize=2.5, label="training loss, each network")
    if stop.notna().any(axis=None):
        # As in the estimator: a mean for each length of training; a network that stopped early keeps its last loss.
        lengths = stop.T.groupby(level="epochs")
        mean = stop.ffill().T.groupby(level="epochs").mean().T.where(lengths.count().T > 0)
        draw(
            stop.index,
            mean,
            color=ORANGE,
            linewidth=4,
            markersize=5,
            label="validation loss, mean of networks",
        )
        draw(
            stop.index,
            stop,
            color=BLACK,
            linewidth=0.6,
            markersize=1.5,
            label="validation loss, each network",
        )


def _scale_losses(axes: Axes, losses: Floats) -> None:
    """Make the loss axis logarithmic if all finite losses are positive and span a factor of ten."""
    losses = losses[np.isfinite(losses)]
    if losses.size and losses.min() > 0 and losses.max() >= 10 * losses.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if losses.max() < 1000 * losses.min() else (1,)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
