"""What was understood of a log, as a table for people and as plain values for programs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from occupancy.cli.format import plain_table
from occupancy.setup.documents import scheme_tree
from occupancy.setup.survey import Survey

_NAME_WIDTH, _KIND_WIDTH, _UNIT_WIDTH = 34, 11, 8
_MOST_LABELS = 12  # that the summary lists


def report(survey: Survey) -> Group:
    """Return what was understood of a log, for a terminal of 80 columns or more."""
    parts: list[RenderableType] = [_columns(survey), _summary(survey)]
    if survey.checks:
        parts.append(Text("\ncheck:", style="bold"))
        parts += [Padding(_listed(check), (0, 0, 0, 2)) for check in survey.checks]
    return Group(*parts)


def _columns(survey: Survey) -> Table:
    table = plain_table("")
    table.title = None
    table.add_column("column", max_width=_NAME_WIDTH, overflow="fold")
    table.add_column("kind", max_width=_KIND_WIDTH)
    table.add_column("unit", max_width=_UNIT_WIDTH, overflow="fold")
    table.add_column("why", overflow="fold")
    for column in survey.columns:
        kind = {"sensor": column.kind, "time": "time", "count": "count", "ignored": "left out"}[column.role]
        style = {"count": "bold", "ignored": "dim"}.get(column.role, "")
        mark = " (check)" if column.check else ""
        unit = "" if column.role == "ignored" else column.unit
        table.add_row(Text(column.name), kind, Text(unit), Text(f"{column.why}{mark}"), style=style)
    return table


def _summary(survey: Survey) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for heading, value in _facts(survey).items():
        grid.add_row(heading, Text(value))
    return grid


def _facts(survey: Survey) -> dict[str, str]:
    log = survey.log
    counts = log.frame[log.schema.count].to_numpy(float)
    known = ~np.isnan(counts)
    shares = log.missing.mean().sort_values(ascending=False)
    holes = ", ".join(f"{name} {share:.1%}" for name, share in shares[shares > 0].head(4).items())
    gaps = int((np.diff(log.times.to_numpy()) / np.timedelta64(1, "s") > log.max_gap).sum())
    facts = {
        "rows": f"{len(log.frame):,}, {log.times[0]} to {log.times[-1]}",
        "step": survey.rhythm.why,
        "time zone": survey.zone.why,
        "people": _labels(counts[known]),
        "not counted": "no row" if known.all() else f"{(~known).sum():,} rows ({(~known).mean():.0%}), kept as history",
        "holes": f"{holes or 'no missing readings'}; {gaps:,} gaps over {log.max_gap:g} s",
        "folds": "\n".join(
            _fold(number, parts) for number, parts in enumerate(scheme_tree(survey.name, survey.folds)["folds"], 1)
        ),
        "model": "\n".join([survey.choice.name, *survey.choice.reasons]),
    }
    if survey.notes:
        facts["read"] = "\n".join(survey.notes)
    return facts


def _labels(counts: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    rows = sorted(Counter(counts.astype(int).tolist()).items())
    listed = ", ".join(f"{people}: {number:,}" for people, number in rows[:_MOST_LABELS])
    more = f", ... up to {rows[-1][0]}" if len(rows) > _MOST_LABELS else ""
    return f"rows of {listed}{more}"


def _fold(number: int, parts: dict[str, list[list[str]]]) -> str:
    start, end = parts["test"][0]
    return f"{number}: train to {start}, test to {end}"


def _listed(check: str) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_row("-", Text(check))
    return grid


def to_tree(survey: Survey) -> dict[str, Any]:
    """Return what was understood of a log as plain values."""
    counts = survey.log.frame[survey.log.schema.count]
    return {
        "name": survey.name,
        "files": list(survey.files),
        "rows": len(survey.log.frame),
        "first": str(survey.log.times[0]),
        "last": str(survey.log.times[-1]),
        "columns": [
            {key: getattr(column, key) for key in ("name", "role", "kind", "unit", "why", "check")}
            for column in survey.columns
        ],
        "data": survey.data,
        "labelled": int(counts.notna().sum()),
        "folds": scheme_tree(survey.name, survey.folds)["folds"],
        "features": survey.choice.features,
        "model": survey.choice.model,
        "notes": list(survey.notes),
        "checks": list(survey.checks),
    }
