"""What a model per room gave, told to people (a summary, however many rooms), to scripts and to the MLflow page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from occupancy.cli.tables import jsonable, plain_table, shown
from occupancy.experiments.report import SHOWN, room_tree
from occupancy.experiments.room_scores import ERROR, ROOM, ROWS, worst

if TYPE_CHECKING:
    from occupancy.experiments.rooms import Plan, Result

_WORST, _FAILED = 5, 3  # rooms that are told of by name


def closing_table(result: Result) -> RenderableType:
    """Return the table that ends a training: the scores over all rooms, the worst rooms, and where the record is."""
    plan, table = result.plan, result.table
    scored = table[table[ROWS] > 0]
    grid = plain_table(f"{plan.config.name}: a model for each of {len(table):,} rooms, below the worst of them")
    grid.add_column("room", overflow="fold")
    for heading in ("test rows", *(key.replace("_", "\n") for key in SHOWN)):
        grid.add_column(heading, justify="right", overflow="fold")
    for ending, name in (("avg", "mean"), ("std", "std")):
        grid.add_row(name, "", *(shown(result.metrics[f"{key}_{ending}"]) for key in SHOWN))
    grid.add_row("median", "", *(shown(float(scored[key].median())) for key in SHOWN), end_section=True)
    for row in worst(table, _WORST).to_dict("records"):
        grid.add_row(row[ROOM], f"{row[ROWS]:,}", *(shown(row[key]) for key in SHOWN))
    config = plan.config
    lines = [
        *failed_lines(table),
        f"rooms    {plan.name}, {result.rows:,} rows, digest {plan.digest}; each room is in the run's rooms.csv",
        f"run      {result.run_id} in {config.tracking.shown_uri}",
        f"look     `python -m occupancy.ui tracking.uri={config.tracking.shown_uri}` (in a checkout: `make ui`)",
    ]
    if config.protocol == "report":
        lines.insert(0, "CAUTION  protocol report stops early on the test rows: these figures are optimistic")
    return Group(grid, Text("\n".join(lines), no_wrap=True, overflow="ignore"))


def failed_lines(table: pd.DataFrame) -> list[str]:
    """Return the reasons of the first rooms without scores, a line each, and how many more there are."""
    failed = table[table[ERROR] != ""]
    lines = [f"failed   {row[ROOM]}: {row[ERROR]}" for row in failed.head(_FAILED).to_dict("records")]
    more = len(failed) - len(lines)
    return [*lines, f"failed   and {more:,} more rooms"] if more else lines


def to_json(result: Result) -> str:
    """Return the result as one line of JSON; what could not be computed is null."""
    plan = result.plan
    return json.dumps(
        {
            "run_id": result.run_id,
            "dataset": {"name": plan.name, "digest": plan.digest, "rows": result.rows},
            "protocol": plan.config.protocol,
            "metrics": jsonable(result.metrics),
            "rooms": room_tree(result.table),
        },
        allow_nan=False,
    )


def description(result: Result) -> str:
    """Return the text of the run's page in MLflow."""
    plan, table = result.plan, result.table
    names = worst(table, _WORST)
    rows = [
        f"{plan.config.name}: {plan.config.model.name}, a model for each of {len(table):,} rooms of **{plan.name}**, "
        f"protocol **{plan.config.protocol}**; all rooms are in `rooms.csv`.",
        "",
        "| | " + " | ".join(SHOWN) + " |",
        "| --- " * (len(SHOWN) + 1) + "|",
        "| **mean of rooms** | " + " | ".join(shown(result.metrics[f"{key}_avg"]) for key in SHOWN) + " |",
        *(
            f"| worst: {row[ROOM]} | " + " | ".join(shown(row[key]) for key in SHOWN) + " |"
            for row in names.to_dict("records")
        ),
        "",
        *failed_lines(table),
    ]
    return "\n".join(rows)


def plan_json(plan: Plan, checked: Sequence[dict[str, Any]]) -> str:
    """Return what would be trained as one line of JSON: the settings, and each room's rows or its problem."""
    dataset = {"name": plan.name, "digest": plan.digest, "rows": _rows(checked)}
    return json.dumps({"config": plan.config.shown(), "dataset": dataset, "rooms": list(checked)}, allow_nan=False)


def plan_lines(plan: Plan, checked: Sequence[dict[str, Any]]) -> RenderableType:
    """Return what would be trained, and the rooms that would fail."""
    failed = failed_lines(pd.DataFrame([{ROOM: each[ROOM], ERROR: each.get(ERROR, "")} for each in checked]))
    lines = [*failed, f"rooms    {len(checked):,} in {plan.name}, {_rows(checked):,} rows, digest {plan.digest}"]
    return Group(Text("\n".join(lines), no_wrap=True, overflow="ignore"))


def _rows(checked: Sequence[dict[str, Any]]) -> int:
    return sum(value for each in checked for key, value in each.items() if key not in {ROOM, ERROR})
