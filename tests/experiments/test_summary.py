from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from occupancy.config import Config, RandomForest
from occupancy.execution.references import MEANS
from occupancy.execution.unit import Failure
from occupancy.experiments import summary
from occupancy.experiments.plan import Plan, plan
from occupancy.experiments.report import SHOWN
from occupancy.experiments.result import FoldScores, Result
from tests.experiments.made_experiments import majority


def given(config: Config, mse: float) -> tuple[Plan, Result]:
    """Return an experiment and its result, in which every score is the same."""
    made = plan(config)
    metrics = {f"{key}_{ending}": mse for key in SHOWN for ending in ("avg", "std", "pooled")}
    metrics |= {f"{key}_{ending}": 2.5 for key in MEANS for ending in ("avg", "std", "pooled")}
    scores = [FoldScores(fold.number, 10, 0, dict.fromkeys(SHOWN, mse)) for fold in made.folds]
    return made, Result(f"run{mse}", made, metrics, 100, scores, None, None)


def printed(results: summary.Given) -> str:
    output = io.StringIO()
    Console(file=output, width=80).print(summary.table(results), crop=False)
    return output.getvalue()


def test_a_score_is_the_mean_and_the_spread_over_the_seeds_of_a_config(tmp_path: Path) -> None:
    results = [given(majority(tmp_path, seed=seed), mse) for seed, mse in ((0, 1.0), (1, 2.0), (2, 6.0))]
    (told,) = json.loads(summary.to_json(results))["configs"]
    assert told["seeds"] == [0, 1, 2]
    assert told["mean"]["mse"] == pytest.approx(3.0)
    assert told["std"]["mse"] == pytest.approx(np.std([1, 2, 6], ddof=1))


def test_configs_of_the_same_name_are_not_averaged(tmp_path: Path) -> None:
    results = [given(majority(tmp_path), 1.0), given(majority(tmp_path, protocol="report"), 3.0)]
    assert [one["mean"]["mse"] for one in json.loads(summary.to_json(results))["configs"]] == [1.0, 3.0]
    text = printed(results)
    assert [line.split()[:3] for line in text.splitlines() if line.split()[:1] == ["small"]] == [
        ["small", "(honest)", "1"],
        ["small", "(report)", "1"],
    ]


def test_cautions_come_first_and_once_and_failures_are_named(tmp_path: Path) -> None:
    report = majority(tmp_path, "other", protocol="report")
    failed = plan(majority(tmp_path, "third"))
    results: summary.Given = [given(majority(tmp_path), 1.0), given(report, 3.0), (failed, Failure("no room left"))]
    lines = printed(results).splitlines()
    told = [line.split()[0] for line in lines if line[:1].islower() or line.startswith("CAUTION")]
    assert told.count("CAUTION") == 2, "a simulated log, and the test rows that ended a training"
    assert told[told.index("CAUTION") :][:2] == ["CAUTION"] * 2
    assert "failed   third, seed 0: no room left" in lines


def test_references_that_are_the_same_for_several_experiments_are_told_once(tmp_path: Path) -> None:
    results = [given(majority(tmp_path, seed=seed), mse) for seed, mse in ((0, 1.0), (1, 2.0))]
    rows = [line.split() for line in printed(results).splitlines()]
    assert [row for row in rows if row[:1] == ["clock"]] == [["clock", "2.500", "2.500"]]
    assert [row for row in rows if row[:1] == ["nobody"]] == [["nobody", "2.500"]]


def test_a_caution_names_the_config_that_it_is_about(tmp_path: Path) -> None:
    forest = given(majority(tmp_path, "forest", model=RandomForest()), 3.0)
    lines = printed([given(majority(tmp_path), 1.0), forest, forest]).splitlines()
    assert lines.count("CAUTION  forest: the sensors of this room tell less than the clock") == 1
    assert not any("small: the sensors" in line for line in lines)
