"""The HTML page of a comparison; it needs no other file."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from occupancy.comparison import panels, ranking
from occupancy.comparison.groups import Comparison
from occupancy.comparison.report import NOTE
from occupancy.errors import InputError
from occupancy.plots import html
from occupancy.plots.figure import NARROW, WIDTH


def page(comparison: Comparison, made: str, with_report: bool = False, fold: int | None = None) -> str:
    """Return the page, which is also well-formed XML.

    Args:
        comparison: the models to show.
        made: when the page was made, and from which store.
        with_report: whether to compare with the figures of the student report.
        fold: the fold whose predictions are shown; by default the first fold with the most labels.

    Raises:
        InputError: if there is no such fold.
    """
    number = _fold(comparison, fold)
    return html.render(
        "comparison/page.html.j2",
        title=f"Models compared on {comparison.scheme}",
        facts=_facts(comparison, made),
        table=ranking.table(comparison),
        notes=ranking.notes(comparison),
        report=ranking.report_table(comparison) if with_report else None,
        report_note=NOTE,
        fold=number,
        left_out=ranking.left_out(comparison),
        **_figures(comparison, number),
    )


def _facts(comparison: Comparison, made: str) -> dict[str, str]:
    tags = comparison.newest.tags
    tested = ", ".join(f"fold {rows.number} with {len(rows.truth):,} test rows" for rows in comparison.folds)
    return {
        "log": f"{tags['dataset']}, digest {tags['digest']}",
        "folds": f"{comparison.scheme}, digest {tags['folds_digest']}: {tested}",
        "test rows": f"{comparison.rows:,}, in {comparison.label_runs} label runs (stretches of one true count)",
        "made": made,
    }


def _fold(comparison: Comparison, asked: int | None) -> int:
    numbers = [rows.number for rows in comparison.folds]
    if asked is None:
        return max(comparison.folds, key=lambda rows: len(np.unique(rows.truth))).number
    if asked not in numbers:
        raise InputError(f"--fold: got {asked}, expected one of {', '.join(map(str, numbers))}")
    return asked


def _figures(comparison: Comparison, fold: int) -> dict[str, Any]:
    groups = comparison.groups
    max_gap = float(comparison.newest.params.get("data.max_gap", 120.0))
    mse = panels.fold_bars(comparison, "mse", "MSE in each fold: shorter is better", "people squared")
    f1 = panels.fold_bars(comparison, "f1_macro", "Macro-F1 in each fold: longer is better", "share, 0 to 1")
    title = f"Fold {fold}: where the label of each model differs from the truth"
    over_time = partial(panels.labels_over_time, groups, fold, title, max_gap)
    described = f"true and predicted count of every model in fold {fold}"
    return {
        "fold_bars": [
            html.image(mse, "MSE of every model in each fold"),
            html.image(f1, "macro-F1 of every model in each fold"),
        ],
        "over_time": html.image(over_time(WIDTH), described, over_time(NARROW)),
        "reliability": [html.image(panels.reliability(group), f"reliability of {group.title}") for group in groups],
    }
