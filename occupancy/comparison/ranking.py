"""A comparison for people: the cells of its tables, and the notes that say how to read them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from occupancy.cli.format import shown
from occupancy.comparison.bootstrap import DRAWS
from occupancy.comparison.groups import Comparison, Group, is_offline, is_optimistic
from occupancy.comparison.report import REPORT, Reported, row_of
from occupancy.comparison.standings import report_values, values

_SENSORLESS = {"clock", "majority"}  # models that read no sensor


class Table(NamedTuple):
    """The cells of a table.

    Attributes:
        headings: two lines for each column.
        rows: a cell for each column; a cell can have several lines.
        kinds: ``best``, or the protocol of each row.
        scores: number of columns before those of skill and costs.
    """

    headings: list[tuple[str, str]]
    rows: list[list[str]]
    kinds: list[str]
    scores: int


def table(comparison: Comparison) -> Table:
    """Return the table of models; a column or line that would be the same for all models is left out."""
    rows = [values(group) for group in comparison.groups]
    seeds = {len(row["seeds"]) for row in rows}
    spread = max(seeds) > 1
    settings = any(row["variant"] for row in rows)
    scores: dict[tuple[str, str], list[str]] = {("model", "setting" if settings else ""): [_name(row) for row in rows]}
    if len(seeds) > 1:
        scores["seeds", ""] = [str(len(row["seeds"])) for row in rows]
    scores |= {
        ("MSE", "±seeds" * spread): [_mean(row["mse"], row["mse_std_seeds"], spread) for row in rows],
        ("MSE", "±folds"): [f"±{shown(row['mse_std_folds'])}" for row in rows],
        ("macro", "F1"): [_mean(row["f1_macro"], row["f1_macro_std_seeds"], spread) for row in rows],
        ("pooled", "F1"): [shown(row["f1_macro_pooled"]) for row in rows],
        ("NLL", ""): [shown(row["nll"]) for row in rows],
        ("cover", "90 %"): [shown(row["coverage_90"]) for row in rows],
        ("MSE above best", "95 % interval"): [
            _difference(row, group is comparison.best) for row, group in zip(rows, comparison.groups, strict=True)
        ],
    }
    # On a narrow terminal these have a table of their own, so that the scores above stay in one.
    others = {
        ("skill", "clock"): [shown(row["skill_clock_pooled"]) for row in rows],
        ("skill", "nobody"): [shown(row["skill_nobody_pooled"]) for row in rows],
        ("fit", "s"): [shown(row["fit_s"]) for row in rows],
        ("µs per", "row"): [shown(row["predict_us"]) for row in rows],
        ("parameters", ""): ["-" if math.isnan(row["parameters"]) else f"{row['parameters']:,.0f}" for row in rows],
    }
    columns = {**scores, **others}
    kinds = ["best" if group is comparison.best else group.protocol for group in comparison.groups]
    cells = [list(row) for row in zip(*columns.values(), strict=True)]
    return Table(list(columns), cells, kinds, len(scores))


def _name(row: Mapping[str, Any]) -> str:
    """Return the name of a model, and below it its settings and marks."""
    marks = ["report" * (row["protocol"] == "report"), "optimistic" * row["optimistic"], "offline" * row["offline"]]
    marked = ", ".join(filter(None, marks))
    return "\n".join(filter(None, [row["model"], row["variant"], f"({marked})" if marked else ""]))


def _difference(row: Mapping[str, Any], is_best: bool) -> str:
    difference = "best" if is_best else _signed(row["mse_above_best"])
    if math.isnan(row["mse_above_best_low"]):
        return difference
    return f"{difference}\n{_signed(row['mse_above_best_low'])}..{_signed(row['mse_above_best_high'])}"


def report_table(comparison: Comparison) -> Table:
    """Return every row of the student report beside the models that reproduce it."""
    headings = [
        ("report's model", "ours"),
        *(("MSE", line) for line in ("report", "ours", "diff")),
        *(("F1", line) for line in ("report", "ours", "diff")),
        *(("F1 all", line) for line in ("ours", "diff")),
    ]
    found = list(_answers(comparison))
    rows = [_report_row(theirs, group) for theirs, group in found]
    return Table(headings, rows, ["" if group is None else group.protocol for _, group in found], len(headings))


def _answers(comparison: Comparison) -> Iterator[tuple[Reported, Group | None]]:
    """Yield every row of the report with each group that reproduces it, or with None."""
    for key, theirs in REPORT.items():
        groups = [group for group in comparison.groups if row_of(group.runs[0]) == key]
        yield from ((theirs, group) for group in groups)
        if not groups:
            yield theirs, None


def _report_row(theirs: Reported, group: Group | None) -> list[str]:
    mse, f1 = _mean(theirs.mse, theirs.mse_std), _mean(theirs.f1_macro, theirs.f1_macro_std)
    if group is None:
        return [f"{theirs.title}\nno run", mse, "-", "-", f1, "-", "-", "-", "-"]
    row = report_values(group)
    return [
        f"{theirs.title}\n{_name(values(group))}",
        mse,
        _mean(group.mean("mse_avg"), group.mean("mse_std")),
        _signed(row["mse_above_report"]),
        f1,
        _mean(group.mean("f1_macro_avg"), group.mean("f1_macro_std")),
        _signed(row["f1_macro_above_report"]),
        _known(row["f1_macro_all"]),
        _signed(row["f1_macro_all_above_report"]),
    ]


def facts(comparison: Comparison) -> str:
    """Return in one line what the models were tested on, and with how many seeds if it is the same number for all."""
    tags = comparison.newest.tags
    seeds = {len(group.runs) for group in comparison.groups}
    same = f", {_number(seeds.pop(), 'seed')} each" if len(seeds) == 1 else ""
    return (
        f"{_number(len(comparison.groups), 'model')} on {comparison.scheme}: log {tags['dataset']}, "
        f"digest {tags['digest']}, {len(comparison.folds)} folds, {comparison.rows:,} test rows{same}"
    )


def notes(comparison: Comparison) -> list[str]:
    """Return the notes that say how to read the table of models."""
    said = [
        "MSE and F1: mean over folds and seeds, with the standard deviation over seeds if there are several; ±folds: "
        "standard deviation over folds."
    ]
    if comparison.newest.tags["dataset"] == "simulated":
        said.append("CAUTION: the log is simulated; these figures say nothing about a real room.")
    if any(is_optimistic(group) for group in comparison.groups):
        said.append("CAUTION: protocol report stops early on the test rows, so its scores are optimistic.")
    if any(is_offline(group) for group in comparison.groups):
        said.append("(offline): these counts also depend on later rows, so they are not available in real time.")
    runs = [run for group in comparison.groups for run in group.runs]
    commits = {run.tags.get("mlflow.source.git.commit", "unknown")[:8] for run in runs}
    if len(commits) > 1:
        said.append(
            f"CAUTION: the runs are from {len(commits)} commits of this package ({', '.join(sorted(commits))}); a "
            "difference between seeds may come from a change of the code."
        )
    said += [_on_best(comparison), *_on_references(comparison)]
    if any(run.tags.get("selection") == "shared" for run in runs):
        said.append(
            "All folds of a model use the same settings, so in effect these were chosen on rows that some fold tests: "
            "all scores are optimistic to that extent."
        )
    said.append(
        "µs per row: time of one prediction of the whole log, divided by the number of test rows; like fit, it depends "
        "on the load of the machine."
    )
    return said


def _on_best(comparison: Comparison) -> str:
    """Return what the differences from the best model mean, or why there are none."""
    if comparison.best is None:
        return "There is no best model to compare with: each model is offline or was stopped on the test rows."
    if len(comparison.groups) == 1:
        return "There is no other model to compare with."
    runs = comparison.label_runs
    if runs < 2:
        return "The test rows have a single label run (stretch of one true count), so no interval can be computed."
    return (
        f"MSE above best: difference from {comparison.best.title!r}, averaged over folds, with a 95 % interval from "
        f"{DRAWS:,} bootstrap draws of the {runs} label runs (stretches of one true count) in the test rows. With "
        f"{runs} runs the interval is rough{' and rather too narrow' if runs < 100 else ''}, and the best model was "
        "found on the same rows."
    )


def _on_references(comparison: Comparison) -> list[str]:
    """Return what the references score, and which models are no better than the clock; nothing if no run says it."""
    groups = [group for group in comparison.groups if not math.isnan(group.mean("mse_nobody_pooled"))]
    if not groups:
        return []
    shares, clock = (
        f"MSE {shown(groups[0].mean(f'mse_{name}_pooled'))}, NLL {shown(groups[0].mean(f'nll_{name}_pooled'))}"
        for name in ("shares", "clock")
    )
    said = [
        f"skill: 1 - MSE / MSE of the clock (the counts of the hour), or of counting nobody, over the test rows of all "
        f"folds; above 0 is better than these. Nobody: MSE {shown(groups[0].mean('mse_nobody_pooled'))}; label shares: "
        f"{shares}; clock: {clock}."
    ]
    sensing = [group for group in groups if group.runs[0].tags["model"] not in _SENSORLESS]
    if worse := [group.title for group in sensing if group.mean("mse_pooled") >= group.mean("mse_clock_pooled")]:
        said.append(f"CAUTION: {', '.join(worse)}: the sensors of this room tell less than the clock.")
    return said


def left_out(comparison: Comparison) -> list[str]:
    """Return a line for each name and reason of the runs that were left out."""
    return [
        f"{out.name or 'a run without a name'} ({_number(out.runs, 'run')}): {out.reason}"
        for out in comparison.left_out
    ]


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _known(value: float | None) -> str:
    return "-" if value is None else shown(value)


def _signed(value: float | None) -> str:
    text = _known(value)
    return text if text[0] == "-" else f"+{text}"


def _mean(value: float, spread: float | None, with_spread: bool = True) -> str:
    """Return a mean, and below it its spread."""
    below = _known(spread)
    return f"{shown(value)}\n{below if below == '-' else f'±{below}'}" if with_spread else shown(value)
