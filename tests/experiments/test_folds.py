"""What the record of an experiment on the folds of a log holds, after one was carried out."""

from __future__ import annotations

import io
import json
import math
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from occupancy.config import LSTM, Config, Train
from occupancy.config.parsing import load_config
from occupancy.data.folds import digest_of
from occupancy.data.log import Log
from occupancy.experiments.plan import plan
from occupancy.experiments.result import Result
from occupancy.experiments.run import conduct_one
from tests.experiments.made_experiments import (
    MLFLOW_WARNS,
    Recording,
    artifact,
    artifacts,
    children_of,
    majority,
    models_of,
    runs_of,
    tracking_apart,
)

pytestmark = [*MLFLOW_WARNS, pytest.mark.usefixtures("no_drawing")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folds")


@pytest.fixture(scope="module")
def workers() -> Recording:
    return Recording()


@pytest.fixture(scope="module")
def result(folder: Path, workers: Recording) -> Iterator[Result]:
    """A small network's experiment, carried out from another working directory than the store's."""
    config = majority(
        folder / "store",
        model=LSTM(window=3, layers=1, hidden=4, dropout=0.0),
        train=Train(max_epochs=2, batch_size=128, members=2, device="cpu"),
    )
    before = Path.cwd()
    (folder / "elsewhere").mkdir()
    os.chdir(folder / "elsewhere")
    try:
        with tracking_apart():
            yield conduct_one(plan(config), workers)
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def config(result: Result) -> Config:
    return result.plan.config


@pytest.fixture(scope="module")
def log(result: Result) -> Log:
    assert result.plan.log is not None
    return result.plan.log


@pytest.fixture(scope="module")
def parent(config: Config, result: Result) -> Run:
    return MlflowClient(config.tracking.uri).get_run(result.run_id)


@pytest.fixture(scope="module")
def children(config: Config, result: Result) -> list[Run]:
    return children_of(config, result.run_id)


def finite(metrics: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in metrics.items() if math.isfinite(value)}


def test_an_experiment_is_a_parent_run_with_a_child_for_each_fold_and_nothing_else(
    config: Config, parent: Run, children: list[Run]
) -> None:
    client = MlflowClient(config.tracking.uri)
    assert parent.info.run_name == "small"
    assert [child.info.run_name for child in children] == ["fold 1", "fold 2"]
    everywhere = [found.experiment_id for found in client.search_experiments()]
    assert len(everywhere) == 2, "MLflow's Default and ours"
    assert {run.info.run_id for run in client.search_runs(everywhere)} == {
        run.info.run_id for run in (parent, *children)
    }
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert {run.info.experiment_id for run in (parent, *children)} == {parent.info.experiment_id}
    assert client.get_experiment(parent.info.experiment_id).name == config.tracking.experiment


def test_every_run_says_how_on_what_and_by_which_process_it_was_made(
    log: Log, parent: Run, children: list[Run]
) -> None:
    expected = {
        "protocol": "honest",
        "dataset": "simulated",
        "digest": log.digest,
        "selection": "shared",
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
    }
    for run in (parent, *children):
        assert run.data.tags.items() >= expected.items()
        assert float(run.data.tags["process_started"]) == pytest.approx(psutil.Process().create_time(), abs=2)
    assert [child.data.tags["fold"] for child in children] == ["1", "2"]
    assert "fold" not in parent.data.tags


def test_the_parent_is_tagged_with_what_a_comparison_groups_by(config: Config, result: Result, parent: Run) -> None:
    expected = {"folds": config.data.folds, "model": "lstm", "config_key": config.key}
    assert parent.data.tags.items() >= expected.items()
    assert parent.data.tags["folds_digest"] == digest_of(result.plan.folds)


@pytest.mark.parametrize("name", ["scores", "folds"])
def test_a_new_experiment_says_what_to_compare_and_brings_views_that_show_it(
    config: Config, parent: Run, name: str
) -> None:
    tags = MlflowClient(config.tracking.uri).get_experiment(parent.info.experiment_id).tags
    assert tags["mlflow.note.content"].startswith("Compare `mse`")
    saved = json.loads(tags[f"mlflow.sharedViewState.{name}"])
    state = json.loads(saved["state"])
    kinds: dict[str, Any] = {"metrics": parent.data.metrics, "params": parent.data.params, "tags": parent.data.tags}
    shown = [column.replace("`", "").partition(".") for column in state["selectedColumns"]]
    assert [name for kind, _, name in shown if kind in kinds and name not in kinds[kind]] == []
    assert [
        chart["metricKey"] for chart in state["compareRunCharts"] if chart["metricKey"] not in kinds["metrics"]
    ] == []


def test_the_view_of_scores_finds_experiments_alone_and_sorts_them_by_a_score_of_theirs(
    config: Config, parent: Run
) -> None:
    client = MlflowClient(config.tracking.uri)
    tags = client.get_experiment(parent.info.experiment_id).tags
    state = json.loads(json.loads(tags["mlflow.sharedViewState.scores"])["state"])
    order = f"{state['orderByKey']} {'ASC' if state['orderByAsc'] else 'DESC'}"
    found = client.search_runs([parent.info.experiment_id], state["searchFilter"], order_by=[order])
    assert parent.info.run_id in {run.info.run_id for run in found}
    assert all("mlflow.parentRunId" not in run.data.tags for run in found)
    scores = [run.data.metrics["mse_avg"] for run in found]
    assert scores == sorted(scores)


def test_scores_are_tags_too_rounded_for_people_beside_metrics_with_all_digits(
    result: Result, parent: Run, children: list[Run]
) -> None:
    metrics = result.metrics
    told = {"mse": metrics["mse_avg"], "f1_macro": metrics["f1_macro_avg"], "mse_pooled": metrics["mse_pooled"]}
    assert parent.data.tags.items() >= {name: f"{value:.4f}" for name, value in told.items()}.items()
    for child, fold in zip(children, result.folds, strict=True):
        expected = {name: f"{fold.metrics[name]:.4f}" for name in ("mse", "f1_macro")}
        assert child.data.tags.items() >= expected.items()
        assert "mse_pooled" not in child.data.tags


def test_the_parent_holds_every_setting_by_its_dotted_key(config: Config, parent: Run) -> None:
    assert parent.data.params == {key: str(value) for key, value in config.flat().items()}
    assert parent.data.params["data.simulation.room.step_s"] == "120.0"


def test_the_parent_holds_every_score_averaged_and_pooled_and_what_the_folds_took_together(
    result: Result, parent: Run, workers: Recording
) -> None:
    costs = [scores.costs for _, scores in workers.folds]
    rows = [scores.rows["test"] for _, scores in workers.folds]
    recorded = {
        **result.metrics,
        "fit_s": sum(cost["fit_s"] for cost in costs),
        "predict_us": float(np.average([cost["predict_us"] for cost in costs], weights=rows)),
        "parameters": max(cost["parameters"] for cost in costs),
    }
    assert parent.data.metrics == pytest.approx(finite(recorded))
    assert parent.data.metrics.keys() >= {"mse_avg", "mse_std", "mse_pooled", "f1_macro_avg"}


def test_the_result_holds_the_scores_of_each_fold(result: Result, workers: Recording) -> None:
    assert [(fold.number, fold.rows, fold.epochs) for fold in result.folds] == [
        (fold.number, int(fold.test.sum()), scores.chosen_epochs) for fold, scores in workers.folds
    ]
    for fold, (_, scores) in zip(result.folds, workers.folds, strict=True):
        assert finite(dict(fold.metrics)) == finite(dict(scores.metrics))
    errors = np.concatenate([(scores.kept.prediction.label - scores.kept.truth) ** 2 for _, scores in workers.folds])
    assert result.metrics["mse_pooled"] == pytest.approx(errors.mean())
    assert result.metrics["mse_avg"] == pytest.approx(np.mean([fold.metrics["mse"] for fold in result.folds]))


def test_a_child_holds_its_folds_scores_and_rows(children: list[Run], workers: Recording) -> None:
    for child, (fold, given) in zip(children, workers.folds, strict=True):
        scores = {key: value for key, value in child.data.metrics.items() if "/" not in key}
        assert scores == finite({**given.metrics, **given.costs})
        assert child.data.params.keys() == {"chosen_epochs", "rows"}
        assert child.data.params["chosen_epochs"] == str(given.chosen_epochs)
        rows = {part: int(getattr(fold, part).sum()) for part in ("train", "validation", "test")}
        assert json.loads(child.data.params["rows"]) == rows


@pytest.mark.parametrize("name", ["search/train_loss", "search/val_loss", "final/train_loss"])
def test_a_child_holds_the_losses_of_each_epoch_averaged_over_members(
    config: Config, children: list[Run], workers: Recording, name: str
) -> None:
    client = MlflowClient(config.tracking.uri)
    stage, loss = name.split("/")
    for child, (_, given) in zip(children, workers.folds, strict=True):
        history = given.kept.history
        rows = history[history["stage"] == stage]
        logged = {point.step: point.value for point in client.get_metric_history(child.info.run_id, name)}
        epochs = range(1, (2 if stage == "search" else given.chosen_epochs) + 1)
        assert sorted(logged) == list(epochs)
        for epoch in epochs:
            assert logged[epoch] == pytest.approx(rows.loc[rows["epoch"] == epoch, loss].mean())
    assert "final/val_loss" not in children[0].data.metrics


def test_the_folds_in_time_the_config_and_the_description_belong_to_the_parent(
    config: Config, log: Log, parent: Run, tmp_path: Path
) -> None:
    assert artifacts(config, parent.info.run_id) == ["config.yaml", "figures"]
    assert artifacts(config, parent.info.run_id, "figures") == ["figures/folds.png"]
    (tmp_path / "again.yaml").write_bytes(artifact(parent, "config.yaml"))
    assert load_config(tmp_path / "again.yaml") == config
    assert f"digest `{log.digest}`" in parent.data.tags["mlflow.note.content"]


def test_a_child_has_its_pictures(config: Config, children: list[Run]) -> None:
    for child in children:
        names = artifacts(config, child.info.run_id, "figures")
        assert names == ["figures/confusion.png", "figures/learning_curves.png", "figures/predictions.png"]
        for name in names:
            assert artifact(child, name).startswith(b"\x89PNG")


def test_a_child_has_its_predictions_beside_the_truth(log: Log, children: list[Run], workers: Recording) -> None:
    for child, (fold, given) in zip(children, workers.folds, strict=True):
        table = pd.read_csv(io.BytesIO(artifact(child, "predictions.csv")), parse_dates=["time"])
        assert list(table.columns[:3]) == ["time", "truth", "count"]
        assert (table["time"].to_numpy() == log.times[fold.test].to_numpy()).all()
        assert (table["truth"] == fold.counts(fold.test)).all()
        assert ((table["count"] - table["truth"]) ** 2).mean() == pytest.approx(given.metrics["mse"])
        assert (table["epistemic"] > 0).any(), "how far the samples disagree went lost with them"


def test_every_run_names_the_log_by_its_digest(log: Log, parent: Run, children: list[Run]) -> None:
    for run in (parent, *children):
        assert run.inputs is not None
        (given,) = run.inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == ("simulated", log.digest)


def test_the_model_of_a_fold_is_named_by_config_and_fold_and_says_what_it_was_fitted_on(
    config: Config, log: Log, children: list[Run], workers: Recording
) -> None:
    for child, (fold, _) in zip(children, workers.folds, strict=True):
        (model,) = models_of(config, child.info.run_id)
        assert model.name == f"small-fold-{fold.number}"
        learned = int(fold.train.sum() + fold.validation.sum())
        expected = {"dataset": "simulated", "digest": log.digest, "rows": str(learned)}
        assert model.tags.items() >= expected.items()


def test_artifacts_lie_beside_the_store_and_nothing_in_the_working_directory(
    config: Config, folder: Path, parent: Run
) -> None:
    location = MlflowClient(config.tracking.uri).get_experiment(parent.info.experiment_id).artifact_location
    assert location == (folder / "store" / "mlruns").as_uri()
    assert sorted(found.name for found in (folder / "store").iterdir()) == ["mlflow.db", "mlflow.db.lock", "mlruns"]
    assert list((folder / "elsewhere").iterdir()) == []


def test_no_run_is_open_in_the_process_afterwards(config: Config, result: Result) -> None:
    assert {run.info.status for run in runs_of(config)} == {"FINISHED"}
    assert result.model == "occupancy-small@current"
