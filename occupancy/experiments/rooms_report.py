"""What a model per room gave, told to people (a summary, however many rooms), to scripts and to the MLflow page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType

from occupancy.cli.format import heading, plain_lines, plain_table, shown
from occupancy.experiments.plan import Plan
from occupancy.experiments.report import SHOWN, cautions, record_lines, reference_cells
from occupancy.experiments.result import Result
from occupancy.experiments.room_scores import ERROR, ROOM, ROWS, worst

_WORST, _FAILED = 5, 3  # rooms that are told of by name


def closing_table(result: Result) -> RenderableType:
    """Return the table that ends a training: the scores over all rooms, the worst rooms, and where the record is."""
    plan, table = result.plan, _rooms(result)
    scored = table[table[ROWS] > 0]
    grid = plain_table(f"{plan.config.name}: a model for each of {len(table):,} rooms, below the worst of them")
    grid.add_column("room", overflow="fold")
    for title in ("test\nrows", *map(heading, SHOWN)):
        grid.add_column(title, justify="right", no_wrap=True)
    for ending, name in (("avg", "mean"), ("std", "std")):
        grid.add_row(name, "", *(shown(result.metrics[f"{key}_{ending}"]) for key in SHOWN))
    grid.add_row("median", "", *(shown(float(scored[key].median())) for key in SHOWN), end_section=True)
    for row in worst(table, _WORST).to_dict("records"):
        grid.add_row(row[ROOM], f"{row[ROWS]:,}", *(shown(row[key]) for key in SHOWN))
    grid.add_section()
    for name, scores in reference_cells(result.metrics, "avg"):
        grid.add_row(f"mean, {name}", "", *scores)
    digest = plan.dataset["digest"]
    lines = [
        *cautions(result),
        *failed_lines(table),
        f"rooms    {plan.dataset['name']}, {result.rows:,} rows, digest {digest}; each is in the run's rooms.csv",
        *record_lines(plan.config, result.run_id),
    ]
    if plan.config.protocol == "report":
        lines.insert(0, "CAUTION  protocol report stops early on the test rows: these figures are optimistic")
    return Group(grid, plain_lines(lines))


def failed_lines(table: pd.DataFrame) -> list[str]:
    """Return the reasons of the first rooms without scores, a line each, and how many more there are."""
    failed = table[table[ERROR] != ""]
    lines = [f"failed   {row[ROOM]}: {row[ERROR]}" for row in failed.head(_FAILED).to_dict("records")]
    more = len(failed) - len(lines)
    return [*lines, f"failed   and {more:,} more rooms"] if more else lines


def description(result: Result) -> str:
    """Return the text of the run's page in MLflow."""
    plan, table = result.plan, _rooms(result)
    names = worst(table, _WORST)
    rows = [
        f"{plan.config.name}: {plan.config.model.name}, a model for each of {len(table):,} rooms of "
        f"**{plan.dataset['name']}**, protocol **{plan.config.protocol}**; all rooms are in `rooms.csv`.",
        "",
        *(f"{line}\n" for line in cautions(result)),
        "| | " + " | ".join(SHOWN) + " |",
        "| --- " * (len(SHOWN) + 1) + "|",
        "| **mean of rooms** | " + " | ".join(shown(result.metrics[f"{key}_avg"]) for key in SHOWN) + " |",
        *(f"| mean, {name} | " + " | ".join(cells) + " |" for name, cells in reference_cells(result.metrics, "avg")),
        *(
            f"| worst: {row[ROOM]} | " + " | ".join(shown(row[key]) for key in SHOWN) + " |"
            for row in names.to_dict("records")
        ),
        "",
        *failed_lines(table),
    ]
    return "\n".join(rows)


def plan_tree(plan: Plan, checked: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what would be trained as plain values: the settings, and each room's rows or its problem."""
    return {"config": plan.config.shown(), "dataset": {**plan.dataset, "rows": _rows(checked)}, "rooms": list(checked)}


def plan_lines(plan: Plan, checked: Sequence[dict[str, Any]]) -> RenderableType:
    """Return what would be trained, and the rooms that would fail."""
    failed = failed_lines(pd.DataFrame([{ROOM: each[ROOM], ERROR: each.get(ERROR, "")} for each in checked]))
    of = f"{plan.dataset['name']}, {_rows(checked):,} rows, digest {plan.dataset['digest']}"
    return plain_lines([*failed, f"rooms    {len(checked):,} in {of}"])


def _rooms(result: Result) -> pd.DataFrame:
    assert result.rooms is not None, "there is a row a room"
    return result.rooms


def _rows(checked: Sequence[dict[str, Any]]) -> int:
    return sum(value for each in checked for key, value in each.items() if key not in {ROOM, ERROR})
