"""What the run of a fold shows beside its scores."""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from occupancy.config import Config, Data, Majority
from occupancy.data.folds import Fold
from occupancy.data.log import Place
from occupancy.prediction import from_probabilities
from occupancy.tracking import fold as fold_module
from occupancy.tracking.fold import log_fold
from tests.execution.made_units import quick_fold
from tests.experiments.made_experiments import tracking_apart

CONFIG = Config(name="small", model=Majority(), data=Data(max_count=2))
COLUMNS = ["stage", "member", "epochs", "epoch", "train_loss", "val_loss"]
NO_HISTORY = pd.DataFrame(columns=COLUMNS)


@pytest.fixture
def client(tmp_path: Path, new_store: Callable[[Path], str]) -> Iterator[MlflowClient]:
    with tracking_apart():
        uri = new_store(tmp_path / "mlflow.db")
        mlflow.set_tracking_uri(uri)
        yield MlflowClient(uri)


@pytest.fixture
def run_id(client: MlflowClient, tmp_path: Path) -> str:
    experiment = client.create_experiment("mine", (tmp_path / "mlruns").as_uri())
    return str(client.create_run(experiment).info.run_id)


def made_for(fold: Fold) -> fold_module.Tested:
    """Return a model that is nearly sure of nobody."""
    truth = fold.counts(fold.test)
    shares = np.broadcast_to([0.9, 0.1, 0.0], (1, len(truth), 3))
    return fold_module.Tested(fold, from_probabilities(fold.log.times[fold.test], shares), truth)


def table_of(client: MlflowClient, run_id: str) -> pd.DataFrame:
    text = mlflow.artifacts.load_text(f"{client.get_run(run_id).info.artifact_uri}/predictions.csv")
    return pd.read_csv(io.StringIO(text), parse_dates=["time"])


def test_the_predictions_of_the_test_rows_stand_beside_the_truth(client: MlflowClient, run_id: str) -> None:
    one = made_for(quick_fold())
    log_fold(client, run_id, CONFIG, one, NO_HISTORY, 0)
    table = table_of(client, run_id)
    assert list(table.columns[:3]) == ["time", "truth", "count"]
    assert (table["time"].to_numpy() == one.fold.log.times[one.fold.test].to_numpy()).all()
    assert (table["truth"] == one.truth).all()
    assert (table["p0"] == 0.9).all()


def test_a_model_without_epochs_has_no_curves(client: MlflowClient, run_id: str) -> None:
    log_fold(client, run_id, CONFIG, made_for(quick_fold()), NO_HISTORY, 0)
    found = {path.path for folder in (None, "figures") for path in client.list_artifacts(run_id, folder)}
    assert found == {"figures", "figures/confusion.png", "figures/predictions.png", "predictions.csv"}
    assert client.get_run(run_id).data.metrics == {}


def test_a_row_of_many_rooms_names_its_room_and_its_time_there(client: MlflowClient, run_id: str) -> None:
    fold = quick_fold()
    none, week = pd.Timedelta(0), pd.Timedelta(days=7)
    rooms = (Place("cellar", 0, 40, none), Place("hall", 40, 50, none), Place("den", 50, 60, week))
    several = dataclasses.replace(fold, log=dataclasses.replace(fold.log, rooms=rooms))
    log_fold(client, run_id, CONFIG, made_for(several), NO_HISTORY, 0)
    table = table_of(client, run_id)
    assert table["room"].tolist() == ["hall"] * 10 + ["den"] * 10
    away = table["time"] - pd.to_datetime(table["room_time"])
    assert away.tolist() == [none] * 10 + [week] * 10


def test_trainings_of_several_lengths_are_told_apart_by_their_length(client: MlflowClient, run_id: str) -> None:
    rows = [
        ("search", member, length, epoch, 10.0 * length + epoch + member, float(epoch))
        for length in (1, 2)
        for member in (0, 1)
        for epoch in range(1, length + 1)
    ]
    rows += [("final", member, 2, epoch, 1.0, math.nan) for member in (0, 1) for epoch in (1, 2)]
    log_fold(client, run_id, CONFIG, made_for(quick_fold()), pd.DataFrame(rows, columns=COLUMNS), 2)
    assert set(client.get_run(run_id).data.metrics) == {
        *("search_1/train_loss", "search_1/val_loss", "search_2/train_loss", "search_2/val_loss"),
        "final/train_loss",
    }
    points = client.get_metric_history(run_id, "search_2/train_loss")
    assert {point.step: point.value for point in points} == {1: 21.5, 2: 22.5}


def test_a_history_of_more_epochs_than_mlflow_takes_at_once_is_whole(client: MlflowClient, run_id: str) -> None:
    epochs = range(1, 1_202)
    rows = [("search", 0, len(epochs), epoch, float(epoch), math.nan) for epoch in epochs]
    log_fold(client, run_id, CONFIG, made_for(quick_fold()), pd.DataFrame(rows, columns=COLUMNS), 1_201)
    points = client.get_metric_history(run_id, "search/train_loss")
    assert sorted(point.step for point in points) == list(epochs)
    text = mlflow.artifacts.load_text(f"{client.get_run(run_id).info.artifact_uri}/history.csv")
    assert len(text.splitlines()) == 1_202
