"""Figures of many rooms: the part of each room in each fold, and the error in each room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from occupancy.arrays import Floats
from occupancy.data.folds import Fold
from occupancy.plots.colours import BLUE, PART_COLOURS, VERMILLION
from occupancy.plots.figure import titled_figure

_NAMED = 40  # with more rooms, not every dot has a name
_WORST = 5  # rooms that are named then


def parts(folds: Sequence[Fold], title: str) -> Figure:
    """Return one lane for each fold with a cell for each room, coloured by the part that the room belongs to."""
    rooms = folds[0].log.rooms
    figure = titled_figure(1.6 + 0.4 * len(folds), title)
    axes = figure.subplots()
    width = 0.9 if len(rooms) <= _NAMED else 1.0
    for lane, fold in enumerate(folds):
        for part, colour in PART_COLOURS.items():
            mask = getattr(fold, part)
            cells = [(number + 0.5, width) for number, place in enumerate(rooms) if mask[place.first]]
            axes.broken_barh(cells, (lane - 0.35, 0.7), color=colour, linewidth=0, label=None if lane else part)
    names = [f"fold {fold.number}" for fold in folds]
    axes.set(yticks=range(len(folds)), yticklabels=names, ylim=(len(folds) - 0.5, -0.5), xlim=(0.4, len(rooms) + 0.6))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
    axes.set_xlabel(f"room, by name from {rooms[0].name} to {rooms[-1].name}")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def draw(table: pd.DataFrame, title: str) -> Figure:
    """Return a dot for each room, sorted by the mean squared error of its label, above a histogram of these errors.

    Args:
        table: a row for each room with the columns ``room``, ``rows`` and ``mse`` (people squared); a room with 0 rows
            is left out.
        title: the title of the figure.
    """
    scored = table[table["rows"] > 0].sort_values("mse", ignore_index=True)
    names, mse = scored["room"].tolist(), scored["mse"].to_numpy(np.float64)
    height = float(np.clip(0.2 * len(names), 1.5, 6.0))
    figure = titled_figure(height + 2.4, title)
    dots, bars = figure.subplots(2, 1, sharex=True, height_ratios=(height, 1.4))
    dots.plot(mse, range(len(names)), "o", color=BLUE, markersize=5 if len(names) <= _NAMED else 3)
    dots.axvline(float(np.median(mse)), color=VERMILLION, linewidth=1.5, label=f"median {np.median(mse):.3g}")
    _name(dots, names, mse)
    margin = 0.02 * len(names) + 0.5
    dots.set_ylim(-margin, len(names) - 1 + margin)
    dots.legend(loc="lower right", frameon=False)
    bars.hist(mse, bins=int(np.clip(len(mse) // 5, 5, 30)), color=BLUE)
    bars.set(xlabel="mean squared error of the label in a room (people²)", ylabel="rooms")
    bars.set_xlim(left=0)
    bars.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    return figure


def _name(axes: Axes, names: Sequence[str], mse: Floats) -> None:
    """Write the name of every room beside its dot; of many rooms, only the worst."""
    if len(names) <= _NAMED:
        axes.set_yticks(range(len(names)), names)
        axes.grid(axis="y", linewidth=0.3)
        return
    axes.set_ylabel("rooms, from the best to the worst")
    told = [f"{name}  {error:.3g}" for name, error in list(zip(names, mse, strict=True))[: -_WORST - 1 : -1]]
    text = "\n".join(["the worst:", *told])
    # The dots rise from the lower left to the upper right, so this corner is free.
    axes.text(0.98, 0.1, text, ha="right", va="bottom", fontsize=9, transform=axes.transAxes)
