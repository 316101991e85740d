"""The model to use: fitted on all labelled rows, recorded with its experiment, and registered by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from occupancy.config import Config, Tracking, Train
from occupancy.data.folds import final_fold
from occupancy.data.log import Log
from occupancy.errors import InputError
from occupancy.execution.unit import Failure, Outcome, Unit
from occupancy.experiments import report
from occupancy.experiments.plan import plan
from occupancy.experiments.result import Result
from occupancy.experiments.run import conduct_one
from tests.experiments.made_experiments import (
    MLFLOW_WARNS,
    Recording,
    children_of,
    majority,
    models_of,
    runs_of,
    tracking_apart,
)

pytestmark = [*MLFLOW_WARNS, pytest.mark.usefixtures("no_drawing")]


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, new_store: Callable[[Path], str]) -> Iterator[None]:
    new_store(tmp_path / "mlflow.db")
    with tracking_apart():
        yield


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[Path], str]) -> list[Result]:
    """Two trainings with the same name, the second with another seed."""
    folder = tmp_path_factory.mktemp("final")
    new_store(folder / "mlflow.db")
    with tracking_apart():
        return [conduct_one(plan(majority(folder, seed=seed)), Recording()) for seed in (0, 1)]


@pytest.fixture
def client(results: list[Result]) -> MlflowClient:
    uri = results[0].plan.config.tracking.uri
    mlflow.set_tracking_uri(uri)
    return MlflowClient(uri)


def log_of(result: Result) -> Log:
    assert result.plan.log is not None
    return result.plan.log


def registered(config: Config) -> dict[str, int]:
    """Return how many versions each registered model of a store has."""
    client = MlflowClient(config.tracking.uri)
    versions = [version.name for version in client.search_model_versions()]
    return {name: versions.count(name) for name in sorted(set(versions))}


def with_tracking(folder: Path, **settings: object) -> Config:
    return majority(folder, tracking=Tracking.model_validate({"uri": f"sqlite:///{folder / 'mlflow.db'}", **settings}))


def test_the_last_fold_gives_the_model_to_use_its_rows_and_the_rows_that_choose_epochs(results: list[Result]) -> None:
    folds = results[0].plan.folds
    final = final_fold(folds)
    assert final.number == 3
    assert (final.validation == folds[-1].validation).all()
    assert final.validation.any()
    assert (final.train == ~folds[-1].validation).all()
    assert not final.test.any()
    assert final.log is folds[-1].log


def test_the_model_to_use_is_an_output_of_the_parent_run_and_says_that_it_learned_every_row(
    results: list[Result],
) -> None:
    for result in results:
        config, log = result.plan.config, log_of(result)
        (model,) = models_of(config, result.run_id)
        assert model.name == "small-final"
        expected = {"dataset": "simulated", "digest": log.digest, "rows": str(len(log.frame))}
        assert model.tags.items() >= expected.items()
        names = [run.info.run_name for run in children_of(config, result.run_id)]
        assert names == ["fold 1", "fold 2"], "it is no fold"


def test_the_model_to_use_has_learned_every_labelled_row(results: list[Result], client: MlflowClient) -> None:
    log = log_of(results[0])
    counts = log.frame[log.schema.count].to_numpy()
    raw = log.frame.drop(columns=log.schema.count).reset_index(drop=True)
    raw.insert(0, "Date", log.times.strftime("%Y/%m/%d"))
    raw.insert(1, "Time", log.times.strftime("%H:%M:%S"))
    table: pd.DataFrame = mlflow.pyfunc.load_model(f"runs:/{results[0].run_id}/small-final").predict(raw.astype(str))
    expected = np.bincount(counts, minlength=4) / len(counts)
    np.testing.assert_allclose(table[["p0", "p1", "p2", "p3"]].to_numpy()[0], expected)
    for (fold_number, child), fold in zip(
        enumerate(children_of(results[0].plan.config, results[0].run_id), 1), results[0].plan.folds, strict=True
    ):
        learned = counts[fold.train | fold.validation]
        of_fold = mlflow.pyfunc.load_model(f"runs:/{child.info.run_id}/small-fold-{fold_number}")
        told = of_fold.predict(raw.head(1).astype(str))[["p0", "p1", "p2", "p3"]].to_numpy()[0]
        np.testing.assert_allclose(told, np.bincount(learned, minlength=4) / len(learned))
        assert not np.allclose(told, expected)


def test_the_model_to_use_is_registered_and_the_newest_version_is_the_current_one(
    results: list[Result], client: MlflowClient
) -> None:
    assert [result.model for result in results] == ["occupancy-small@current"] * 2
    assert registered(results[0].plan.config) == {"occupancy-small": 2}
    current = client.get_model_version_by_alias("occupancy-small", "current")
    assert str(current.version) == "2"
    assert current.run_id == results[1].run_id
    for number, result in enumerate(results, start=1):
        version = client.get_model_version("occupancy-small", str(number))
        log = log_of(result)
        assert version.run_id == result.run_id
        assert (
            version.tags.items()
            >= {
                "log": "simulated",
                "rows": str(len(log.frame)),
                "digest": log.digest,
                "mse_avg": f"{result.metrics['mse_avg']:.4g}",
            }.items()
        )


def test_what_is_registered_is_the_model_of_the_parent_run(results: list[Result], client: MlflowClient) -> None:
    (model,) = models_of(results[1].plan.config, results[1].run_id)
    loaded = mlflow.pyfunc.load_model("models:/occupancy-small@current")
    assert loaded.metadata.run_id == results[1].run_id
    assert loaded.metadata.model_id == model.model_id


def test_the_closing_lines_say_how_to_use_it(results: list[Result]) -> None:
    (line,) = [line for line in report.closing_lines(results[0]) if line.startswith("use ")]
    assert line.startswith("use      occupancy predict --model occupancy-small@current --csv my_sensors.csv")


def test_a_model_to_use_that_is_not_to_be_registered_is_recorded_with_its_run_alone(tmp_path: Path) -> None:
    config = with_tracking(tmp_path, register=False)
    result = conduct_one(plan(config), Recording())
    assert result.model is None
    assert registered(config) == {}
    assert [model.name for model in models_of(config, result.run_id)] == ["small-final"]
    (line,) = [line for line in report.closing_lines(result) if line.startswith("use ")]
    assert line.startswith(f"use      occupancy predict --run {result.run_id} --csv")


def test_a_model_to_use_is_registered_under_the_name_that_is_given(tmp_path: Path) -> None:
    config = with_tracking(tmp_path, register="office")
    assert conduct_one(plan(config), Recording()).model == "office@current"
    assert registered(config) == {"office": 1}


def test_the_name_of_a_config_may_hold_what_that_of_a_registered_model_may_not(tmp_path: Path) -> None:
    config = majority(tmp_path, "9:30/50 %@v2")
    result = conduct_one(plan(config), Recording())
    assert result.model == "occupancy-9-30-50 %-v2@current"
    assert registered(config) == {"occupancy-9-30-50 %-v2": 1}


@pytest.mark.parametrize("changes", [{"train": Train(final=False)}, {"protocol": "report"}], ids=["asked", "report"])
def test_without_a_model_to_use_there_are_the_folds_alone(
    tmp_path: Path, results: list[Result], changes: dict[str, Any]
) -> None:
    config = majority(tmp_path, **changes)
    workers = Recording()
    result = conduct_one(plan(config), workers)
    assert [unit.scored for unit in workers.outcomes] == ["test", "test"]
    assert result.model is None
    assert registered(config) == {}
    assert models_of(config, result.run_id) == []
    assert not [line for line in report.closing_lines(result) if line.startswith("use ")]
    if config.protocol == "honest":
        assert result.metrics == pytest.approx(results[0].metrics, rel=0, abs=0, nan_ok=True), "it changes the scores"


def test_an_experiment_whose_model_to_use_cannot_be_fitted_fails_with_the_reason(tmp_path: Path) -> None:
    def fail(unit: Unit, outcome: Outcome) -> Outcome:
        return Failure("MemoryError: no room left") if unit.scored == "nothing" else outcome

    config = majority(tmp_path)
    with pytest.raises(InputError) as caught:
        conduct_one(plan(config), Recording(fail))
    assert str(caught.value) == "train.final: the model to use: MemoryError: no room left"
    assert {run.info.run_name: run.info.status for run in runs_of(config)} == {
        "small": "FAILED",
        "fold 1": "FINISHED",
        "fold 2": "FINISHED",
    }
    (parent,) = [run for run in runs_of(config) if run.info.run_name == "small"]
    assert parent.data.tags["error"] == str(caught.value)
    assert registered(config) == {}


@pytest.mark.parametrize("refit", [True, False])
def test_a_model_to_use_learns_every_row_whether_or_not_those_of_folds_learn_validation_rows(
    tmp_path: Path, refit: bool
) -> None:
    config = majority(tmp_path, train=Train(refit=refit))
    result = conduct_one(plan(config), Recording())
    folds = result.plan.folds
    rows = [
        int(model.tags["rows"])
        for run in children_of(config, result.run_id)
        for model in models_of(config, run.info.run_id)
    ]
    assert rows == [int(fold.train.sum() + refit * fold.validation.sum()) for fold in folds]
    (final,) = models_of(config, result.run_id)
    assert int(final.tags["rows"]) == len(log_of(result).frame)
