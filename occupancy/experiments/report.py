"""What an experiment gave, told to people (a table), to scripts (JSON) and to the MLflow page (Markdown)."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table

from occupancy.arrays import Rows
from occupancy.cli.format import heading, jsonable, plain_lines, plain_table, shown
from occupancy.config import Clock, Config, Majority, Mixture, Tracking
from occupancy.data.folds import Fold, final_fold
from occupancy.data.log import Log
from occupancy.execution.references import MEANS, REFERENCES
from occupancy.experiments.plan import Plan
from occupancy.experiments.result import Result
from occupancy.models.inputs import columns_unused
from occupancy.models.mixture import knows_hour
from occupancy.models.postprocess.calibration import MOST_EXCESS
from occupancy.models.postprocess.out_of_fold import days_with_people

SHOWN = ("mse", "f1_macro", "mse_mean", "f1_micro", "nll", "coverage_90", "latency_s")
"""The metrics that a person compares first; the record holds them all."""
_NAMES = {"nobody": "counting nobody", "shares": "the label shares", "clock": "the clock"}
_LISTED = 8  # columns that a line lists
_SINGLE_LABELS, _LABEL_RANGES = 8, 4  # most labels with a column each, and columns of more labels


def to_tree(result: Result) -> dict[str, Any]:
    """Return the result as plain values; what could not be computed is None."""
    plan = result.plan
    tree: dict[str, Any] = {
        "run_id": result.run_id,
        "dataset": {**plan.dataset, "rows": result.rows},
        "protocol": plan.config.protocol,
        "metrics": jsonable(result.metrics),
    }
    if plan.log is not None:
        tree["folds"] = [
            {"fold": fold.number, "rows": fold.rows, "metrics": jsonable(fold.metrics)} for fold in result.folds
        ]
        tree["model"] = result.model
    return tree if result.rooms is None else {**tree, "rooms": room_tree(result.rooms)}


def to_json(result: Result) -> str:
    """Return the result as one line of JSON."""
    return json.dumps(to_tree(result), allow_nan=False)


def closing_table(result: Result) -> RenderableType:
    """Return the table that ends a training: every fold, averages and references, and where the record is."""
    config = result.plan.config
    table = plain_table(f"{config.name} on {config.data.folds}, protocol {config.protocol}")
    has_epochs = any(fold.epochs for fold in result.folds)
    headings = ("fold", "test\nrows", *(["epochs"] if has_epochs else []), *map(heading, SHOWN))
    for title in headings:
        table.add_column(title, justify="right", no_wrap=True)
    for fold in result.folds:
        epochs = [str(fold.epochs)] if has_epochs else []
        table.add_row(str(fold.number), f"{fold.rows:,}", *epochs, *(shown(fold.metrics[key]) for key in SHOWN))
    table.add_section()
    rows = sum(fold.rows for fold in result.folds)
    for name, ending in (("mean", "avg"), ("std", "std"), ("pooled", "pooled")):
        scores = [shown(result.metrics[f"{key}_{ending}"]) for key in SHOWN]
        table.add_row(name, f"{rows:,}" if name == "pooled" else "", *([""] if has_epochs else []), *scores)
    table.add_section()
    for name, scores in reference_cells(result.metrics, "pooled"):
        table.add_row(name, "", *([""] if has_epochs else []), *scores)
    return Group(table, plain_lines(closing_lines(result)))


def closing_lines(result: Result) -> list[str]:
    """Return what follows the table: cautions, the log, the record, and how to use the model."""
    plan, config = result.plan, result.plan.config
    lines = []
    if config.protocol == "report":
        lines.append("CAUTION  protocol report stops early on the test rows: these figures are optimistic")
    if plan.is_simulated:
        lines.append("CAUTION  the log is simulated: these figures say nothing about a real room")
    lines += cautions(result)
    lines.append(f"log      {plan.dataset['name']}, {result.rows:,} rows, digest {plan.dataset['digest']}")
    lines += unused_lines(plan) + waiting_lines(plan)
    if result.rooms is not None:
        lines.append(f"rooms    {room_line(result.rooms)}")
    return [*lines, *record_lines(config, result.run_id), *_use(result)]


def reference_cells(metrics: Mapping[str, float], ending: str) -> list[tuple[str, list[str]]]:
    """Return the name of each reference and a cell for each of `SHOWN`, empty where the reference has no such score.

    Args:
        metrics: those of a result.
        ending: which of them, ``avg`` or ``pooled``.
    """
    keys = [(name, [f"{key}_{name}_{ending}" for key in SHOWN]) for name in REFERENCES]
    return [(name, [shown(metrics[key]) if key in metrics else "" for key in of]) for name, of in keys]


def cautions(result: Result) -> list[str]:
    """Return a line for each reference that the model does not beat by its pooled MSE, and for a broken promise."""
    config, metrics = result.plan.config, result.metrics
    lines = []
    if not isinstance(config.model, Majority | Clock):
        where = "this room" if result.rooms is None else "these rooms"
        worse = [name for name in REFERENCES if metrics["mse_pooled"] >= metrics.get(f"mse_{name}_pooled", math.nan)]
        lines += [f"CAUTION  {config.name}: the sensors of {where} tell less than {_NAMES[name]}" for name in worse]
    asked = math.inf if config.calibration is None else config.calibration.answered_mse
    if (found := metrics.get("mse_answered_pooled", math.nan)) > MOST_EXCESS * asked:
        share = metrics["answered_pooled"]
        lines.append(f"CAUTION  answered_mse: asked for {asked:g}, got {found:.3f} in the {share:.0%} of rows answered")
    return lines


def unused_lines(plan: Plan) -> list[str]:
    """Return which sensors of the log the model does not read, in a line, if there are some."""
    if plan.log is None:
        return []
    named = [column.name for column in columns_unused(plan.config, plan.log.schema) if column.name in plan.log.frame]
    if not named:
        return []
    more = f" and {len(named) - _LISTED} more" if len(named) > _LISTED else ""
    return [f"unused   {', '.join(named[:_LISTED])}{more}: {plan.config.model.name} does not read them"]


def waiting_lines(plan: Plan) -> list[str]:
    """Return which members of a mixture are not in the models of some folds, in a line, if there are some."""
    config, settings = plan.config, plan.config.model
    if plan.log is None or not isinstance(settings, Mixture):
        return []
    days = [days_with_people(fold, fold.learned(validation=config.learns_validation)) for fold in plan.folds]
    hour = [member.name for member in settings.members if knows_hour(member)]
    without = [str(fold.number) for fold, known in zip(plan.folds, days, strict=True) if known < settings.rhythm_days]
    if not without or not hour or len(hour) == len(settings.members):
        return []
    if len(without) < len(plan.folds):
        where = f"not in fold{'s' if len(without) > 1 else ''} {', '.join(without)}"
    elif config.has_final and _final_days(plan) >= settings.rhythm_days:
        where = "only in the model to use"
    else:
        where = "not in any model"
    need = "needs" if len(hour) == 1 else "need"
    return [f"waiting  {', '.join(hour)} {need} {settings.rhythm_days} days with people: {where}"]


def _final_days(plan: Plan) -> int:
    """Return how many days with people the model to use learns."""
    final = final_fold(plan.folds)
    return days_with_people(final, final.learned(validation=True))


def record_lines(config: Config, run_id: str) -> list[str]:
    """Return where the record of a run is, and how to look at it."""
    store = config.tracking.shown_uri
    where = "" if store == Tracking().uri else f" {quote(f'tracking.uri={store}')}"
    return [f"run      {run_id} in {store}", f"look     occupancy ui{where}"]


def _use(result: Result) -> list[str]:
    """Return how to use the model, in a line that can be pasted."""
    config = result.plan.config
    if not config.has_final:
        return []
    store = config.tracking.shown_uri
    where = "" if store == Tracking().uri else f" {quote(f'tracking.uri={store}')}"
    model = f"--run {result.run_id}" if result.model is None else f"--model {result.model}"
    return [f"use      occupancy predict {model} --csv my_sensors.csv{where}"]


def description(result: Result) -> str:
    """Return the text of the run's page in MLflow: what was trained on what, cautions, and the table of the folds."""
    plan, config = result.plan, result.plan.config
    keys = (*SHOWN, *MEANS)  # and no skills, which may be wide: the table is to fit a phone
    scores = [(key, result.metrics[f"{key}_avg"], [fold.metrics[key] for fold in result.folds]) for key in keys]
    # Scores go down, not across: the page is narrow and shows only its first lines until it is asked for more.
    folds = [str(fold.number) for fold in result.folds]
    rows = [
        f"{config.name}: {config.model.name}, protocol **{config.protocol}**, folds **{config.data.folds}**, "
        f"log **{plan.dataset['name']}** ({result.rows:,} rows, digest `{plan.dataset['digest']}`).",
        "",
        *(f"{line}\n" for line in cautions(result)),
        _markdown("fold", "mean", *folds),
        "| --- " * (len(folds) + 2) + "|",
        *(_markdown(key, f"**{shown(mean)}**", *map(shown, values)) for key, mean, values in scores),
        _markdown("test rows", "", *(f"{fold.rows:,}" for fold in result.folds)),
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
    """Return the first and last time of a part; or its rooms, several of which may have the same times."""
    if log.rooms:
        return {"rooms": [place.name for place in log.rooms if mask[place.first : place.end].any()]}
    return {"first": str(log.times[mask][0]), "last": str(log.times[mask][-1])}


def fold_table(folds: Sequence[Fold], classes: int) -> Table:
    """Return rows and labels of each part of each fold as a table; of many labels, in ranges that fit into a line."""
    table = plain_table("folds")
    columns = classes if classes <= _SINGLE_LABELS else _LABEL_RANGES
    edges = np.linspace(0, classes, columns + 1).round().astype(int)
    named = [f"{low}" if high - low == 1 else f"{low}-{high - 1}" for low, high in itertools.pairwise(edges)]
    extent = "rooms" if folds[0].log.rooms else "first row\nlast row"
    for title in ("fold", "part", "rows", *(f"label\n{label}" for label in named), extent):
        table.add_column(title, justify="left" if title == "part" else "right", overflow="fold")
    for row in fold_rows(folds, classes):
        labels = (f"{count:,}" for count in np.add.reduceat(row["labels"], edges[:-1]))
        table.add_row(
            str(row["fold"]),
            row["part"],
            f"{row['rows']:,}",
            *labels,
            f"{len(row['rooms']):,}" if "rooms" in row else f"{row['first']}\n{row['last']}",
            end_section=row["part"] == "test",
        )
    return table


def plan_table(plan: Plan) -> Group:
    """Return what would be trained: the table of the folds, and the sensors that are not read."""
    table = fold_table(plan.folds, plan.config.data.max_count + 1)
    return Group(table, plain_lines(unused_lines(plan) + waiting_lines(plan)))


def plan_tree(plan: Plan) -> dict[str, Any]:
    """Return what would be trained as plain values."""
    rows = fold_rows(plan.folds, plan.config.data.max_count + 1)
    return {"config": plan.config.shown(), "dataset": dict(plan.dataset), "folds": rows}


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
