"""The explanation as a training records it."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from occupancy.config import Config, Data, Explanation, RandomForest, Room, Simulation, Tracking
from occupancy.errors import InputError, InputWarning
from occupancy.execution.fold import FoldResult
from occupancy.execution.in_process import InProcess
from occupancy.experiments.plan import plan
from occupancy.experiments.result import Result
from occupancy.experiments.run import conduct_one
from occupancy.explanation.importance import KIND, MSE, SENSOR
from occupancy.explanation.report import check, explain_fold
from occupancy.models.estimator import Estimator
from tests.experiments.made_experiments import Recording
from tests.explanation.made_models import fold_of, log_of, model
from tests.places import ROOT

pytestmark = [
    pytest.mark.usefixtures("no_drawing"),
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

FOLDS = ROOT / "tests" / "e2e" / "two_folds.yaml"
SETTINGS = Explanation(repeats=2, backgrounds=4)


def config_of(folder: Path, explanation: Explanation | None) -> Config:
    return Config(
        name="small",
        data=Data(source="simulated", folds=str(FOLDS), simulation=Simulation(days=3, room=Room(step_s=120.0))),
        model=RandomForest(trees=5),
        tracking=Tracking(uri=f"sqlite:///{folder}/mlflow.db"),
        explanation=explanation,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[Path], str]) -> Iterator[Path]:
    tracked_in, folder = mlflow.get_tracking_uri(), tmp_path_factory.mktemp("explained")
    new_store(folder / "mlflow.db")
    yield folder
    mlflow.set_tracking_uri(tracked_in)


@pytest.fixture(scope="module")
def workers() -> Recording:
    return Recording()


@pytest.fixture(scope="module")
def outcome(folder: Path, workers: Recording) -> Result:
    return conduct_one(plan(config_of(folder, SETTINGS)), workers)


@pytest.fixture(scope="module")
def children(outcome: Result) -> list[Run]:
    """The runs of the folds, the first fold's first."""
    client = MlflowClient(outcome.plan.config.tracking.uri)
    experiment = client.get_run(outcome.run_id).info.experiment_id
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{outcome.run_id}'")
    return sorted(found, key=lambda run: str(run.info.run_name))


def artifacts(outcome: Result, run: str) -> list[str]:
    return sorted(
        str(one.path) for one in MlflowClient(outcome.plan.config.tracking.uri).list_artifacts(run, "explanation")
    )


def artifact(run: Run, name: str) -> str:
    return Path(mlflow.artifacts.download_artifacts(f"{run.info.artifact_uri}/explanation/{name}")).read_text()


def test_each_fold_has_its_figures_and_their_numbers_and_the_parent_all_folds(
    outcome: Result, children: list[Run]
) -> None:
    assert len(children) == 2
    for child in children:
        assert artifacts(outcome, child.info.run_id) == [
            "explanation/busiest_moment.json",
            "explanation/busiest_moment.png",
            "explanation/importance.csv",
            "explanation/importance.png",
        ]
    assert artifacts(outcome, outcome.run_id) == ["explanation/importance.png"]


def test_the_importance_of_each_kind_is_a_metric_of_its_fold(children: list[Run]) -> None:
    for child in children:
        table = pd.read_csv(io.StringIO(artifact(child, "importance.csv")), keep_default_na=False)
        kinds = table[table[SENSOR] == ""].set_index(KIND)[MSE]
        logged = {key.partition("/")[2]: value for key, value in child.data.metrics.items() if "importance" in key}
        assert logged == pytest.approx(kinds.to_dict())
        assert set(logged) == {"temperature", "sound", "co2", "motion"}, "no_light"


def test_the_moment_is_the_test_row_with_the_largest_predicted_mean(
    outcome: Result, workers: Recording, children: list[Run]
) -> None:
    assert outcome.run_id == children[0].data.tags["mlflow.parentRunId"]
    for (fold, scores), child in zip(workers.folds, children, strict=True):
        result = scores.kept
        told = json.loads(artifact(child, "busiest_moment.json"))
        place = result.prediction.times.get_loc(pd.Timestamp(told["time"]))
        assert result.prediction.mean[place] == result.prediction.mean.max()
        assert told["prediction"] == pytest.approx(result.prediction.mean.max())
        assert told["truth"] == result.truth[place]
        added = sum(told["contributions"].values())
        assert added == pytest.approx(told["prediction"] - told["background"], abs=1e-12)
        learned = fold.log.times[fold.train | fold.validation]
        assert len(told["background_times"]) == 4
        assert set(pd.to_datetime(told["background_times"])) <= set(learned)


def test_an_explanation_leaves_the_scores_as_they_are(folder: Path, outcome: Result) -> None:
    plain = conduct_one(plan(config_of(folder, None)), InProcess())
    assert plain.metrics == outcome.metrics
    assert plain.plan.config.key == outcome.plan.config.key
    assert artifacts(plain, plain.run_id) == []


def test_test_rows_of_a_single_block_are_refused_before_anything_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^explanation\.block_s: got 86400, but the test rows from 2024-01-02"):
        plan(config_of(tmp_path, Explanation(block_s=86400.0)))
    assert list(tmp_path.iterdir()) == []


def test_of_many_rooms_it_is_said_that_no_explanation_is_made() -> None:
    data = Data(rooms="rooms", folds="leave_rooms_out")
    with pytest.warns(InputWarning, match="^explanation: is only for the log of one room, so it is left out$"):
        check(Config(name="many", data=data, explanation=SETTINGS), [])
    check(Config(name="many", data=data), [])


def result_of(estimator: Estimator) -> FoldResult:
    fold = fold_of(log_of(), 120)
    estimator.config = estimator.config.model_copy(update={"explanation": SETTINGS})
    prediction = estimator.predict(fold.log.frame.drop(columns="people"), fold.test)
    truth = fold.counts(fold.test)
    return FoldResult(fold=fold, estimator=estimator, fit_s=0.0, prediction=prediction, truth=truth, predict_s=0.0)


def test_a_test_row_without_its_whole_past_is_not_the_moment_however_busy() -> None:
    result = result_of(model(3, east=1.0))
    log, gap = result.fold.log, np.arange(240) >= 120
    late = log.times + pd.to_timedelta(60 * gap, "min")
    shown = dataclasses.replace(log, frame=log.frame.set_index(late.rename("time")))
    result.prediction.mean[0] = 99.0  # the first row after the gap
    found = explain_fold(dataclasses.replace(result, fold=dataclasses.replace(result.fold, log=shown)))
    assert found is not None
    told = json.loads(found.texts["busiest_moment.json"])
    expected = late[120:][2 + int(np.argmax(result.prediction.mean[2:]))]
    assert told["time"] == str(expected)


def test_where_the_model_looks_back_further_than_it_learned_in_one_piece_no_moment_is_drawn() -> None:
    result = result_of(model(110, east=1.0))
    learned = np.arange(240) < 100
    fold = dataclasses.replace(result.fold, train=learned, validation=learned & ~learned)
    with pytest.warns(InputWarning, match=r"^explanation: fold 1 has no figure of one time: the rows from which"):
        found = explain_fold(dataclasses.replace(result, fold=fold))
    assert found is not None
    assert list(found.figures) == ["importance"]
