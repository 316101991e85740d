"""A comparison as one HTML file that needs nothing but itself: style and figures are inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from matplotlib.figure import Figure

from occupancy.comparison import Comparison, panels, ranking
from occupancy.comparison.report import NOTE
from occupancy.errors import InputError

_DPI = 170

# The policy makes a browser refuse whatever would be fetched.
_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"/>
<title>{title}</title>
<style>
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto; max-width: 1180px;
  padding: 1rem; overflow-wrap: break-word; }}
h1 {{ font-size: 1.5rem; line-height: 1.25; margin: 0.5rem 0; }}
h2 {{ font-size: 1.15rem; line-height: 1.3; margin: 2.2rem 0 0.4rem; border-top: 1px solid #ccc; padding-top: 1rem; }}
p, ul, dl {{ margin: 0.4rem 0; max-width: 75ch; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 1rem; }}
dt {{ color: #595959; }}
dd {{ margin: 0; min-width: 0; }}
.caution {{ border-left: 4px solid #D55E00; padding-left: 0.6rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 0.86rem; font-variant-numeric: tabular-nums; margin: 0.6rem 0; }}
th, td {{ padding: 0.3rem 0.5rem; text-align: right; vertical-align: top; white-space: nowrap; line-height: 1.3; }}
th {{ border-bottom: 2px solid #222; font-weight: 600; vertical-align: bottom; }}
td {{ border-bottom: 1px solid #ddd; }}
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) {{ text-align: left; }}
small {{ color: #595959; font-size: 0.92em; }}
tr.report td {{ background: #FDF3DF; }}
tr.best td {{ background: #E6F1F8; font-weight: 600; }}
img {{ display: block; max-width: 100%; height: auto; }}
.scroll img {{ max-width: none; width: 100%; min-width: 660px; }}
.side {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 1rem; }}
.small {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 250px), 1fr)); gap: 0.8rem; }}
.side img, .small img {{ width: 100%; max-width: 540px; }}
@media print {{
  body {{ font-size: 10pt; max-width: none; padding: 0; }}
  table {{ font-size: 6.5pt; }}
  th, td {{ padding: 0.12rem 0.2rem; }}
  .scroll {{ overflow: visible; }}
  .scroll img, .side img {{ width: auto; min-width: 0; max-width: 100%; max-height: 235mm; }}
  .side {{ grid-template-columns: 1fr 1fr; }}
  .small {{ grid-template-columns: 1fr 1fr 1fr; }}
  img, tr {{ break-inside: avoid; }}
  h2 {{ break-after: avoid; }}
  tr.report td, tr.best td {{ print-color-adjust: exact; }}
}}
</style>
</head>
<body>
"""


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
    title = f"Models compared on {comparison.scheme}"
    parts = [
        _HEAD.format(title=escape(title)),
        f"<h1>{escape(title)}</h1>",
        "<dl>" + "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items()) + "</dl>",
        "<h2>Which model to pick: the smallest mean squared error first</h2>",
        _table(
            ranking.HEADINGS,
            ranking.rows(comparison),
            [_kind(comparison, place) for place in range(len(comparison.groups))],
        ),
        *map(_note, ranking.notes(comparison)),
        *(_report(comparison) if with_report else []),
        *_figures(comparison, number),
        "<h2>What was left out, and why</h2>",
        _list(ranking.left_out(comparison)),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


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
        "<h2>Beside the student report: its figures, ours, and ours minus its</h2>",
        _table(ranking.REPORT_HEADINGS, rows, [row[1] for row in rows]),
        _note(NOTE),
    ]


def _figures(comparison: Comparison, fold: int) -> list[str]:
    groups = comparison.groups
    max_gap = float(comparison.newest.params.get("data.max_gap", 120.0))
    bars = [
        panels.fold_bars(comparison, "mse", "MSE in each fold: shorter is better", "people squared"),
        panels.fold_bars(comparison, "f1_macro", "Macro-F1 in each fold: longer is better", "share, 0 to 1"),
    ]
    over_time = panels.labels_over_time(
        groups, fold, f"Fold {fold}: where each model's label leaves the truth", max_gap
    )
    return [
        "<h2>Does one fold decide? Scores fold by fold, averaged over seeds</h2>",
        f'<div class="side">{_image(bars[0], "MSE of every model in each fold")}'
        f"{_image(bars[1], 'macro-F1 of every model in each fold')}</div>",
        f"<h2>What the errors look like: every model over the test rows of fold {fold}</h2>",
        f'<div class="scroll">{_image(over_time, f"true and predicted count of every model over fold {fold}")}</div>',
        "<h2>Can a confidence be believed? On the dashed line it comes true as often as it says</h2>",
        _note(
            "Pooled over folds and seeds; bars: rows with that confidence, on a scale of tens. A point far off the "
            "line above a tiny bar means little."
        ),
        '<div class="small">'
        + "".join(_image(panels.reliability(group), f"reliability of {group.title}") for group in groups)
        + "</div>",
    ]


def _table(headings: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], kinds: Sequence[str]) -> str:
    head = "".join(f'<th scope="col">{escape(first)}<br/>{escape(second)}</th>' for first, second in headings)
    body = "\n".join(
        f'<tr class="{escape(kind)}">' + "".join(map(_cell, row)) + "</tr>"
        for row, kind in zip(rows, kinds, strict=True)
    )
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _cell(text: str) -> str:
    first, *below = text.split("\n")
    return f"<td>{escape(first)}" + "".join(f"<br/><small>{escape(line)}</small>" for line in below) + "</td>"


def _note(text: str) -> str:
    kind = ' class="caution"' if text.startswith("CAUTION") else ""
    return f"<p{kind}>{escape(text)}</p>"


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else "<p>Nothing.</p>"


def _image(figure: Figure, text: str) -> str:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=_DPI)
    data = base64.b64encode(png.getvalue()).decode("ascii")
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{data}"/>'
