"""What a search gave, told to people (a table) and to scripts (JSON)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from occupancy.cli.format import jsonable, plain_table, shown
from occupancy.execution.unit import Scores
from occupancy.experiments.report import SHOWN
from occupancy.search.choice import mean_of
from occupancy.search.plan import SearchPlan
from occupancy.search.result import Result, Tested
from occupancy.search.space import written

_TESTED = ("mse", "f1_macro", "mse_mean", "f1_micro")
OPTIMISTIC = "optimistic: one setting for all folds, chosen on validation rows that other folds test"


def table(result: Result) -> RenderableType:
    """Return the table that ends a search: each fold's own choice and its test, their mean, and the shared choice."""
    plan = result.plan
    metric = plan.search.metric
    grid = plain_table(f"{plan.config.name} on {plan.config.data.folds}: {_size(plan)}, chosen by validation {metric}")
    grid.add_column("room" if plan.rooms else "fold", justify="right", overflow="fold")
    for key in plan.search.over:
        grid.add_column(key.replace(".", "\n"), justify="right", overflow="fold")
    for heading in (f"validation\n{metric}", *(f"test\n{key}" for key in _TESTED)):
        grid.add_column(heading, justify="right")
    for one in result.nested:
        grid.add_row(
            plan.rooms.get(one.fold, str(one.fold)),
            *map(_brief, one.trial.setting.values()),
            *_cells(one.validation, [one]),
        )
    grid.add_section()
    _add_mean(grid, "mean", ["" for _ in plan.search.over], result.nested)
    if result.shared:
        grid.add_section()
        _add_mean(grid, "shared", map(_brief, result.shared[0].trial.setting.values()), result.shared)
    return Group(grid, Text("\n".join(_lines(result)), no_wrap=True, overflow="ignore"))


def to_json(result: Result) -> str:
    """Return the result as one line of JSON; what could not be computed is null."""
    plan = result.plan
    tree = {
        "run_id": result.run_id,
        "dataset": plan.base.dataset,
        "metric": plan.search.metric,
        "trials": plan.method.trials_per_fold,
        "failed": [
            {"trial": trial, "name": _name(result, trial, fold), "fold": fold, "error": failure.error}
            for (trial, fold), failure in sorted(result.failures.items())
        ],
        "nested": _tree(plan, result.nested),
        "shared": {"selection": "shared", "optimistic": not plan.rooms, **_tree(plan, result.shared)}
        if result.shared
        else None,
    }
    return json.dumps(tree, allow_nan=False)


def plan_table(plan: SearchPlan) -> RenderableType:
    """Return what a search would do."""
    grid = plain_table(f"{plan.config.name} on {plan.config.data.folds}: {_size(plan)}")
    grid.add_column("key")
    grid.add_column("values", overflow="fold")
    for key, values in plan.search.over.items():
        grid.add_row(key, ", ".join(map(written, values)) if isinstance(values, list) else str(values))
    return Group(grid, Text(_after(plan)))


def plan_json(plan: SearchPlan) -> str:
    """Return what a search would do as one line of JSON."""
    settings = {"config": plan.config.shown(), "search": plan.search.model_dump(), "dataset": plan.base.dataset}
    size = {"trials": plan.method.trials_per_fold, "units": plan.fits, "crossings": plan.crossings}
    size["tests"] = 2 * len(plan.base.sources)
    return json.dumps({**settings, **size})


def _brief(value: Any) -> str:
    """Return a value in a column's width; what a study took from a range has digits enough to fill the table."""
    return f"{value:.3g}" if isinstance(value, float) else written(value)


def _size(plan: SearchPlan) -> str:
    return plan.method.size(len(plan.base.sources))


def _after(plan: SearchPlan) -> str:
    tests = f"then up to {2 * len(plan.base.sources)} fits to test what each fold chooses, and what all choose together"
    crossed = f"then up to {plan.crossings:,} fits to try what each fold chooses on the other folds\n"
    return (crossed if plan.crossings else "") + tests


def _add_mean(grid: Table, name: str, setting: Iterable[str], tested: Sequence[Tested]) -> None:
    grid.add_row(name, *setting, *_cells(float(np.mean([one.validation for one in tested])), tested))


def _cells(validation: float, tested: Sequence[Tested]) -> list[str]:
    means = mean_of([one.outcome for one in tested], _TESTED)
    return [shown(validation), *(shown(means[key]) for key in _TESTED)]


def _lines(result: Result) -> list[str]:
    plan = result.plan
    uri = plan.tracking.shown_uri
    lines = [f"shared   {OPTIMISTIC}"] if result.shared and not plan.rooms else []
    if result.failures:
        (trial, fold), first = min(result.failures.items())
        name = _name(result, trial, fold)
        lines.append(f"failed   {len(result.failures):,} fits, the first {name} on fold {fold}: {first.error}")
    broken = [f"failed   the test of fold {one.fold}" for one in result.nested if not isinstance(one.outcome, Scores)]
    size = f"{len(plan.rooms):,} rooms" if plan.rooms else f"{plan.base.dataset['rows']:,} rows"
    lines += [*broken, f"log      {plan.base.dataset['name']}, {size}, digest {plan.base.dataset['digest']}"]
    lines.append(f"run      {result.run_id} in {uri}, experiment {plan.tracking.experiment}")
    if result.was_finished:
        lines.append("done     this search was finished before; nothing was run")
    if plan.base.is_simulated:
        lines.insert(0, "CAUTION  the log is simulated: these figures say nothing about a real room")
    return lines


def _name(result: Result, trial: int, fold: int) -> str:
    """Return what the run of a trial is called; a number that all folds share stands for the choice of one of them."""
    shared = result.plan.method.candidates({one.fold: one.trial for one in result.nested})
    return {one.number: one.name for one in shared}.get(trial, f"fold {fold} trial {trial}")


def _tree(plan: SearchPlan, tested: Sequence[Tested]) -> dict[str, Any]:
    means = mean_of([one.outcome for one in tested], SHOWN)
    folds = [
        {"fold": one.fold, "trial": one.trial.number, "name": one.trial.name, "values": one.trial.setting}
        | ({"room": plan.rooms[one.fold]} if plan.rooms else {})
        | {"validation": jsonable({"": one.validation})[""], "metrics": jsonable(mean_of([one.outcome], SHOWN))}
        for one in tested
    ]
    return {"metrics": jsonable({f"{key}_avg": value for key, value in means.items()}), "folds": folds}
