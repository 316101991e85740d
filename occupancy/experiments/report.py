"""What an experiment gave, told to people (a table), to scripts (JSON) and to the MLflow page (Markdown)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from occupancy.arrays import Rows
from occupancy.cli.tables import jsonable, plain_table, shown
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.data.table import Log
from occupancy.execution.fold import FoldResult

SHOWN = ("mse", "f1_macro", "mse_mean", "f1_micro", "nll", "coverage_90", "latency_s")
"""The metrics that a person compares first; the record holds them all."""


@dataclass(frozen=True)
class Outcome:
    """What an experiment gave.

    Attributes:
        run_id: its parent run in MLflow.
        config: its settings as they were carried out.
        log: the log it was trained and tested on.
        results: one for each fold.
        metrics: every metric with ``_avg`` and ``_std`` over folds, and ``_pooled`` over all test rows.
        rooms: of a log of many rooms, a row for each, see `occupancy.experiments.room_scores.of_folds`.
    """

    run_id: str
    config: Config
    log: Log
    results: Sequence[FoldResult]
    metrics: Mapping[str, float]
    rooms: pd.DataFrame | None = None


def to_json(outcome: Outcome) -> str:
    """Return the outcome as one line of JSON; what could not be computed is null."""
    folds = [
        {"fold": result.fold.number, "rows": len(result.truth), "metrics": jsonable(result.metrics)}
        for result in outcome.results
    ]
    tree = {
        "run_id": outcome.run_id,
        "dataset": dataset(outcome.log),
        "protocol": outcome.config.protocol,
        "metrics": jsonable(outcome.metrics),
        "folds": folds,
    }
    if outcome.rooms is not None:
        tree["rooms"] = room_tree(outcome.rooms)
    return json.dumps(tree, allow_nan=False)


def closing_table(outcome: Outcome) -> RenderableType:
    """Return the table that ends a training: every fold, their average and spread, and where the record is."""
    config, log = outcome.config, outcome.log
    table = plain_table(f"{config.name} on {config.data.folds}, protocol {config.protocol}")
    for heading in ("fold", "test rows", "epochs", *(key.replace("_", "\n") for key in SHOWN)):
        table.add_column(heading, justify="right", overflow="fold")
    for result in outcome.results:
        scores = [shown(result.metrics[key]) for key in SHOWN]
        epochs = str(result.estimator.chosen_epochs or "-")
        table.add_row(str(result.fold.number), f"{len(result.truth):,}", epochs, *scores)
    table.add_section()
    rows = sum(len(result.truth) for result in outcome.results)
    for name, ending in (("mean", "avg"), ("std", "std"), ("pooled", "pooled")):
        scores = [shown(outcome.metrics[f"{key}_{ending}"]) for key in SHOWN]
        table.add_row(name, f"{rows:,}" if name == "pooled" else "", "", *scores)
    lines = [
        f"log      {log.name}, {len(log.frame):,} rows, digest {log.digest}",
        f"run      {outcome.run_id} in {config.tracking.shown_uri}",
        f"look     `python -m occupancy.ui tracking.uri={config.tracking.shown_uri}` (in a checkout: `make ui`)",
    ]
    if outcome.rooms is not None:
        lines.insert(1, f"rooms    {room_line(outcome.rooms)}")
    if log.family == "simulated":
        lines.insert(0, "CAUTION  the log is simulated: these figures say nothing about a real room")
    if config.protocol == "report":
        lines.insert(0, "CAUTION  protocol report stops early on the test rows: these figures are optimistic")
    # To be printed uncropped: a line rather leaves the screen than breaks where someone wants to copy it.
    return Group(table, Text("\n".join(lines), no_wrap=True, overflow="ignore"))


def description(outcome: Outcome) -> str:
    """Return the text of the run's page in MLflow: what was trained on what, and the table of the folds."""
    config, log = outcome.config, outcome.log
    scores = [
        (key, outcome.metrics[f"{key}_avg"], [result.metrics[key] for result in outcome.results]) for key in SHOWN
    ]
    # Scores go down, not across, for the page is narrow and shows its first lines alone until it is asked for more.
    folds = [str(result.fold.number) for result in outcome.results]
    rows = [
        f"{config.name}: {config.model.name}, protocol **{config.protocol}**, folds **{config.data.folds}**, "
        f"log **{log.name}** ({len(log.frame):,} rows, digest `{log.digest}`).",
        "",
        _markdown("fold", "mean", *folds),
        "| --- " * (len(folds) + 2) + "|",
        *(_markdown(key, f"**{shown(mean)}**", *map(shown, values)) for key, mean, values in scores),
        _markdown("test rows", "", *(f"{len(result.truth):,}" for result in outcome.results)),
    ]
    return "\n".join(rows)


def _markdown(*cells: str) -> str:
    return f"| {'&nbsp; | '.join(cells)} |"  # MLflow sets no space between columns


def fold_rows(folds: Sequence[Fold], classes: int) -> list[dict[str, Any]]:
    """Return rows and labels of each part of each fold, as plain values."""
    return [
        {
            "fold": fold.number,
            "part": part,
            "rows": int(mask.sum()),
            "labels": fold.labels(mask, classes).tolist(),
            **_extent(fold.log, mask),
        }
        for fold in folds
        for part, mask in (("train", fold.train), ("validation", fold.validation), ("test", fold.test))
    ]


def _extent(log: Log, mask: Rows) -> dict[str, Any]:
    """Return from when to when a part is, or which rooms it is, of whom several have the same times."""
    if log.rooms:
        return {"rooms": [place.name for place in log.rooms if mask[place.first : place.end].any()]}
    return {"first": str(log.times[mask][0]), "last": str(log.times[mask][-1])}


def fold_table(folds: Sequence[Fold], classes: int) -> Table:
    """Return rows and labels of each part of each fold as a table."""
    table = plain_table("folds")
    extent = "rooms" if folds[0].log.rooms else "first row\nlast row"
    for heading in ("fold", "part", "rows", *(f"label\n{label}" for label in range(classes)), extent):
        table.add_column(heading, justify="left" if heading == "part" else "right", overflow="fold")
    for row in fold_rows(folds, classes):
        labels = (f"{count:,}" for count in row["labels"])
        table.add_row(
            str(row["fold"]),
            row["part"],
            f"{row['rows']:,}",
            *labels,
            f"{len(row['rooms']):,}" if "rooms" in row else f"{row['first']}\n{row['last']}",
            end_section=row["part"] == "test",
        )
    return table


def plan_json(config: Config, log: Log, folds: Sequence[Fold]) -> str:
    """Return what would be trained as one line of JSON."""
    plan = {
        "config": config.shown(),
        "dataset": dataset(log),
        "folds": fold_rows(folds, config.data.max_count + 1),
    }
    return json.dumps(plan, allow_nan=False)


def room_tree(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rooms as plain values, as JSON has them: each with its metrics, or with its error."""
    told: list[dict[str, Any]] = []
    for row in table.to_dict("records"):
        about = {str(key): row.pop(key) for key in ("room", "fold", "rows") if key in row}
        error = row.pop("error", "")
        told.append(about | ({"error": error} if error else {"metrics": jsonable({str(k): v for k, v in row.items()})}))
    return told


def room_line(table: pd.DataFrame) -> str:
    """Return how the rooms did, in a line however many they are."""
    mse = table.set_index("room")["mse"]
    spread = f"mse mean {shown(mse.mean())}, median {shown(mse.median())}, worst {shown(mse.max())} ({mse.idxmax()})"
    return f"{len(mse):,}, {spread}; each is in the run's rooms.csv"


def dataset(log: Log) -> dict[str, Any]:
    """Return what a result says of its log, as plain values."""
    return {"name": log.name, "digest": log.digest, "rows": len(log.frame)}
