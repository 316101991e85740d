"""What a model's uncertainty is worth: where it is unsure, whether its band holds, what refusing rows buys.

All of it is pooled over folds and seeds, and read with care: neighbouring rows are nearly equal and visits are
few, so a share over thousands of rows rests on a few dozen stretches of one true count, and promises nothing.
"""

from __future__ import annotations

import itertools
import textwrap
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from occupancy.arrays import Floats
from occupancy.comparison.groups import Group
from occupancy.metrics import risk_coverage
from occupancy.plots.colours import BLACK, BLUE, GREY, ORANGE, SKY, VERMILLION
from occupancy.plots.figure import titled_figure
from occupancy.prediction import INTERVAL, central_interval
from occupancy.tracking.records import FoldRows

BAND = 2  # standard deviations; of a Normal, 95 % lie within them
KEPT = 0.8  # share of rows that are answered
LEVELS = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
MINUTES = (0, 2, 5, 10, 20, 40, 80, np.inf)
"""Edges of the bins of time since the last change."""
_WIDTH = 3.3  # inches, as a panel of reliability


def within_band(rows: FoldRows, spread: str = "std") -> NDArray[np.bool_]:
    """Return whether the truth lies within `BAND` times a spread of the mean, (N,).

    Args:
        rows: test rows.
        spread: ``std``, or ``epistemic``: the part of it by which the model's samples disagree.
    """
    return np.asarray(np.abs(rows.truth - rows.mean) <= BAND * getattr(rows, spread) + 1e-9)


def band_by_fold(group: Group, spread: str = "std") -> list[float]:
    """Return the share of each fold's rows within the band, averaged over seeds; see `within_band`."""
    shares = [[within_band(rows, spread).mean() for rows in parts] for parts in group.parts]
    return [float(share) for share in np.mean(shares, axis=0)]


def samples(group: Group) -> bool:
    """Return whether a model's samples disagree anywhere, so that ``epistemic`` says something."""
    return any(bool(rows.epistemic.any()) for parts in group.parts for rows in parts)


def minutes_since_change(rows: FoldRows, max_gap: float) -> Floats:
    """Return how long ago the true count last changed, (N,) minutes; nan before the first change of a recording.

    Args:
        rows: a fold's test rows.
        max_gap: seconds between two rows beyond which they belong to different recordings.
    """
    gap = np.diff(rows.times, prepend=rows.times[:1]) > np.timedelta64(round(max_gap * 1e9), "ns")
    changed = (np.diff(rows.truth, prepend=rows.truth[:1]) != 0) & ~gap
    number = np.arange(len(rows.truth))
    last = np.maximum.accumulate(np.where(changed, number, -1))
    recorded = np.maximum.accumulate(np.where(gap, number, 0))
    minutes = (rows.times - rows.times[last]) / np.timedelta64(1, "m")
    return np.where(last >= recorded, minutes, np.nan)


def said_and_seen(group: Group, max_gap: float) -> pd.DataFrame:
    """Return every test row of all folds and seeds: how unsure the model was, how far off, and when.

    Returns:
        the columns ``truth`` (people), ``minutes`` since the last change, ``said`` and ``seen``, the predicted
        variance and the squared error of the mean (people squared).
    """
    every = [
        pd.DataFrame(
            {
                "truth": rows.truth,
                "minutes": minutes_since_change(rows, max_gap),
                "said": np.square(rows.std),
                "seen": np.square(rows.truth - rows.mean),
            }
        )
        for parts in group.parts
        for rows in parts
    ]
    return pd.concat(every, ignore_index=True)


def where_unsure(group: Group, max_gap: float) -> Figure:
    """Return how unsure a model is and how far off it is, by the true count and by the time since it changed.

    Args:
        group: the model.
        max_gap: seconds between two rows beyond which they belong to different recordings.
    """
    table = said_and_seen(group, max_gap)
    said, seen = table[["said", "seen"]].mean().pow(0.5)
    figure = _figure(f"{group.title}: says it is ±{said:.2f} people off, is {seen:.2f} off", 5.0)
    upper, lower = figure.subplots(2, 1)
    by_count = table.groupby("truth")[["said", "seen"]].mean().pow(0.5)
    upper.bar(by_count.index - 0.2, by_count["said"], 0.4, color=BLUE, label="said: std")
    upper.bar(by_count.index + 0.2, by_count["seen"], 0.4, color=ORANGE, label="seen: error of the mean")
    upper.set(xlabel="true count (people)", ylabel="people (RMS)")
    upper.xaxis.set_major_locator(MaxNLocator(integer=True))
    occupied = table["truth"] > 0
    for mask, state, marker in ((occupied, "occupied", "o-"), (~occupied, "empty", "s--")):
        _by_minutes(lower, table[mask], state, marker)
    names = [f"{low:g}-{high:g}" if np.isfinite(high) else f"{low:g}+" for low, high in itertools.pairwise(MINUTES)]
    lower.set_xticks(range(len(names)), names, fontsize=8)
    lower.set(xlabel="minutes since the true count changed", ylabel="people (RMS)")
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    return figure


def _by_minutes(axes: Axes, table: pd.DataFrame, state: str, marker: str) -> None:
    """Draw what was said and seen over the time since the last change."""
    bins = pd.cut(table["minutes"], MINUTES, right=False, labels=False)
    means = table.groupby(bins)[["said", "seen"]].mean().pow(0.5).reindex(range(len(MINUTES) - 1))
    draw = partial(axes.plot, means.index, markersize=4, linewidth=1)
    for column, colour in (("said", BLUE), ("seen", ORANGE)):
        draw(means[column], marker, color=colour, label=f"{column}, {state}")


def interval_coverage(group: Group, level: float) -> pd.DataFrame:
    """Return what the central intervals of a level hold, a line for each fold and seed.

    Returns:
        the columns ``fold``, ``rows``, ``occupied`` (rows), ``held`` and ``held_occupied`` (rows inside) and
        ``promised``: the rows that the model's own probabilities put inside, more than the level asks for,
        since counts are whole.
    """
    lines = []
    for parts in group.parts:
        for rows in parts:
            lower, upper = central_interval(rows.probs, level)
            inside = (lower <= rows.truth) & (rows.truth <= upper)
            labels = np.arange(rows.probs.shape[1])
            in_set = (lower[:, None] <= labels) & (labels <= upper[:, None])
            lines.append(
                {
                    "fold": rows.number,
                    "rows": len(rows.truth),
                    "occupied": (rows.truth > 0).sum(),
                    "held": inside.sum(),
                    "held_occupied": inside[rows.truth > 0].sum(),
                    "promised": rows.probs[in_set].sum(),
                }
            )
    return pd.DataFrame(lines)


def interval_curve(group: Group) -> Figure:
    """Return the share of rows that a model's central intervals hold, by the share that they were asked to hold."""
    tables = {level: interval_coverage(group, level) for level in LEVELS}
    totals = pd.DataFrame({level: table.sum() for level, table in tables.items()}).T
    everywhere, occupied = totals["held"] / totals["rows"], totals["held_occupied"] / totals["occupied"]
    title = f"{group.title}: asked for {INTERVAL:.0%}, holds {everywhere[INTERVAL]:.0%}"
    if totals["occupied"].any():
        title += f", of occupied rows {occupied[INTERVAL]:.0%}"
    figure = _figure(title, 4.2)
    axes = figure.subplots()
    folds = pd.DataFrame({level: _by_fold(table) for level, table in tables.items()}).T
    axes.plot(LEVELS, LEVELS, color=GREY, linestyle=":", linewidth=1.5, label="as asked")
    lines = axes.plot(LEVELS, folds, color=SKY, linewidth=0.8)
    lines[0].set_label("all rows, each fold")
    axes.plot(
        LEVELS, totals["promised"] / totals["rows"], color=BLACK, linestyle="--", linewidth=1, label="as it promises"
    )
    axes.plot(LEVELS, everywhere, color=BLUE, marker="o", markersize=4, label="all rows")
    axes.plot(LEVELS, occupied, color=VERMILLION, marker="s", markersize=4, label="occupied rows")
    axes.set(xlabel="share asked for", ylabel="share held", xlim=(0.48, 1.01))
    axes.set_ylim(top=1.02)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    return figure


def _by_fold(table: pd.DataFrame) -> pd.Series[float]:
    """Return the share of rows held in each fold, all seeds together."""
    sums = table.groupby("fold")[["held", "rows"]].sum()
    return sums["held"] / sums["rows"]


def refusal(group: Group) -> Figure:
    """Return the MSE of the surest rows by how many of them are kept, averaged over seeds."""
    curves = []
    for parts in group.parts:
        error = np.concatenate([np.square(rows.label - rows.truth) for rows in parts]).astype(np.float64)
        curves.append(risk_coverage(error, np.concatenate([rows.std for rows in parts])))
    risk = np.mean(curves, axis=0)
    kept = np.arange(1, len(risk) + 1) / len(risk)
    at = int(np.ceil(KEPT * len(risk) - 1e-9)) - 1
    figure = _figure(f"{group.title}: MSE {risk[-1]:.3f}, and {risk[at]:.3f} with the surest {KEPT:.0%}", 3.7)
    axes = figure.subplots()
    axes.axhline(risk[-1], color=GREY, linestyle="--", linewidth=1, label="all rows kept")
    axes.plot(kept, risk, color=BLUE, linewidth=1.5, label="surest rows kept")
    axes.plot(kept[at], risk[at], "o", color=VERMILLION, markersize=7, label=f"{KEPT:.0%} kept")
    axes.set(xlabel="share of rows kept, the surest first", ylabel="MSE (people²)", xlim=(0, 1.01))
    axes.set_ylim(0, 1.1 * max(float(risk[len(risk) // 20 :].max()), 1e-3))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    return figure


def _figure(title: str, height: float) -> Figure:
    figure = titled_figure(height, "", _WIDTH)
    figure.suptitle(textwrap.fill(title, 38), fontsize="medium")
    return figure
