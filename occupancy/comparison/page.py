"""A comparison as one HTML file that needs nothing but itself: style and figures are inside."""

from __future__ import annotations

from functools import partial

import numpy as np

from occupancy.comparison import panels, ranking
from occupancy.comparison.groups import Comparison
from occupancy.comparison.report import NOTE
from occupancy.errors import InputError
from occupancy.plots import html
from occupancy.plots.timeaxis import NARROW, WIDTH


def page(comparison: Comparison, made: str, with_report: bool = False, fold: int | None = None) -> str:
    """Return the page, which is well-formed XML too.

    Args:
        comparison: what to show.
        made: when and from where, as text.
        with_report: whether to set the student report's figures beside ours.
        fold: whose predictions to show; without it the first that holds the most labels.

    Raises:
        InputError: there is no such fold.
    """
    number = _fold(comparison, fold)
    tags = comparison.newest.tags
    facts = {
        "log": f"{tags['dataset']}, digest {tags['digest']}",
        "folds": f"{comparison.scheme}, digest {tags['folds_digest']}: "
        + ", ".join(f"fold {rows.number} with {len(rows.truth):,} test rows" for rows in comparison.folds),
        "test rows": f"{comparison.rows:,}, in {comparison.label_runs} label runs (stretches of one true count)",
        "made": made,
    }
    parts = [
        html.facts(facts),
        html.heading("Which model to pick: the smallest mean squared error first"),
        html.table(
            ranking.HEADINGS,
            ranking.rows(comparison),
            [_kind(comparison, place) for place in range(len(comparison.groups))],
        ),
        *map(html.note, ranking.notes(comparison)),
        *(_report(comparison) if with_report else []),
        *_figures(comparison, number),
        html.heading("What was left out, and why"),
        html.bullets(ranking.left_out(comparison)),
    ]
    return html.document(f"Models compared on {comparison.scheme}", parts)


def _fold(comparison: Comparison, asked: int | None) -> int:
    numbers = [rows.number for rows in comparison.folds]
    if asked is None:
        return max(comparison.folds, key=lambda rows: len(np.unique(rows.truth))).number
    if asked not in numbers:
        raise InputError(f"--fold: got {asked}, expected one of {', '.join(map(str, numbers))}")
    return asked


def _kind(comparison: Comparison, place: int) -> str:
    group = comparison.groups[place]
    return "best" if group is comparison.best else group.protocol


def _report(comparison: Comparison) -> list[str]:
    rows = ranking.report_rows(comparison)
    return [
        html.heading("Beside the student report: its figures, ours, and ours minus its"),
        html.table(ranking.REPORT_HEADINGS, rows, [row[1] for row in rows]),
        html.note(NOTE),
    ]


def _figures(comparison: Comparison, fold: int) -> list[str]:
    groups = comparison.groups
    max_gap = float(comparison.newest.params.get("data.max_gap", 120.0))
    bars = [
        panels.fold_bars(comparison, "mse", "MSE in each fold: shorter is better", "people squared"),
        panels.fold_bars(comparison, "f1_macro", "Macro-F1 in each fold: longer is better", "share, 0 to 1"),
    ]
    title = f"Fold {fold}: where each model's label leaves the truth"
    over_time = partial(panels.labels_over_time, groups, fold, title, max_gap)
    return [
        html.heading("Does one fold decide? Scores fold by fold, averaged over seeds"),
        f'<div class="side">{html.image(bars[0], "MSE of every model in each fold")}'
        f"{html.image(bars[1], 'macro-F1 of every model in each fold')}</div>",
        html.heading(f"What the errors look like: every model over the test rows of fold {fold}"),
        html.image(over_time(WIDTH), f"true and predicted count of every model over fold {fold}", over_time(NARROW)),
        html.heading("Can a confidence be believed? On the dashed line it comes true as often as it says"),
        html.note(
            "Pooled over folds and seeds; bars: rows with that confidence, on a scale of tens. A point far off the "
            "line above a tiny bar means little."
        ),
        '<div class="small">'
        + "".join(html.image(panels.reliability(group), f"reliability of {group.title}") for group in groups)
        + "</div>",
    ]
