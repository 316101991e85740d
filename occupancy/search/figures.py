"""The figures of a search: the score by each setting, all settings at once, and which of them matter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import optuna
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from occupancy.plots import BLACK, BLUE, GREY, ORANGE, VERMILLION
from occupancy.prediction import Floats
from occupancy.search.grid import Trial, written
from occupancy.timeaxis import WIDTH, titled_figure

UNIT = "people²"
_PAPER = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1}  # under letters that lines pass
_FEWEST = 4  # trials; of fewer nobody can say what matters


def draw(trials: Sequence[Trial], scores: pd.DataFrame, metric: str, where: str) -> dict[str, Figure]:
    """Return the figures of a search, by name; without those that its trials are too few for.

    Args:
        trials: every setting that was tried.
        scores: of each trial (rows, by number) on the validation rows of each fold (columns), nan where it failed.
        metric: the name of the score.
        where: what was searched on which folds, for the titles.
    """
    means = scores.mean(axis=1, skipna=False).dropna()
    tried = [trial for trial in trials if trial.number in means.index]
    table = pd.DataFrame({key: [written(trial.setting[key]) for trial in tried] for key in trials[0].setting})
    table["score"] = [float(mean) for mean in means.reindex([trial.number for trial in tried])]
    order = {key: list(dict.fromkeys(written(trial.setting[key]) for trial in trials)) for key in trials[0].setting}
    if table.empty:
        return {}
    label = f"validation {metric}, mean of folds ({UNIT})"
    figures = {"boxes": _boxes(table, order, label, where), "parallel": _parallel(table, order, label, where)}
    shares = importances(table, order)
    if shares is not None:
        figures["importance"] = _importance(shares, metric, where)
    return figures


def importances(table: pd.DataFrame, order: dict[str, list[str]]) -> pd.Series[float] | None:
    """Return the share of the scores' variance that each setting explains, by fANOVA (Hutter et al., 2014).

    Args:
        table: a row for each trial: its setting as text, and its ``score``.
        order: the values of each setting. Those with a single one are left out.

    Returns:
        Shares that add up to 1, the largest first; none where the trials are too few or all equally good.
    """
    searched: dict[str, BaseDistribution] = {
        key: CategoricalDistribution(tuple(values)) for key, values in order.items() if len(values) > 1
    }
    if len(table) < _FEWEST or not searched or table["score"].min() == table["score"].max():
        return None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for row in table.to_dict("records"):
        params = {key: row[key] for key in searched}
        study.add_trial(create_trial(params=params, distributions=searched, value=row["score"]))
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return pd.Series(shares, dtype=float).sort_values(ascending=False, kind="stable")


def _boxes(table: pd.DataFrame, order: dict[str, list[str]], label: str, where: str) -> Figure:
    widths = [max(len(values), 2) for values in order.values()]
    figure = titled_figure(4.0, f"{where}: the score by each setting; a dot is a trial", max(WIDTH, 0.6 * sum(widths)))
    panels = figure.subplots(1, len(order), sharey=True, squeeze=False, width_ratios=widths)[0]
    jitter = np.random.default_rng(0)
    for axes, (key, values) in zip(panels, order.items(), strict=True):
        groups = [table.loc[table[key] == value, "score"].to_numpy(np.float64) for value in values]
        axes.boxplot(groups, widths=0.6, showfliers=False, medianprops={"color": VERMILLION, "linewidth": 2})
        for place, group in enumerate(groups, start=1):
            axes.plot(place + jitter.uniform(-0.15, 0.15, len(group)), group, ".", color=BLUE, markersize=4, alpha=0.6)
        axes.set_xticks(range(1, len(values) + 1), values, rotation=45 if max(map(len, values)) > 4 else 0)
        axes.set_xlabel(key)
    panels[0].set_ylabel(label)
    figure.align_xlabels()
    return figure


def _parallel(table: pd.DataFrame, order: dict[str, list[str]], label: str, where: str) -> Figure:
    figure = titled_figure(4.5, f"{where}: each line is a trial, the darker the better; the best one is orange")
    axes = figure.subplots()
    scores = table["score"].to_numpy(np.float64)
    ranks = table["score"].rank(method="first").to_numpy(np.float64)
    low, high = float(scores.min()), float(scores.max())
    heights = (scores - low) / (high - low or 1.0)
    places = np.column_stack([*(_heights(table[key], values) for key, values in order.items()), heights])
    shades, norm = LinearSegmentedColormap.from_list("rank", [BLUE, "#DDDDDD"]), Normalize(1, max(len(ranks), 2))
    # Lines that meet in one value would hide each other: each passes it at a height of its own.
    places[:, :-1] += 0.05 * ((ranks[:, None] - 1) / max(len(ranks) - 1, 1) - 0.5)
    for row in np.argsort(-ranks):
        best = ranks[row] == 1
        colour, width = (ORANGE, 3.0) if best else (shades(norm(ranks[row])), 1.0)
        axes.plot(range(places.shape[1]), places[row], color=colour, linewidth=width)
    for place, values in enumerate(order.values()):
        axes.axvline(place, color=GREY, linewidth=1, zorder=0)
        for value, height in zip(values, _heights(pd.Series(values), values), strict=True):
            axes.text(place - 0.03, height, value, ha="right", va="center", color=BLACK, fontsize=9, bbox=_PAPER)
    axes.axvline(len(order), color=GREY, linewidth=2, zorder=0)
    axes.set_xticks(range(len(order) + 1), [*order, "score"])
    axes.set(xlim=(-0.35, len(order)), ylim=(-0.06, 1.06), yticks=[])
    right = axes.twinx()
    low_end, high_end = (low + height * (high - low or 1.0) for height in axes.get_ylim())
    right.set(ylabel=label, ylim=(low_end, high_end))
    right.yaxis.set_major_locator(MaxNLocator(6))
    for one in (axes, right):
        one.spines[["top", "right", "left", "bottom"]].set_visible(False)
    return figure


def _heights(column: pd.Series[str], values: list[str]) -> Floats:
    step = 1 / max(len(values) - 1, 1)
    return np.array([values.index(value) * step if len(values) > 1 else 0.5 for value in column])


def _importance(shares: pd.Series[float], metric: str, where: str) -> Figure:
    figure = titled_figure(0.5 * len(shares) + 1.5, f"{where}: which settings matter")
    axes = figure.subplots()
    axes.barh(range(len(shares)), shares.to_numpy(np.float64), color=BLUE, height=0.6)
    for place, share in enumerate(shares):
        axes.text(share + 0.01, place, f"{share:.0%}", va="center")
    axes.set_yticks(range(len(shares)), list(shares.index))
    axes.set(xlabel=f"share of the variance of the validation {metric} (fANOVA)", xlim=(0, 1.08))
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
