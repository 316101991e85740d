"""What several experiments gave: a row a config, averaged over its seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Group, RenderableType

from occupancy.cli.format import heading, jsonable, plain_lines, plain_table, shown
from occupancy.execution.unit import Failure
from occupancy.experiments.plan import Plan
from occupancy.experiments.report import SHOWN, record_lines, to_tree
from occupancy.experiments.result import Result

Given = Sequence[tuple[Plan, Result | Failure]]
"""Experiments, and what they gave."""


def table(given: Given) -> RenderableType:
    """Return a row a config: how many seeds, and each score as mean and standard deviation over them."""
    first = given[0][0].config
    grid = plain_table(f"{len(given)} experiments on {first.data.folds}: means over folds, averaged over seeds")
    grid.add_column("config", overflow="fold")
    for title in ("seeds", *map(heading, SHOWN)):
        grid.add_column(title, justify="right", no_wrap=True)
    for name, results in _by_config(given).items():
        means, spreads = _over_seeds(results)
        grid.add_row(name, str(len(results)), *(shown(means.get(key, math.nan)) for key in SHOWN))
        if len(results) > 1:
            grid.add_row("", "", *(f"±{shown(spreads.get(key, math.nan))}" for key in SHOWN))
    failed = [f"failed   {plan.title}: {one.error}" for plan, one in given if isinstance(one, Failure)]
    done = [one for _, one in given if isinstance(one, Result)]
    where = record_lines(first, done[-1].run_id)[1:] if done else []
    return Group(grid, plain_lines([*failed, *where]))


def to_json(given: Given) -> str:
    """Return all results and the scores over seeds as one line of JSON; what could not be computed is null."""
    experiments = [
        {"name": plan.config.name, "seed": plan.config.seed}
        | ({"error": one.error} if isinstance(one, Failure) else to_tree(one))
        for plan, one in given
    ]
    configs = []
    for name, results in _by_config(given).items():
        means, spreads = _over_seeds(results)
        seeds = [result.plan.config.seed for result in results]
        configs.append({"name": name, "seeds": seeds, "mean": jsonable(means), "std": jsonable(spreads)})
    return json.dumps({"experiments": experiments, "configs": configs}, allow_nan=False)


def _by_config(given: Given) -> Mapping[str, list[Result]]:
    """Return the results of each config that gave some, by name."""
    found: dict[str, list[Result]] = {}
    for plan, one in given:
        if isinstance(one, Result):
            found.setdefault(plan.config.name, []).append(one)
    return found


def _over_seeds(results: Sequence[Result]) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and standard deviation (ddof 1) over seeds of the scores averaged over folds, by key."""
    keys = [key for key in results[0].metrics if key.endswith("_avg")]
    values: dict[str, Any] = {
        key.removesuffix("_avg"): np.array([result.metrics.get(key, math.nan) for result in results]) for key in keys
    }
    means = {key: float(column.mean()) for key, column in values.items()}
    spreads = {key: float(column.std(ddof=1)) if len(column) > 1 else math.nan for key, column in values.items()}
    return means, spreads
