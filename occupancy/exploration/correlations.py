"""Rank correlations between the columns."""

from __future__ import annotations

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from occupancy.exploration.cells import shaded_cells
from occupancy.exploration.parts import Picture, Section, Subject
from occupancy.plots.figure import NARROW, titled_figure


def section(subject: Subject) -> Section | None:
    """Return the rank correlation of every pair of columns; None if fewer than two columns vary."""
    names = subject.changing
    if len(names) < 2:
        return None
    matrix = subject.log.frame[names].corr("spearman")
    first = matrix.iloc[0, 1:].dropna().sort_values(key=abs, ascending=False)
    one = "the count" if names[0] == subject.log.schema.count else names[0]
    alone = f"{first.index[0]} has a rank correlation of {first.iloc[0]:+.2f} with {one}."
    several = (
        f"{first.index[0]} has the strongest rank correlation with {one} ({first.iloc[0]:+.2f}), "
        f"{first.index[-1]} the weakest ({first.iloc[-1]:+.2f})."
    )
    return Section(
        "Which columns rise and fall together?",
        several if len(first) > 1 else alone,
        [
            "Spearman's rank correlation: +1 if one column always rises when the other rises, -1 if it always falls, 0 "
            "if there is no such relation."
        ],
        [Picture(partial(_draw_matrix, matrix), "rank correlation of every pair of columns")],
    )


def _draw_matrix(matrix: pd.DataFrame, width: float) -> Figure:
    title = "Rank correlation: blue columns rise together, orange columns fall when the other rises"
    figure = titled_figure(0.85 * width + (0.4 if width > NARROW else 1.6), title, width)
    shaded_cells(figure.subplots(), matrix, (-1.0, 1.0), "Spearman's rank correlation")
    return figure
