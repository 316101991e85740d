"""How good the uncertainty of a model is: where it is uncertain, interval coverage, and selective prediction.

All figures pool folds and seeds. Neighbouring rows are nearly equal and visits are few, so a share over thousands of
rows depends on a few dozen stretches of one true count.
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
from occupancy.tracking.stored_runs import FoldRows

BAND = 2  # standard deviations; 95 % of a Normal lie within them
ANSWERED_SHARE = 0.8  # share of rows that are answered
LEVELS = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
MINUTES = (0, 2, 5, 10, 20, 40, 80, np.inf)
"""Edges of the bins of time since the last change."""
_COLUMNS = ["predicted", "observed"]
_PANEL_WIDTH = 3.3  # inches, as a panel of reliability


def within_band(rows: FoldRows, spread: str = "std") -> NDArray[np.bool_]:
    """Return whether the true count is within `BAND` standard deviations of the mean, (N,).

    Args:
        rows: test rows.
        spread: ``std``, or ``epistemic``: the part of it that comes from differences between the model's samples.
    """
    return np.asarray(np.abs(rows.truth - rows.mean) <= BAND * getattr(rows, spread) + 1e-9)


def band_by_fold(group: Group, spread: str = "std") -> list[float]:
    """Return the share of each fold's rows within the band, averaged over seeds; see `within_band`."""
    shares = [[within_band(rows, spread).mean() for rows in parts] for parts in group.parts]
    return [float(share) for share in np.mean(shares, axis=0)]


def samples(group: Group) -> bool:
    """Return whether the samples of a model differ anywhere, so that ``epistemic`` is not 0 everywhere."""
    return any(bool(rows.epistemic.any()) for parts in group.parts for rows in parts)


def minutes_since_change(rows: FoldRows, max_gap: float) -> Floats:
    """Return the minutes since the true count last changed, (N,); NaN before the first change of a recording.

    Args:
        rows: the test rows of a fold.
        max_gap: longest time in seconds between two rows of one recording.
    """
    gap = np.diff(rows.times, prepend=rows.times[:1]) > np.timedelta64(round(max_gap * 1e9), "ns")
    changed = (np.diff(rows.truth, prepend=rows.truth[:1]) != 0) & ~gap
    number = np.arange(len(rows.truth))
    last = np.maximum.accumulate(np.where(changed, number, -1))
    recorded = np.maximum.accumulate(np.where(gap, number, 0))
    minutes = (rows.times - rows.times[last]) / np.timedelta64(1, "m")
    return np.where(last >= recorded, minutes, np.nan)


def variance_and_error(group: Group, max_gap: float) -> pd.DataFrame:
    """Return the predicted variance and the squared error of every test row of all folds and seeds.

    Returns:
        The columns ``truth`` (people), ``minutes`` since the last change, ``predicted`` (the predicted variance) and
        ``observed`` (the squared error of the mean), both in people squared.
    """
    every = [
        pd.DataFrame(
            {
                "truth": rows.truth,
                "minutes": minutes_since_change(rows, max_gap),
                "predicted": np.square(rows.std),
                "observed": np.square(rows.truth - rows.mean),
            }
        )
        for parts in group.parts
        for rows in parts
    ]
    return pd.concat(every, ignore_index=True)


def where_unsure(group: Group, max_gap: float) -> Figure:
    """Return the predicted and the observed error of a model, by the true count and by the time since it changed.

    Args:
        group: the model.
        max_gap: longest time in seconds between two rows of one recording.
    """
    table = variance_and_error(group, max_gap)
    predicted, observed = table[_COLUMNS].mean().pow(0.5)
    figure = _figure(f"{group.title}: predicted error ±{predicted:.2f} people, observed {observed:.2f}", 5.0)
    upper, lower = figure.subplots(2, 1)
    by_count = table.groupby("truth")[_COLUMNS].mean().pow(0.5)
    upper.bar(by_count.index - 0.2, by_count["predicted"], 0.4, color=BLUE, label="predicted std")
    upper.bar(by_count.index + 0.2, by_count["observed"], 0.4, color=ORANGE, label="observed error of mean")
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
    """Draw the predicted and the observed error over the time since the last change."""
    bins = pd.cut(table["minutes"], MINUTES, right=False, labels=False)
    means = table.groupby(bins)[_COLUMNS].mean().pow(0.5).reindex(range(len(MINUTES) - 1))
    draw = partial(axes.plot, means.index, markersize=4, linewidth=1)
    for column, colour in zip(_COLUMNS, (BLUE, ORANGE), strict=True):
        draw(means[column], marker, color=colour, label=f"{column}, {state}")


def interval_coverage(group: Group, level: float) -> pd.DataFrame:
    """Return how many rows lie inside the central intervals of a level, with a line for each fold and seed.

    Returns:
        The columns ``fold``, ``rows``, ``occupied`` (rows), ``inside`` and ``inside_occupied`` (rows inside) and
        ``expected``: the number of rows inside by the model's own probabilities, which is more than the level
        because counts are whole numbers.
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
                    "inside": inside.sum(),
                    "inside_occupied": inside[rows.truth > 0].sum(),
                    "expected": rows.probs[in_set].sum(),
                }
            )
    return pd.DataFrame(lines)


def interval_curve(group: Group) -> Figure:
    """Return the share of rows inside the central intervals of a model, for each level."""
    tables = {level: interval_coverage(group, level) for level in LEVELS}
    totals = pd.DataFrame({level: table.sum() for level, table in tables.items()}).T
    everywhere, occupied = totals["inside"] / totals["rows"], totals["inside_occupied"] / totals["occupied"]
    title = f"{group.title}: the {INTERVAL:.0%} interval holds {everywhere[INTERVAL]:.0%} of all rows"
    if totals["occupied"].any():
        title += f", {occupied[INTERVAL]:.0%} of occupied rows"
    figure = _figure(title, 4.2)
    axes = figure.subplots()
    folds = pd.DataFrame({level: _by_fold(table) for level, table in tables.items()}).T
    axes.plot(LEVELS, LEVELS, color=GREY, linestyle=":", linewidth=1.5, label="equal to the level")
    lines = axes.plot(LEVELS, folds, color=SKY, linewidth=0.8)
    lines[0].set_label("all rows, each fold")
    expected = totals["expected"] / totals["rows"]
    axes.plot(LEVELS, expected, color=BLACK, linestyle="--", linewidth=1, label="expected by the model")
    axes.plot(LEVELS, everywhere, color=BLUE, marker="o", markersize=4, label="all rows")
    axes.plot(LEVELS, occupied, color=VERMILLION, marker="s", markersize=4, label="occupied rows")
    axes.set(xlabel="level of the interval", ylabel="share of rows inside", xlim=(0.48, 1.01))
    axes.set_ylim(top=1.02)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    return figure


def _by_fold(table: pd.DataFrame) -> pd.Series[float]:
    """Return the share of rows inside the interval in each fold, over all seeds."""
    sums = table.groupby("fold")[["inside", "rows"]].sum()
    return sums["inside"] / sums["rows"]


def selective_prediction(group: Group) -> Figure:
    """Return the MSE of the most certain rows by the share of rows that are answered, averaged over seeds."""
    curves = []
    for parts in group.parts:
        error = np.concatenate([np.square(rows.label - rows.truth) for rows in parts]).astype(np.float64)
        curves.append(risk_coverage(error, np.concatenate([rows.std for rows in parts])))
    risk = np.mean(curves, axis=0)
    answered = np.arange(1, len(risk) + 1) / len(risk)
    at = int(np.ceil(ANSWERED_SHARE * len(risk) - 1e-9)) - 1
    most = f"{ANSWERED_SHARE:.0%}"
    figure = _figure(f"{group.title}: MSE {risk[-1]:.3f}, and {risk[at]:.3f} on the {most} most certain rows", 3.7)
    axes = figure.subplots()
    axes.axhline(risk[-1], color=GREY, linestyle="--", linewidth=1, label="all rows answered")
    axes.plot(answered, risk, color=BLUE, linewidth=1.5, label="most certain rows")
    axes.plot(answered[at], risk[at], "o", color=VERMILLION, markersize=7, label=f"{most} answered")
    axes.set(xlabel="share of rows answered, most certain first", ylabel="MSE (people²)", xlim=(0, 1.01))
    axes.set_ylim(0, 1.1 * max(float(risk[len(risk) // 20 :].max()), 1e-3))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    return figure


def _figure(title: str, height: float) -> Figure:
    figure = titled_figure(height, "", _PANEL_WIDTH)
    figure.suptitle(textwrap.fill(title, 38), fontsize="medium")
    return figure
