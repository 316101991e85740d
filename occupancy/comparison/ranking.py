"""A comparison told to people: the cells of its tables, and the sentences that keep them from being misread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from occupancy.comparison.bootstrap import DRAWS
from occupancy.comparison.groups import Comparison, is_offline, is_optimistic
from occupancy.comparison.report import REPORT, row_of
from occupancy.comparison.standings import report_values, values

HEADINGS = (
    ("model", "setting"),
    ("proto-", "col"),
    ("seeds", ""),
    ("MSE", "±seeds"),
    ("±over", "folds"),
    ("macro", "F1"),
    ("pooled", "F1"),
    ("NLL", ""),
    ("cover", "90"),
    ("MSE above best", "95 % interval"),
    ("fit", "s"),
    ("µs per", "row"),
    ("para-", "meters"),
    ("test", "rows"),
)
"""Headings of the table of models, in two lines."""
SCORES, COSTS = range(10), (0, 1, *range(10, 14))
"""The columns of two tables, for where one is too wide: how good a model is, and what it takes."""

REPORT_HEADINGS = (
    ("report's model", "ours"),
    ("proto-", "col"),
    ("MSE", "report"),
    ("MSE", "ours"),
    ("MSE", "differs"),
    ("F1", "report"),
    ("F1", "ours"),
    ("F1", "differs"),
    ("F1 all", "ours"),
    ("F1 all", "differs"),
)
"""Headings of the table that sets the report's figures beside ours, in two lines."""


def rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return the cells of the table of models under `HEADINGS`, of one or two lines each."""
    return [_cells(values(group), group is comparison.best) for group in comparison.groups]


def _cells(row: Mapping[str, Any], is_best: bool) -> tuple[str, ...]:
    difference = "best honest" if is_best else _signed(row["mse_above_best"])
    if not math.isnan(row["mse_above_best_low"]):
        difference += f"\n{_signed(row['mse_above_best_low'])}..{_signed(row['mse_above_best_high'])}"
    below = [row["variant"], "(optimistic)" * row["optimistic"], "(offline)" * row["offline"]]
    return (
        "\n".join([row["model"], *filter(None, below)]),
        row["protocol"],
        str(len(row["seeds"])),
        _with_spread(row["mse"], row["mse_std_seeds"]),
        shown(row["mse_std_folds"]),
        _with_spread(row["f1_macro"], row["f1_macro_std_seeds"]),
        *(shown(row[key]) for key in ("f1_macro_pooled", "nll", "coverage_90")),
        difference,
        *(shown(row[key]) for key in ("fit_s", "predict_us")),
        "-" if math.isnan(row["parameters"]) else f"{row['parameters']:,.0f}",
        f"{row['test_rows']:,}",
    )


def report_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return the cells of the table under `REPORT_HEADINGS`: every row of the report, with each group that answers."""
    result: list[tuple[str, ...]] = []
    for key, theirs in REPORT.items():
        answering = [group for group in comparison.groups if row_of(group.runs[0]) == key]
        told = _with_spread(theirs.mse, theirs.mse_std), _with_spread(theirs.f1_macro, theirs.f1_macro_std)
        for group in answering:
            row = report_values(group)
            result.append(
                (
                    f"{theirs.title}\n{group.name}" + (f" {group.variant}" if group.variant else ""),
                    group.protocol,
                    told[0],
                    _with_spread(group.mean("mse_avg"), group.mean("mse_std")),
                    _signed(row["mse_above_report"]),
                    told[1],
                    _with_spread(group.mean("f1_macro_avg"), group.mean("f1_macro_std")),
                    _signed(row["f1_macro_above_report"]),
                    shown(row["f1_macro_all"]),
                    _signed(row["f1_macro_all_above_report"]),
                )
            )
        if not answering:
            result.append((f"{theirs.title}\nno run", "-", told[0], "-", "-", told[1], "-", "-", "-", "-"))
    return result


def facts(comparison: Comparison) -> str:
    """Return in one line what the models were tested on."""
    tags = comparison.newest.tags
    models = "1 model" if len(comparison.groups) == 1 else f"{len(comparison.groups)} models"
    return (
        f"{models} on {comparison.scheme}: log {tags['dataset']}, digest {tags['digest']}, "
        f"{len(comparison.folds)} folds, {comparison.rows:,} test rows"
    )


def notes(comparison: Comparison) -> list[str]:
    """Return the sentences without which the table would be misread."""
    runs = [run for group in comparison.groups for run in group.runs]
    said = ["MSE and F1: mean over folds and seeds ± the standard deviation over seeds; ±over folds: of the MSE."]
    if comparison.newest.tags["dataset"] == "simulated":
        said.append("CAUTION: the log is simulated; these figures say nothing about a real room.")
    if any(is_optimistic(group) for group in comparison.groups):
        said.append("CAUTION: protocol report stops early on the test rows, so its figures are optimistic.")
    if any(is_offline(group) for group in comparison.groups):
        said.append("(offline): these counts rest on later rows too, so no room can have them as it goes.")
    commits = {run.tags.get("mlflow.source.git.commit", "unknown")[:8] for run in runs}
    if len(commits) > 1:
        said.append(
            f"CAUTION: the runs are of {len(commits)} commits of this package ({', '.join(sorted(commits))}); what "
            "looks like a spread over seeds may be a change of the code."
        )
    if comparison.best is None:
        said.append("No honest run is among them, so there is no best to compare the others to.")
    elif len(comparison.groups) == 1:
        said.append("There is no other model to compare it to.")
    elif comparison.label_runs < 2:
        said.append(
            "The test rows hold a single label run (stretch of one true count); no interval can be had from it."
        )
    else:
        said.append(
            f"MSE above best: against {comparison.best.title}, averaged over folds. Its 95 % interval comes from "
            f"{DRAWS:,} draws of the {comparison.label_runs} label runs (stretches of one true count) that the test "
            f"rows consist of. {comparison.label_runs} are {_how_few(comparison.label_runs)}, and the best was found "
            "on these very rows."
        )
    if any(run.tags.get("selection") == "shared" for run in runs):
        said.append(
            "One setting served all folds of a model, so it was in effect chosen on rows that some fold tests: all "
            "figures are optimistic to that extent."
        )
    said.append(
        "µs per row: the time of one call that lays out the whole log, divided by the test rows; it varies with the "
        "machine's load, as does fit."
    )
    return said


def left_out(comparison: Comparison) -> list[str]:
    """Return a line for each reason why runs of a name were left out."""
    return [
        f"{out.name or 'a run without a name'} ({out.runs} {'run' if out.runs == 1 else 'runs'}): {out.reason}"
        for out in comparison.left_out
    ]


def shown(value: float | None) -> str:
    """Return a figure as the table that ends a training shows it."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3f}"


def _signed(value: float | None) -> str:
    text = shown(value)
    return text if text[0] == "-" else f"+{text}"


def _with_spread(value: float, spread: float | None) -> str:
    below = shown(spread)
    return f"{shown(value)}\n" + (below if below == "-" else f"±{below}")


def _how_few(runs: int) -> str:
    return "few: take the intervals for rough, and rather too narrow" if runs < 100 else "not many: they are rough"
