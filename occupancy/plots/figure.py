"""An empty figure with a title, and one legend for all its axes; plain matplotlib, without pyplot's global state."""

from __future__ import annotations

import textwrap

import matplotlib
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

matplotlib.rcParams["text.parse_math"] = False  # names of columns and experiments may contain a dollar sign

WIDTH, NARROW = 10.0, 4.8
"""Widths of a figure in inches: for paper and large screens, and for a telephone."""


def titled_figure(height: float, title: str, width: float = WIDTH, wspace: float = 0.02) -> Figure:
    """Return an empty figure with its title.

    Args:
        height: in inches.
        title: the title, which is wrapped.
        width: in inches.
        wspace: space between columns of axes, as a share of the width.
    """
    figure = Figure(figsize=(width, height), dpi=110, layout=ConstrainedLayoutEngine(wspace=wspace))
    figure.suptitle(textwrap.fill(title, int(9 * width)))
    return figure


def with_legend(figure: Figure) -> Figure:
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
