"""The figures of each group of runs as plain values: JSON for scripts, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from typing import Any

from occupancy.comparison.bootstrap import DRAWS
from occupancy.comparison.groups import Comparison, Group, is_offline, is_optimistic
from occupancy.comparison.report import REPORT, row_of
from occupancy.execution.references import MEANS, SKILLS
from occupancy.files import text_cell


def values(group: Group) -> dict[str, Any]:
    """Return the figures of a group by key; NaN: unknown."""
    return {
        "model": group.name,
        "variant": group.variant,
        "protocol": group.protocol,
        "optimistic": is_optimistic(group),
        "offline": is_offline(group),
        "config_key": group.runs[0].tags["config_key"],
        "seeds": [int(run.params["seed"]) for run in group.runs],
        "run_ids": [run.run_id for run in group.runs],
        "mse": group.mean("mse_avg"),
        "mse_std_seeds": group.spread("mse_avg"),
        "mse_std_folds": group.mean("mse_std"),
        "f1_macro": group.mean("f1_macro_avg"),
        "f1_macro_std_seeds": group.spread("f1_macro_avg"),
        "f1_macro_pooled": group.mean("f1_macro_pooled"),
        "nll": group.mean("nll_avg"),
        "coverage_90": group.mean("coverage_90_avg"),
        **{f"{key}_pooled": group.mean(f"{key}_pooled") for key in ("mse", *MEANS, *SKILLS)},
        "mse_above_best": group.difference,
        "mse_above_best_low": group.low,
        "mse_above_best_high": group.high,
        "fit_s": group.mean("fit_s"),
        "predict_us": group.mean("predict_us"),
        "parameters": group.mean("parameters"),
        "test_rows": sum(len(rows.truth) for rows in group.parts[0]),
    }


def report_values(group: Group) -> dict[str, Any]:
    """Return the report's figures for the model of a group, and the differences of ours from them; None: no figure."""
    key = row_of(group.runs[0])
    reported = REPORT[key] if key else None
    ours = {name: group.mean(f"{name}_avg") for name in ("mse", "f1_macro", "f1_macro_all")}
    theirs = (
        {} if reported is None else {"mse": reported.mse, **dict.fromkeys(ours.keys() - {"mse"}, reported.f1_macro)}
    )
    return {
        "report_row": key,
        "report_mse": theirs.get("mse"),
        "report_f1_macro": theirs.get("f1_macro"),
        "f1_macro_all": ours["f1_macro_all"],
        **{f"{name}_above_report": ours[name] - theirs[name] if theirs else None for name in ours},
    }


def to_json(comparison: Comparison, with_report: bool) -> str:
    """Return the comparison as one line of JSON; null: unknown."""
    tags = comparison.newest.tags
    return json.dumps(
        {
            "scheme": comparison.scheme,
            "folds_digest": tags["folds_digest"],
            "dataset": {"name": tags["dataset"], "digest": tags["digest"]},
            "folds": [{"fold": rows.number, "rows": len(rows.truth)} for rows in comparison.folds],
            "test_rows": comparison.rows,
            "label_runs": comparison.label_runs,
            "draws": DRAWS,
            "best": None if comparison.best is None else comparison.groups.index(comparison.best),
            "models": [_known(row) for row in _told(comparison, with_report)],
            "left_out": [{"name": out.name, "runs": out.runs, "reason": out.reason} for out in comparison.left_out],
        },
        allow_nan=False,
    )


def to_csv(comparison: Comparison, with_report: bool) -> str:
    """Return a CSV line for each group below the header; empty: unknown; the items of lists are separated by spaces."""
    told = _told(comparison, with_report)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(told[0]), lineterminator="\n")
    writer.writeheader()
    for row in told:
        joined = {key: " ".join(map(str, value)) for key, value in row.items() if isinstance(value, list)}
        writer.writerow({key: text_cell(value) for key, value in {**_known(row), **joined}.items()})
    return text.getvalue()


def _told(comparison: Comparison, with_report: bool) -> list[dict[str, Any]]:
    return [{**values(group), **(report_values(group) if with_report else {})} for group in comparison.groups]


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
