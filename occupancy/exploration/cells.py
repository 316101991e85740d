"""Tables drawn as cells; larger numbers are darker."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator

from occupancy.exploration.words import short
from occupancy.plots.colours import BLACK, BLUE, VERMILLION
from occupancy.plots.figure import NARROW

_LEGIBLE = 6.0  # points; smaller numbers are not written


def shaded_cells(axes: Axes, table: pd.DataFrame, limits: tuple[float, float], unit: str) -> None:
    """Draw a table as cells with numbers; larger numbers are darker, and 0 is white.

    Args:
        axes: the axes to draw on.
        table: numbers; NaN is grey.
        limits: the numbers with the darkest colours; if the lower is negative, negative numbers have another colour.
        unit: the label of the colour scale.
    """
    colours = ["white", BLUE] if limits[0] >= 0 else [VERMILLION, "white", BLUE]
    shades = LinearSegmentedColormap.from_list("cells", colours).with_extremes(bad="#DDDDDD")
    image = axes.imshow(table.to_numpy(np.float64), cmap=shades, vmin=limits[0], vmax=limits[1], aspect="auto")
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes without a figure"
    wide = figure.get_figwidth() > NARROW
    size = min(8.0, 18 * figure.get_figwidth() / (table.shape[1] + (6 if wide else 1)))  # points
    shown = np.ndenumerate(table.to_numpy(np.float64)) if size >= _LEGIBLE else ()  # otherwise only colours
    for (row, column), value in shown:
        text = "-" if np.isnan(value) else f"{value:.2f}"
        colour = "white" if abs(value) > 0.93 * limits[1] else BLACK
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
    axes.set_xticks(
        range(table.shape[1]), [short(str(name)) for name in table.columns], rotation=90 if table.shape[1] > 6 else 0
    )
    axes.set_yticks(range(table.shape[0]), [short(str(name)) for name in table.index])
    axes.tick_params(length=0, labelsize=size + 1)
    bar = figure.colorbar(image, ax=axes, label=unit, location="right" if wide else "bottom")
    bar.locator = MaxNLocator(4)
