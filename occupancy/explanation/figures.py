"""Figures of an explanation: the importance of the sensors, and what adds up to the count at one time."""

from __future__ import annotations

import itertools
import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from occupancy.arrays import Floats
from occupancy.data.schema import Schema
from occupancy.explanation.importance import F1, F1_STD, KIND, MSE, MSE_STD, SENSOR
from occupancy.explanation.moment import Moment
from occupancy.plots.colours import BLACK, BLUE, GREY, LABELS, MARKERS, SKY, VERMILLION
from occupancy.plots.figure import titled_figure
from occupancy.prediction import Prediction

FOLD = "fold"
_PANELS = (
    (MSE, MSE_STD, "increase of the label's mean squared error (people²)"),
    (F1, F1_STD, "decrease of the label's macro-F1"),
)
_ROW_NAME = "name"
_ROW, _DOT, _SPACE, _TOP_AND_BOTTOM = 0.24, 0.075, 0.14, 1.7  # inches
_LINE, _BAR = 0.16, 0.26  # inches
_LETTERS = 40  # in a line of text


def importance(table: pd.DataFrame, title: str) -> Figure:
    """Return the importance of each kind of sensor (bars) and each sensor (dots), with the spread over shuffles.

    Args:
        table: the table of `occupancy.explanation.importance.importance`.
        title: the title of the figure.
    """
    rows = _arrange(table)
    figure, panels, places = _lanes(rows, title)
    kind = (rows[SENSOR] == "").to_numpy()
    for axes, (mean, std, _) in zip(panels, _PANELS, strict=True):
        axes.barh(places[kind], rows[mean][kind], height=0.8 * _ROW, color=SKY, label="all sensors of a kind together")
        axes.plot(rows[mean][~kind], places[~kind], "o", color=BLUE, markersize=5, label="single sensor")
        spread: dict[str, Any] = {"fmt": "none", "ecolor": BLACK, "elinewidth": 1, "capsize": 2.5}
        axes.errorbar(rows[mean], places, xerr=rows[std], label="standard deviation over shuffles", **spread)
    return _finish(figure, panels)


def importance_over_folds(table: pd.DataFrame, title: str) -> Figure:
    """Return the importance of each kind of sensor and each sensor: bars for the mean over folds, dots for the folds.

    Args:
        table: the tables of `occupancy.explanation.importance.importance` of all folds, with the column ``fold``.
        title: the title of the figure.
    """
    rows = _arrange(table.drop(columns=FOLD).groupby([KIND, SENSOR], sort=False).mean().reset_index())
    # Each fold has its own line in a lane, so that no dot hides another.
    wide = max(_ROW, _DOT * table[FOLD].nunique())
    figure, panels, places = _lanes(rows, title, wide)
    kind = (rows[SENSOR] == "").to_numpy()
    folds = {fold: part.set_index([KIND, SENSOR]) for fold, part in table.groupby(FOLD)}
    for axes, (column, *_) in zip(panels, _PANELS, strict=True):
        axes.barh(places[kind], rows[column][kind], height=0.9 * wide, color=SKY, label="kind, mean over folds")
        axes.barh(
            places[~kind], rows[column][~kind], 0.9 * wide, color=GREY, alpha=0.35, label="sensor, mean over folds"
        )
        for number, (fold, part) in enumerate(folds.items()):
            found = part[column].reindex(pd.MultiIndex.from_frame(rows[[KIND, SENSOR]]))
            shift = 0.9 * wide * ((number + 0.5) / len(folds) - 0.5)
            marker, colour = MARKERS[number % len(MARKERS)], LABELS[number % len(LABELS)]
            (dots,) = axes.plot(found, places + shift, marker, color=colour, markersize=4, label=f"fold {fold!s}")
            dots.set(markeredgecolor="white", markeredgewidth=0.4)
    return _finish(figure, panels)


def moment(
    explained: Moment, schema: Schema, where: str, counted: Prediction, truth: int | None, source: str
) -> Figure:
    """Return what each kind of sensor adds at one time, from the background to the prediction.

    Args:
        explained: the contributions.
        schema: the units of the readings.
        where: the model and the log, for the title.
        counted: the prediction of this row among all rows of the log. It may differ, because a filter uses the whole
            recording, and because dropout in prediction is random.
        truth: the true count, if it is known.
        source: the rows that the readings of other times are from, in words.
    """
    order = sorted(explained.contributions, key=lambda kind: -abs(explained.contributions[kind]))
    steps = [explained.contributions[kind] for kind in order]
    ends = explained.background + np.cumsum([0.0, *steps])
    known = "" if truth is None else f", true\xa0count\xa0{truth}"
    title = f"{where}, {explained.time!s}: count {counted.label[0]} (predicted mean {counted.mean[0]:.2f}){known}"
    read = [_read(explained, kind, schema) for kind in order]
    texts = [_origin(explained, source), *read, _result(explained, counted)]
    heights = np.array([_SPACE + _LINE * (1 + text.count("\n")) for text in texts])
    places = np.cumsum(heights) - heights / 2
    figure = titled_figure(
        heights.sum() + _TOP_AND_BOTTOM, f"{title}. What each kind of sensor adds to the predicted mean"
    )
    axes = figure.subplots()
    _draw_steps(axes, ends, places)
    if truth is not None:
        axes.axvline(truth, color=BLACK, linestyle="--", linewidth=1.2, label="true count")
    told = [f"{ends[0]:.2f}", *(f"{step:+.2f}" for step in steps), f"{explained.prediction:.2f}"]
    _write_rows(axes, places, texts, told)
    low, high = min(0.0, *ends), max(*ends, truth or 0, 1)
    margin = 0.03 * (high - low)  # also left of 0, where a true count may be
    axes.set(ylim=(heights.sum(), 0), xlim=(low - margin, high + margin))
    axes.set(xlabel="people", yticks=[])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    return _finish(figure, [axes])


def _arrange(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows sorted by the importance of the kind; each kind is followed by its sensors, also sorted.

    If a kind has a single sensor, both have the same row, which shows both names.
    """
    rows = table.assign(total=table[KIND].map(table[table[SENSOR] == ""].set_index(KIND)[MSE]))
    rows["single"] = rows[SENSOR] != ""
    sensors = rows.groupby(KIND)[SENSOR]
    only = sensors.transform("size") == 2
    rows[_ROW_NAME] = rows[SENSOR].where(rows["single"], rows[KIND])
    rows[_ROW_NAME] = rows[_ROW_NAME].mask(only, rows[KIND] + ": " + sensors.transform("max"))
    rows = rows[~(only & rows["single"])]
    order = ["total", KIND, "single", MSE]
    return rows.sort_values(order, ascending=[False, True, True, False], ignore_index=True)


def _lanes(rows: pd.DataFrame, title: str, wide: float = _ROW) -> tuple[Figure, list[Axes], Floats]:
    """Return a figure with a panel for each score, its panels, and the position of the lane of each row."""
    kind = (rows[SENSOR] == "").to_numpy()
    places = wide * np.arange(len(rows)) + _SPACE * np.cumsum(kind)
    figure = titled_figure(places[-1] + wide + _TOP_AND_BOTTOM, title)
    panels = list(figure.subplots(1, len(_PANELS), sharey=True))
    panels[0].set_yticks(places, rows[_ROW_NAME])
    panels[0].set_ylim(places[-1] + wide, places[0] - wide)
    for label, is_kind in zip(panels[0].get_yticklabels(), kind, strict=True):
        label.set(fontweight="bold" if is_kind else "normal", fontsize=9)
    for axes, (column, _, told) in zip(panels, _PANELS, strict=True):
        worse = "\nleft of 0: better with readings from other times" if (rows[column] < 0).any() else ""
        axes.set_xlabel(f"{told}{worse}")
        axes.axvline(0, color=BLACK, linewidth=0.8)
        axes.grid(axis="x", linewidth=0.3)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    return figure, panels, places


def _draw_steps(axes: Axes, ends: Floats, places: Floats) -> None:
    """Draw a bar for the start and for the end of the steps, and between them a bar for each step."""
    axes.barh(places[[0, -1]], ends[[0, -1]], height=_BAR, color=GREY)
    steps, starts = np.diff(ends), ends[:-1]
    for rising, colour, label in ((True, BLUE, "adds people"), (False, VERMILLION, "removes people")):
        chosen = (steps > 0) if rising else (steps < 0)
        if chosen.any():
            axes.barh(places[1:-1][chosen], steps[chosen], _BAR, starts[chosen], color=colour, label=label)
    for end, (above, below) in zip(ends, itertools.pairwise(places), strict=True):
        axes.plot([end, end], [above - _BAR / 2, below + _BAR / 2], color=BLACK, linewidth=0.7)
    axes.grid(axis="x", linewidth=0.3)
    axes.set_axisbelow(True)


def _write_rows(axes: Axes, places: Floats, texts: list[str], told: list[str]) -> None:
    """Write the text of each row on its left, with the first line bold, and its value on the right."""
    for place, text, value in zip(places, texts, told, strict=True):
        head, *rest = text.split("\n")
        top = place - _LINE * len(rest) / 2
        style: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 9}
        axes.text(-0.015, top, head, ha="right", fontweight="bold", **style)
        for number, line in enumerate(rest, start=1):
            axes.text(-0.015, top + _LINE * number, line, ha="right", color="dimgrey", **{**style, "fontsize": 8})
        axes.text(1.015, place, value, ha="left", **style)


def _origin(explained: Moment, source: str) -> str:
    backgrounds = len(explained.drawn)
    told = f"mean over {backgrounds} stretch{'es' if backgrounds > 1 else ''} of {source}"
    return "\n".join(["readings of other times", *textwrap.wrap(told, _LETTERS)])


def _result(explained: Moment, counted: Prediction) -> str:
    told = f"as above, and the {explained.history_s:g} s before them" if explained.history_s else "as above"
    whole = float(counted.mean[0])
    if abs(whole - explained.prediction) > 0.005:
        told += f"; {whole:.2f} among all rows of the log"
    return "\n".join(["readings of this moment", *textwrap.wrap(told, _LETTERS)])


def _read(explained: Moment, kind: str, schema: Schema) -> str:
    """Return a kind with the last readings of its columns and their units; a common unit is written once."""
    readings = explained.readings[kind]
    units = {column.name: column.unit for column in schema.columns if column.name in readings}
    shared = len(set(units.values())) == 1
    values = {name: "none" if np.isnan(value) else f"{value:.4g}" for name, value in readings.items()}
    items = [f"{name} {value}{'' if shared else f' {units[name]}'}" for name, value in values.items()]
    # A non-breaking space keeps a name and its value on one line.
    lines = textwrap.wrap(", ".join(item.replace(" ", "\xa0") for item in items), _LETTERS)
    return "\n".join([f"{kind} ({next(iter(units.values()))})" if shared else kind, *lines])


def _finish(figure: Figure, panels: list[Axes]) -> Figure:
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6), frameon=False, fontsize=9)
    return figure
