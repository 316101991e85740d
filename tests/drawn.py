"""What a figure shows once it is drawn: its texts, where they are, and which lie on one another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from weakref import WeakSet

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from occupancy.arrays import Floats

_SETTLED: WeakSet[Figure] = WeakSet()


def settle(figure: Figure) -> None:
    """Lay a figure out and give its axes their ticks, once: each time takes half a second."""
    if figure not in _SETTLED:
        figure.draw_without_rendering()
        _SETTLED.add(figure)


def points(line: Line2D) -> tuple[Floats, Floats]:
    """Return where a line goes, in data coordinates."""
    return np.asarray(line.get_xdata(), np.float64), np.asarray(line.get_ydata(), np.float64)


def bars(axes: Axes) -> list[Rectangle]:
    """Return the bars and shaded spans of axes."""
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def boxes(figure: Figure, texts: Sequence[Text]) -> list[Bbox]:
    """Return the boxes in pixels of texts that have letters, after the layout is done."""
    settle(figure)
    return [text.get_window_extent() for text in texts if text.get_text()]


def overlapping(found: Sequence[Bbox]) -> list[tuple[Bbox, Bbox]]:
    return [(one, other) for one, other in itertools.combinations(found, 2) if one.overlaps(other)]


def texts(figure: Figure) -> list[Text]:
    """Return all texts that are drawn; axes keep further ones, of ticks beyond their limits."""
    found = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in filter(Axes.get_visible, figure.axes):
        found += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        for labels, at, limits in (
            (axes.get_xticklabels(), 0, axes.get_xlim()),
            (axes.get_yticklabels(), 1, axes.get_ylim()),
        ):
            found += [label for label in labels if min(limits) <= label.get_position()[at] <= max(limits)]
    return [text for text in found if text.get_text()]
