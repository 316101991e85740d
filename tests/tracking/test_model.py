"""Fitted models in MLflow: how they are named, what they say of themselves, and that anyone can load and use them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from occupancy.config import LSTM, Config, Train
from occupancy.data.folds import Fold
from occupancy.data.schema import UCI
from occupancy.errors import InputError
from occupancy.execution.unit import Scores, Unit, carry_out
from occupancy.experiments.keep import Kept, keep_fold
from occupancy.experiments.plan import plan
from occupancy.tracking.experiment import open_experiment
from occupancy.tracking.model import log_model
from occupancy.tracking.registry import CURRENT, register
from tests.experiments.made_experiments import MLFLOW_WARNS, majority, models_of, tracking_apart

pytestmark = MLFLOW_WARNS
NUMBERS = ["mean", "std", "lower", "upper", "epistemic", "aleatoric", "p0", "p1", "p2", "p3"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[Path], str]) -> Path:
    folder = tmp_path_factory.mktemp("models")
    new_store(folder / "mlflow.db")
    return folder


@pytest.fixture(scope="module")
def config(folder: Path) -> Config:
    return majority(
        folder,
        model=LSTM(window=3, layers=1, hidden=4, dropout=0.0),
        train=Train(max_epochs=2, batch_size=128, members=2, device="cpu"),
    )


@pytest.fixture(scope="module")
def fold(config: Config) -> Fold:
    return plan(config).folds[1]


@pytest.fixture(scope="module")
def kept(config: Config, fold: Fold) -> Kept:
    """A small network, fitted to a fold."""
    outcome = carry_out(Unit(config, fold, "test", keep_fold))
    assert isinstance(outcome, Scores)
    assert isinstance(outcome.kept, Kept)
    return outcome.kept


@pytest.fixture(scope="module")
def experiment(config: Config) -> Iterator[tuple[MlflowClient, str]]:
    """A client of the store, and the id of an experiment in it."""
    with tracking_apart():
        yield open_experiment(config.tracking)


@pytest.fixture(scope="module")
def run_id(experiment: tuple[MlflowClient, str]) -> str:
    client, experiment_id = experiment
    return str(client.create_run(experiment_id).info.run_id)


@pytest.fixture(scope="module")
def model_id(config: Config, fold: Fold, kept: Kept, run_id: str, folder: Path) -> str:
    """The network as it is logged from another working directory than the store's."""
    before = Path.cwd()
    (folder / "elsewhere").mkdir()
    os.chdir(folder / "elsewhere")
    try:
        return log_model(run_id, config, fold.log, "fold-2", 1234, kept.files)
    finally:
        os.chdir(before)


def test_a_model_is_an_output_of_its_run_and_says_what_it_was_fitted_on(
    config: Config, fold: Fold, run_id: str, model_id: str
) -> None:
    (model,) = models_of(config, run_id)
    assert (model.model_id, model.name) == (model_id, "small-fold-2")
    assert model.tags.items() >= {"dataset": "simulated", "digest": fold.log.digest, "rows": "1234"}.items()
    assert str(model.status) == "READY"


def test_a_model_belongs_to_the_experiment_of_its_run_and_lies_beside_the_store(
    config: Config, experiment: tuple[MlflowClient, str], run_id: str, model_id: str, folder: Path
) -> None:
    client, experiment_id = experiment
    model = client.get_logged_model(model_id)
    assert (model.experiment_id, model.source_run_id) == (experiment_id, run_id)
    assert model.artifact_location.startswith((folder / "mlruns").as_uri())
    assert list((folder / "elsewhere").iterdir()) == []


def test_a_model_may_belong_to_a_config_with_any_name(
    config: Config, fold: Fold, kept: Kept, experiment: tuple[MlflowClient, str]
) -> None:
    client, experiment_id = experiment
    named = config.model_copy(update={"name": "9:30/50 %.v2"})
    run = client.create_run(experiment_id)
    made = log_model(run.info.run_id, named, fold.log, "final", 9, kept.files)
    assert client.get_logged_model(made).name == "9-30-50 --v2-final"


def test_each_version_of_a_registered_model_becomes_the_current_one(
    experiment: tuple[MlflowClient, str], run_id: str, model_id: str
) -> None:
    client, _ = experiment
    for number in ("1", "2"):
        assert register(client, "office", model_id, run_id, {"rows": number}) == f"office@{CURRENT}"
        current = client.get_model_version_by_alias("office", CURRENT)
        assert (str(current.version), current.run_id, current.tags) == (number, run_id, {"rows": number})
    assert mlflow.pyfunc.load_model("models:/office@current").metadata.model_id == model_id
    told = json.loads(client.get_logged_model(model_id).tags["mlflow.modelVersions"])
    assert [(version["name"], str(version["version"])) for version in told] == [("office", "1"), ("office", "2")]


def test_a_name_that_the_registry_does_not_take_is_not_taken_for_one_that_is_there(
    experiment: tuple[MlflowClient, str], run_id: str, model_id: str
) -> None:
    with pytest.raises(InputError, match="model name"):
        register(experiment[0], "of/fice", model_id, run_id, {})


@pytest.fixture(scope="module")
def served(run_id: str, model_id: str) -> Any:
    """The model, loaded as anyone with MLflow would."""
    assert model_id
    return mlflow.pyfunc.load_model(f"runs:/{run_id}/small-fold-2")


@pytest.fixture(scope="module")
def raw(fold: Fold, folder: Path) -> pd.DataFrame:
    """The log as pandas reads it from a CSV, where whole readings are written without a point."""
    times = fold.log.times
    frame = fold.log.frame.reset_index(drop=True)
    for column in frame.columns:
        if (frame[column] % 1 == 0).all():
            frame[column] = frame[column].astype(int)
    frame.insert(0, "Date", times.strftime("%Y/%m/%d"))
    frame.insert(1, "Time", times.strftime("%H:%M:%S"))
    frame.to_csv(folder / "log.csv", index=False)
    read = pd.read_csv(folder / "log.csv")
    assert (read.dtypes == "int64").sum() > 3, "nothing is a whole number"
    return read


def test_the_served_model_takes_a_raw_csv_and_predicts_as_the_fold_did(
    served: Any, raw: pd.DataFrame, fold: Fold, kept: Kept
) -> None:
    predicted = served.predict(raw)
    assert list(predicted.columns) == ["time", "count", *NUMBERS]
    assert (predicted["time"].to_numpy() == fold.log.times.to_numpy()).all()
    expected = kept.prediction.to_frame()
    tested = predicted[fold.test].reset_index(drop=True)
    assert (tested["count"] == expected["count"]).all()
    np.testing.assert_allclose(tested[NUMBERS], expected[NUMBERS], atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.drop(columns=UCI.count),
        lambda raw: raw.drop(columns=[column.name for column in UCI.columns if column.optional]),
        lambda raw: raw.astype(str),
        lambda raw: raw.assign(note="more"),
    ],
    ids=["without counts", "without optional columns", "as text", "with a column more"],
)
def test_the_served_model_takes_raw_frames_of_many_kinds(
    served: Any, raw: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    rows = raw.head(20)
    pd.testing.assert_frame_equal(served.predict(change(rows)), served.predict(rows))


def test_the_served_model_refuses_a_frame_without_a_required_column(served: Any, raw: pd.DataFrame) -> None:
    with pytest.raises(MlflowException, match=r"missing inputs \['S1_Temp'\]"):
        served.predict(raw.drop(columns="S1_Temp"))


def test_the_served_model_names_the_cell_that_is_wrong(served: Any, raw: pd.DataFrame) -> None:
    cells = raw["S1_Temp"].astype(object)
    cells[3] = "warm"
    with pytest.raises(InputError, match=r"S1_Temp.*warm"):
        served.predict(raw.assign(S1_Temp=cells))


def test_the_signature_names_what_goes_in_and_what_comes_out(served: Any) -> None:
    signature = served.metadata.signature
    assert signature.inputs.input_names() == [*UCI.time, *UCI.sensors]
    assert signature.inputs.required_input_names() == [
        *UCI.time,
        *(column.name for column in UCI.columns if not column.optional),
    ]
    assert signature.outputs.input_names() == ["time", "count", *NUMBERS]
    assert [kind.name for kind in signature.outputs.input_types()] == ["datetime", "long", *["double"] * 10]
