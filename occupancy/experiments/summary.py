"""What several experiments gave: a row a config, averaged over its seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Group, RenderableType

from occupancy.cli.format import heading, jsonable, plain_lines, plain_table, shown
from occupancy.execution.unit import Failure
from occupancy.experiments.plan import Plan
from occupancy.experiments.report import SHOWN, closing_lines, reference_cells, to_tree
from occupancy.experiments.result import Result

Given = Sequence[tuple[Plan, Result | Failure]]
"""Experiments, and what they gave."""


def table(given: Given) -> RenderableType:
    """Return a row a config: how many seeds, and each score as mean and standard deviation over them."""
    schemes = ", ".join(dict.fromkeys(plan.config.data.folds for plan, _ in given))
    grid = plain_table(f"{len(given)} experiments on {schemes}: means over folds, averaged over seeds")
    grid.add_column("config", overflow="fold")
    for title in ("seeds", *map(heading, SHOWN)):
        grid.add_column(title, justify="right", no_wrap=True)
    for results in _by_config(given):
        means, spreads = _over_seeds(results)
        grid.add_row(
            _named(results[0].plan, given), str(len(results)), *(shown(means.get(key, math.nan)) for key in SHOWN)
        )
        if len(results) > 1:
            grid.add_row("", "", *(f"±{shown(spreads.get(key, math.nan))}" for key in SHOWN))
    grid.add_section()
    done = [one for _, one in given if isinstance(one, Result)]
    # Those of most experiments are the same, because they learn from the same rows and are tested on the same.
    references = dict.fromkeys((name, *cells) for one in done for name, cells in reference_cells(one.metrics, "avg"))
    for name, *cells in references:
        grid.add_row(name, "", *cells)
    failed = [f"failed   {plan.title}: {one.error}" for plan, one in given if isinstance(one, Failure)]
    # What holds for several experiments is said once; their runs are in the record.
    told = dict.fromkeys(line for one in done for line in closing_lines(one) if not line.startswith("run "))
    return Group(grid, plain_lines([*failed, *sorted(told, key=lambda line: not line.startswith("CAUTION"))]))


def to_json(given: Given) -> str:
    """Return all results and the scores over seeds as one line of JSON; what could not be computed is null."""
    experiments = [
        {"name": plan.config.name, "seed": plan.config.seed}
        | ({"error": one.error} if isinstance(one, Failure) else to_tree(one))
        for plan, one in given
    ]
    configs = []
    for results in _by_config(given):
        means, spreads = _over_seeds(results)
        plan = results[0].plan
        seeds = [result.plan.config.seed for result in results]
        about = {"name": plan.config.name, "protocol": plan.config.protocol, "key": plan.config.key}
        configs.append({**about, "seeds": seeds, "mean": jsonable(means), "std": jsonable(spreads)})
    return json.dumps({"experiments": experiments, "configs": configs}, allow_nan=False)


def _by_config(given: Given) -> list[list[Result]]:
    """Return the results of each config that gave some; configs that differ by more than the seed are apart."""
    found: dict[tuple[str, str], list[Result]] = {}
    for plan, one in given:
        if isinstance(one, Result):
            found.setdefault((plan.config.name, plan.config.key), []).append(one)
    return list(found.values())


def _named(plan: Plan, given: Given) -> str:
    """Return what the table calls a config: its name, and its protocol where another has the same name."""
    config = plan.config
    is_alone = len({other.config.key for other, _ in given if other.config.name == config.name}) == 1
    return config.name if is_alone else f"{config.name} ({config.protocol})"


def _over_seeds(results: Sequence[Result]) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean and standard deviation (ddof 1) over seeds of the scores averaged over folds, by key."""
    keys = [key for key in results[0].metrics if key.endswith("_avg")]
    values: dict[str, Any] = {
        key.removesuffix("_avg"): np.array([result.metrics.get(key, math.nan) for result in results]) for key in keys
    }
    means = {key: float(column.mean()) for key, column in values.items()}
    spreads = {key: float(column.std(ddof=1)) if len(column) > 1 else math.nan for key, column in values.items()}
    return means, spreads
