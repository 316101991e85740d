"""The figures of a search: the score by each setting, all settings at once, and which of them matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from occupancy.arrays import Floats
from occupancy.config.search import Range
from occupancy.plots.colours import BLACK, BLUE, GREY, LABELS, ORANGE, VERMILLION
from occupancy.plots.figure import WIDTH, titled_figure
from occupancy.search.adaptive import coded, distribution_of
from occupancy.search.space import Point, written

Over = Mapping[str, list[Any] | Range] | Mapping[str, list[Any]]
UNIT = "people²"
_PAPER = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1}  # under letters that lines pass
_FEWEST = 4  # trials; of fewer nobody can say what matters


def draw(points: Sequence[Point], over: Over, metric: str, where: str) -> dict[str, Figure]:
    """Return the figures of a search, by name; without those that its trials are too few for.

    Args:
        points: every setting that was tried, with its score.
        over: the values that each key may have.
        metric: the name of the score.
        where: what was searched on which folds, for the titles.
    """
    if not points:
        return {}
    table = pd.DataFrame({key: [coded(values, one.setting[key]) for one in points] for key, values in over.items()})
    table["score"] = [one.score for one in points]
    table["fold"] = [one.fold or 0 for one in points]
    label = f"validation {metric}, mean of folds ({UNIT})"
    if table["fold"].any():  # folds are not equally hard
        table["score"] -= table.groupby("fold")["score"].transform("median")
        label = f"validation {metric}, less its fold's median ({UNIT})"
    figures = {"boxes": _boxes(table, over, label, where), "parallel": _parallel(table, over, label, where)}
    shares = importances(table, over)
    if shares is not None:
        figures["importance"] = _importance(shares, label, where)
    return figures


def importances(table: pd.DataFrame, over: Over) -> pd.Series[float] | None:
    """Return the share of the scores' variance that each setting explains, by fANOVA (Hutter et al., 2014).

    Args:
        table: a row for each trial: its setting, values of lists by their places there, and its ``score``.
        over: the values that each key may have. Keys with a single one are left out.

    Returns:
        Shares that add up to 1, the largest first; none where the trials are too few or all equally good.
    """
    searched = {key: distribution_of(values) for key, values in over.items()}
    searched = {key: one for key, one in searched.items() if not one.single()}
    if len(table) < _FEWEST or not searched or table["score"].min() == table["score"].max():
        return None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for row in table.to_dict("records"):
        params = {key: row[key] for key in searched}
        study.add_trial(create_trial(params=params, distributions=searched, value=row["score"]))
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return pd.Series(shares, dtype=float).sort_values(ascending=False, kind="stable")


def _boxes(table: pd.DataFrame, over: Over, label: str, where: str) -> Figure:
    widths = [max(len(values), 2) if isinstance(values, list) else 4 for values in over.values()]
    folds = sorted(table["fold"].unique())
    coloured = ", coloured by fold" if folds != [0] else ""
    title = f"{where}: the score by each setting; a dot is a trial{coloured}"
    figure = titled_figure(4.0, title, max(WIDTH, 0.6 * sum(widths)))
    panels = figure.subplots(1, len(over), sharey=True, squeeze=False, width_ratios=widths)[0]
    jitter = np.random.default_rng(0)
    for axes, (key, values) in zip(panels, over.items(), strict=True):
        if isinstance(values, list):
            _add_boxes(axes, table, key, values)
        else:
            _scale(axes, values)
        for fold in folds:
            own = table[table["fold"] == fold]
            places = own[key] + jitter.uniform(-0.15, 0.15, len(own)) * _spacing(values)
            colour = LABELS[(fold - 1) % len(LABELS)] if fold else BLUE
            axes.plot(places, own["score"], ".", color=colour, markersize=5, alpha=0.7, label=f"fold {fold}")
        axes.set_xlabel(key)
    panels[0].set_ylabel(label)
    if folds != [0]:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center")
    figure.align_xlabels()
    return figure


def _add_boxes(axes: Axes, table: pd.DataFrame, key: str, values: list[Any]) -> None:
    groups = [table.loc[table[key] == place, "score"].to_numpy(np.float64) for place in range(len(values))]
    median = {"color": VERMILLION, "linewidth": 2}
    axes.boxplot(groups, positions=range(len(values)), widths=0.6, showfliers=False, medianprops=median)
    texts = [written(value) for value in values]
    axes.set_xticks(range(len(values)), texts, rotation=45 if max(map(len, texts)) > 4 else 0)


def _scale(axes: Axes, values: Range) -> None:
    if values.log:
        axes.set_xscale("log")
        ticks = np.geomspace(values.low, values.high, 3)
        axes.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
        axes.set_xticks([], minor=True)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=values.is_whole))


def _spacing(values: list[Any] | Range) -> float:
    """Return how far apart the values of a key lie that many trials share; 0 where hardly two are the same."""
    if isinstance(values, list):
        return 1
    return values.step or 1 if values.is_whole and not values.log else 0


def _parallel(table: pd.DataFrame, over: Over, label: str, where: str) -> Figure:
    best_of = "that of each fold is" if table["fold"].any() else "one is"
    figure = titled_figure(4.5, f"{where}: each line is a trial, the darker the better; the best {best_of} orange")
    axes = figure.subplots()
    scores = table["score"].to_numpy(np.float64)
    ranks = table["score"].rank(method="first").to_numpy(np.float64)
    best = set(table.groupby("fold")["score"].idxmin())
    low, high = float(scores.min()), float(scores.max())
    heights = (scores - low) / (high - low or 1.0)
    shades, norm = LinearSegmentedColormap.from_list("rank", [BLUE, "#DDDDDD"]), Normalize(1, max(len(ranks), 2))
    # Lines that meet in one value would hide each other: each passes it at a height of its own.
    spread = 0.05 * ((ranks - 1) / max(len(ranks) - 1, 1) - 0.5)
    columns = [_heights(table[key], values) + spread * isinstance(values, list) for key, values in over.items()]
    places = np.column_stack([*columns, heights])
    for row in np.argsort(-ranks):
        colour, width = (ORANGE, 3.0) if row in best else (shades(norm(ranks[row])), 1.0)
        axes.plot(range(places.shape[1]), places[row], color=colour, linewidth=width, zorder=2 + (row in best))
    for place, values in enumerate(over.values()):
        axes.axvline(place, color=GREY, linewidth=1, zorder=0)
        codes = range(len(values)) if isinstance(values, list) else _ticks(values)
        texts = [written(value) for value in (values if isinstance(values, list) else codes)]
        for text, height in zip(texts, _heights(codes, values), strict=True):
            axes.text(place - 0.03, height, text, ha="right", va="center", color=BLACK, fontsize=9, bbox=_PAPER)
    axes.axvline(len(over), color=GREY, linewidth=2, zorder=0)
    axes.set_xticks(range(len(over) + 1), [*over, "score"])
    axes.set(xlim=(-0.35, len(over)), ylim=(-0.06, 1.06), yticks=[])
    right = axes.twinx()
    low_end, high_end = (low + height * (high - low or 1.0) for height in axes.get_ylim())
    right.set(ylabel=label, ylim=(low_end, high_end))
    right.yaxis.set_major_locator(MaxNLocator(6))
    for one in (axes, right):
        one.spines[["top", "right", "left", "bottom"]].set_visible(False)
    return figure


def _heights(codes: Sequence[float] | pd.Series[float], values: list[Any] | Range) -> Floats:
    """Return how far up the axis of a key its values lie, from 0 to 1."""
    low, high = (0, len(values) - 1) if isinstance(values, list) else (values.low, values.high)
    numbers = np.array([*codes, low, high], np.float64)
    numbers = np.log(numbers) if isinstance(values, Range) and values.log else numbers
    return (numbers[:-2] - numbers[-2]) / (numbers[-1] - numbers[-2]) if high > low else np.full(len(codes), 0.5)


def _ticks(values: Range) -> list[float]:
    spaced = np.geomspace if values.log else np.linspace
    ticks = spaced(values.low, values.high, 5)
    return sorted({round(tick) for tick in ticks}) if values.is_whole else [float(f"{tick:.2g}") for tick in ticks]


def _importance(shares: pd.Series[float], label: str, where: str) -> Figure:
    figure = titled_figure(0.5 * len(shares) + 1.5, f"{where}: which settings matter")
    axes = figure.subplots()
    axes.barh(range(len(shares)), shares.to_numpy(np.float64), color=BLUE, height=0.6)
    for place, share in enumerate(shares):
        axes.text(share + 0.01, place, f"{share:.0%}", va="center")
    axes.set_yticks(range(len(shares)), list(shares.index))
    axes.set(xlabel=f"share of the variance (fANOVA) of: {label}", xlim=(0, 1.08))
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
