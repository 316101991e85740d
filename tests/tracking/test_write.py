from __future__ import annotations

import copy
import dataclasses
import io
import json
import math
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import psutil
import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST

from occupancy.config import LSTM, Config, Data, Room, Simulation, Tracking, Train
from occupancy.config.parsing import load_config
from occupancy.data.folds import digest_of
from occupancy.data.schema import UCI
from occupancy.data.table import Log
from occupancy.errors import InputError, Interrupted
from occupancy.execution.fold import costs
from occupancy.experiments.report import Outcome
from occupancy.experiments.run import conduct, plan
from occupancy.tracking import run as run_module
from occupancy.tracking.run import end_orphans
from occupancy.tracking.write import check_experiment, experiment
from tests.places import ROOT

pytestmark = [
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

FOLDS = ROOT / "tests" / "e2e" / "two_folds.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tracking")


@pytest.fixture(scope="module")
def outcome(folder: Path) -> Iterator[Outcome]:
    """A small experiment, conducted from another working directory than the store's."""
    store = folder / "store" / "mlflow.db"
    config = Config(
        name="small",
        data=Data(
            source="simulated",
            folds=str(FOLDS),
            simulation=Simulation(days=3, room=Room(step_s=120.0)),
        ),
        model=LSTM(window=3, layers=1, hidden=4, dropout=0.0),
        train=Train(max_epochs=2, batch_size=128, members=2, device="cpu"),
        tracking=Tracking(uri=f"sqlite:///{store}"),
    )
    before, tracked_in = Path.cwd(), mlflow.get_tracking_uri()
    (folder / "elsewhere").mkdir()
    os.chdir(folder / "elsewhere")
    try:
        yield conduct(plan(config))
    finally:
        os.chdir(before)
        mlflow.set_tracking_uri(tracked_in)


@pytest.fixture(scope="module")
def client(outcome: Outcome) -> MlflowClient:
    return MlflowClient(outcome.config.tracking.uri)


@pytest.fixture(scope="module")
def parent(client: MlflowClient, outcome: Outcome) -> Run:
    return client.get_run(outcome.run_id)


@pytest.fixture(scope="module")
def children(client: MlflowClient, parent: Run) -> list[Run]:
    """The runs of the folds, the first fold's first."""
    found = client.search_runs([parent.info.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    return sorted(found, key=lambda run: str(run.info.run_name))


@pytest.fixture
def other(outcome: Outcome, request: pytest.FixtureRequest) -> Config:
    """The same configuration for an experiment of the test's own."""
    section = outcome.config.tracking.model_copy(update={"experiment": request.node.name})
    return outcome.config.model_copy(update={"tracking": section})


def runs_of(client: MlflowClient, config: Config) -> list[Run]:
    found = client.get_experiment_by_name(config.tracking.experiment)
    assert found is not None
    return list(client.search_runs([found.experiment_id]))


def artifacts(client: MlflowClient, run: Run, folder: str | None = None) -> list[str]:
    return sorted(str(found.path) for found in client.list_artifacts(run.info.run_id, folder))


def artifact(run: Run, path: str) -> bytes:
    return Path(mlflow.artifacts.download_artifacts(f"{run.info.artifact_uri}/{path}")).read_bytes()


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_experiment_is_a_parent_run_with_a_child_for_each_fold_and_nothing_else(
    client: MlflowClient, outcome: Outcome, parent: Run, children: list[Run]
) -> None:
    assert parent.info.run_name == "small"
    assert [child.info.run_name for child in children] == ["fold 1", "fold 2"]
    everywhere = [found.experiment_id for found in client.search_experiments()]
    assert len(everywhere) == 2, "MLflow's Default and ours"
    assert {run.info.run_id for run in client.search_runs(everywhere)} == {
        run.info.run_id for run in (parent, *children)
    }
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert {run.info.experiment_id for run in (parent, *children)} == {parent.info.experiment_id}
    assert client.get_experiment(parent.info.experiment_id).name == outcome.config.tracking.experiment


def test_every_run_says_how_on_what_and_by_which_process_it_was_made(
    outcome: Outcome, parent: Run, children: list[Run]
) -> None:
    expected = {
        "protocol": "honest",
        "dataset": "simulated",
        "digest": outcome.log.digest,
        "selection": "shared",
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
    }
    for run in (parent, *children):
        assert run.data.tags.items() >= expected.items()
        assert float(run.data.tags["process_started"]) == pytest.approx(psutil.Process().create_time(), abs=2)
    assert [child.data.tags["fold"] for child in children] == ["1", "2"]
    assert "fold" not in parent.data.tags


def test_a_new_experiment_says_what_to_compare_and_brings_a_view_that_shows_it(
    client: MlflowClient, parent: Run
) -> None:
    tags = client.get_experiment(parent.info.experiment_id).tags
    assert tags["mlflow.note.content"].startswith("Compare `mse_avg`")
    saved = json.loads(tags["mlflow.sharedViewState.scores"])
    state = json.loads(saved["state"])
    kinds: dict[str, Any] = {"metrics": parent.data.metrics, "params": parent.data.params, "tags": parent.data.tags}
    shown = [column.replace("`", "").partition(".") for column in state["selectedColumns"]]
    assert [name for kind, _, name in shown if kind in kinds and name not in kinds[kind]] == []
    assert [
        chart["metricKey"] for chart in state["compareRunCharts"] if chart["metricKey"] not in kinds["metrics"]
    ] == []


def test_the_description_of_an_experiment_is_the_users_to_change(
    client: MlflowClient, other: Config, simulated_log: Log
) -> None:
    with experiment(other, simulated_log, []):
        pass
    found = client.get_experiment_by_name(other.tracking.experiment)
    assert found is not None
    client.set_experiment_tag(found.experiment_id, "mlflow.note.content", "mine")
    with experiment(other, simulated_log, []):
        pass
    assert client.get_experiment(found.experiment_id).tags["mlflow.note.content"] == "mine"


def test_the_parent_names_the_commit_of_the_code(parent: Run) -> None:
    asked = subprocess.run(["git", "-C", str(ROOT), "rev-list", "-n", "3", "HEAD"], capture_output=True, check=False)
    if asked.returncode != 0:
        pytest.skip("the package lies in no checkout")
    assert parent.data.tags["mlflow.source.git.commit"] in asked.stdout.decode().split()


def test_code_that_lies_in_no_checkout_has_no_commit(
    client: MlflowClient, outcome: Outcome, other: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "__file__", str(tmp_path / "run.py"))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "train.py")])
    with experiment(other, outcome.log, []) as record:
        pass
    assert "mlflow.source.git.commit" not in client.get_run(record.run_id).data.tags


def test_the_parent_holds_every_setting_by_its_dotted_key(outcome: Outcome, parent: Run) -> None:
    assert parent.data.params == {key: str(value) for key, value in outcome.config.flat().items()}
    assert parent.data.params["data.simulation.room.step_s"] == "120.0"


def test_the_parent_holds_every_score_averaged_and_pooled(outcome: Outcome, parent: Run) -> None:
    recorded = {**outcome.metrics, **costs(outcome.results)}
    assert parent.data.metrics == {key: value for key, value in recorded.items() if math.isfinite(value)}
    assert parent.data.metrics.keys() >= {"mse_avg", "mse_std", "mse_pooled", "f1_macro_avg"}


def test_a_child_holds_its_folds_scores(outcome: Outcome, children: list[Run]) -> None:
    for child, result in zip(children, outcome.results, strict=True):
        scores = {key: value for key, value in child.data.metrics.items() if "/" not in key}
        recorded = {**result.metrics, **costs([result])}
        assert scores == {key: value for key, value in recorded.items() if math.isfinite(value)}
        assert child.data.params == {
            "chosen_epochs": str(result.estimator.chosen_epochs),
            "test_rows": str(len(result.truth)),
        }


@pytest.mark.parametrize("name", ["search/train_loss", "search/stop_loss", "final/train_loss"])
def test_a_child_holds_the_losses_of_each_epoch_averaged_over_members(
    client: MlflowClient, outcome: Outcome, children: list[Run], name: str
) -> None:
    stage, loss = name.split("/")
    for child, result in zip(children, outcome.results, strict=True):
        history = result.estimator.history
        rows = history[history["stage"] == stage]
        logged = {point.step: point.value for point in client.get_metric_history(child.info.run_id, name)}
        epochs = range(1, (2 if stage == "search" else result.estimator.chosen_epochs) + 1)
        assert sorted(logged) == list(epochs)
        for epoch in epochs:
            assert logged[epoch] == pytest.approx(rows.loc[rows["epoch"] == epoch, loss].mean())
    assert "final/stop_loss" not in children[0].data.metrics


def test_trainings_of_several_lengths_are_told_apart_by_their_length(
    client: MlflowClient, outcome: Outcome, other: Config
) -> None:
    rows = [
        ("search", member, length, epoch, 10.0 * length + epoch + member, float(epoch))
        for length in (1, 2)
        for member in (0, 1)
        for epoch in range(1, length + 1)
    ]
    rows += [("final", member, 2, epoch, 1.0, math.nan) for member in (0, 1) for epoch in (1, 2)]
    estimator = copy.copy(outcome.results[0].estimator)
    estimator.history = pd.DataFrame(rows, columns=["stage", "member", "epochs", "epoch", "train_loss", "stop_loss"])
    with experiment(other, outcome.log, []) as record, record.fold(1):
        record.log_fold(dataclasses.replace(outcome.results[0], estimator=estimator))
    (child,) = [run for run in runs_of(client, other) if run.info.run_name == "fold 1"]
    assert {name for name in child.data.metrics if "/" in name} == {
        *("search_1/train_loss", "search_1/stop_loss", "search_2/train_loss", "search_2/stop_loss"),
        "final/train_loss",
    }
    points = client.get_metric_history(child.info.run_id, "search_2/train_loss")
    assert {point.step: point.value for point in points} == {1: 21.5, 2: 22.5}


def test_the_folds_in_time_the_config_and_the_description_belong_to_the_parent(
    client: MlflowClient, outcome: Outcome, parent: Run, tmp_path: Path
) -> None:
    assert artifacts(client, parent) == ["config.yaml", "figures"]
    assert artifacts(client, parent, "figures") == ["figures/folds.png"]
    (tmp_path / "again.yaml").write_bytes(artifact(parent, "config.yaml"))
    assert load_config(tmp_path / "again.yaml") == outcome.config
    assert f"digest `{outcome.log.digest}`" in parent.data.tags["mlflow.note.content"]


def test_a_child_has_its_pictures(client: MlflowClient, children: list[Run]) -> None:
    for child in children:
        names = artifacts(client, child, "figures")
        assert names == ["figures/confusion.png", "figures/learning_curves.png", "figures/predictions.png"]
        for name in names:
            assert artifact(child, name).startswith(b"\x89PNG")


def test_a_child_has_its_predictions_beside_the_truth(outcome: Outcome, children: list[Run]) -> None:
    for child, result in zip(children, outcome.results, strict=True):
        table = pd.read_csv(io.BytesIO(artifact(child, "predictions.csv")), parse_dates=["time"])
        assert list(table.columns[:3]) == ["time", "truth", "count"]
        assert (table["time"].to_numpy() == outcome.log.times[result.fold.test].to_numpy()).all()
        assert ((table["count"] - table["truth"]) ** 2).mean() == pytest.approx(result.metrics["mse"])


def test_every_run_names_the_log_by_its_digest(outcome: Outcome, parent: Run, children: list[Run]) -> None:
    for run in (parent, *children):
        assert run.inputs is not None
        (given,) = run.inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == ("simulated", outcome.log.digest)


@pytest.mark.parametrize(("refusals", "status"), [(1, "FINISHED"), (2, "FAILED")])
def test_a_log_that_another_run_brought_at_the_same_moment_is_named_all_the_same(
    client: MlflowClient,
    other: Config,
    simulated_log: Log,
    monkeypatch: pytest.MonkeyPatch,
    refusals: int,
    status: str,
) -> None:
    answers = [MlflowException("duplicate key value", BAD_REQUEST)] * refusals
    log_input = mlflow.log_input

    def answer(*arguments: Any, **settings: Any) -> None:
        if answers:
            raise answers.pop()
        log_input(*arguments, **settings)

    monkeypatch.setattr(mlflow, "log_input", answer)
    with pytest.raises(MlflowException) if status == "FAILED" else nullcontext(), experiment(other, simulated_log, []):
        pass
    (run,) = runs_of(client, other)
    assert run.inputs is not None
    digests = [given.dataset.digest for given in run.inputs.dataset_inputs]
    assert (run.info.status, digests) == (status, [simulated_log.digest] if status == "FINISHED" else [])


def test_the_model_of_a_fold_is_named_by_config_and_fold_and_says_what_it_was_fitted_on(
    client: MlflowClient, outcome: Outcome, children: list[Run]
) -> None:
    for child, result in zip(children, outcome.results, strict=True):
        assert child.outputs is not None
        (output,) = child.outputs.model_outputs
        model = client.get_logged_model(output.model_id)
        assert model.name == f"small-fold-{result.fold.number}"
        learned = int(result.fold.train.sum() + result.fold.validation.sum())
        expected = {"dataset": "simulated", "digest": outcome.log.digest, "rows": str(learned)}
        assert model.tags.items() >= expected.items()


@pytest.mark.parametrize("refit", [True, False])
def test_a_model_may_belong_to_a_config_with_any_name(
    client: MlflowClient, outcome: Outcome, other: Config, refit: bool
) -> None:
    train = other.train.model_copy(update={"refit": refit})
    named = other.model_copy(update={"name": "9:30/50 %.v2", "train": train})
    with experiment(named, outcome.log, []) as record, record.fold(1):
        record.log_fold(outcome.results[0])
    (child,) = [run for run in runs_of(client, named) if run.info.run_name == "fold 1"]
    assert child.outputs is not None
    model = client.get_logged_model(child.outputs.model_outputs[0].model_id)
    fold = outcome.results[0].fold
    rows = fold.train.sum() + (fold.validation.sum() if refit else 0)
    assert (model.name, model.tags["rows"]) == ("9-30-50 --v2-fold-1", str(rows))


def test_artifacts_lie_beside_the_store_and_nothing_in_the_working_directory(
    client: MlflowClient, folder: Path, parent: Run
) -> None:
    location = client.get_experiment(parent.info.experiment_id).artifact_location
    assert location == (folder / "store" / "mlruns").as_uri()
    assert sorted(found.name for found in (folder / "store").iterdir()) == ["mlflow.db", "mlflow.db.lock", "mlruns"]
    assert list((folder / "elsewhere").iterdir()) == []


@pytest.fixture(scope="module")
def served(outcome: Outcome, children: list[Run]) -> Any:
    """The second fold's model, loaded as anyone with MLflow would."""
    mlflow.set_tracking_uri(outcome.config.tracking.uri)
    return mlflow.pyfunc.load_model(f"runs:/{children[1].info.run_id}/small-fold-2")


@pytest.fixture(scope="module")
def raw(outcome: Outcome, folder: Path) -> pd.DataFrame:
    """The log as pandas reads it from a CSV, where whole readings are written without a point."""
    times = outcome.log.times
    frame = outcome.log.frame.reset_index(drop=True)
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
    served: Any, raw: pd.DataFrame, outcome: Outcome
) -> None:
    predicted = served.predict(raw)
    numbers = ["mean", "std", "lower", "upper", "epistemic", "aleatoric", "p0", "p1", "p2", "p3"]
    assert list(predicted.columns) == ["time", "count", *numbers]
    assert (predicted["time"].to_numpy() == outcome.log.times.to_numpy()).all()
    result = outcome.results[1]
    expected = result.prediction.to_frame()
    tested = predicted[result.fold.test].reset_index(drop=True)
    assert (tested["count"] == expected["count"]).all()
    np.testing.assert_allclose(tested[numbers], expected[numbers], atol=1e-5)


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
    names = ["time", "count", "mean", "std", "lower", "upper", "epistemic", "aleatoric", "p0", "p1", "p2", "p3"]
    assert signature.outputs.input_names() == names
    assert [kind.name for kind in signature.outputs.input_types()] == ["datetime", "long", *["double"] * 10]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("broken"), "FAILED"),
        (InputError("mistaken"), "FAILED"),
        (Interrupted(), "KILLED"),
        (KeyboardInterrupt(), "KILLED"),
    ],
    ids=["error", "mistake", "interrupted", "ctrl-c"],
)
def test_an_error_ends_its_runs_as_failed_and_a_wish_to_stop_as_killed(
    client: MlflowClient, other: Config, simulated_log: Log, error: BaseException, status: str
) -> None:
    with (  # noqa: PT012 - the runs are to be open
        pytest.raises(type(error)),
        experiment(other, simulated_log, []) as record,
    ):
        with record.fold(1):
            pass
        with record.fold(2):
            raise error
    ended = {run.info.run_name: run.info.status for run in runs_of(client, other)}
    assert ended == {"small": status, "fold 1": "FINISHED", "fold 2": status}
    assert mlflow.active_run() is None


def test_a_stop_while_a_run_begins_ends_it_as_killed(
    client: MlflowClient, other: Config, simulated_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_run = mlflow.start_run

    def stopped(*args: Any, **options: Any) -> None:
        start_run(*args, **options)
        raise Interrupted

    monkeypatch.setattr(mlflow, "start_run", stopped)
    with pytest.raises(Interrupted), experiment(other, simulated_log, []):
        pass
    assert [run.info.status for run in runs_of(client, other)] == ["KILLED"]


def test_what_could_not_be_computed_is_left_out(client: MlflowClient, other: Config, simulated_log: Log) -> None:
    with experiment(other, simulated_log, []) as record:
        record.log_summary({"mse_avg": 0.25, "latency_s_avg": math.nan}, "what was done", Figure())
    assert client.get_run(record.run_id).data.metrics == {"mse_avg": 0.25}


def test_the_parent_is_tagged_with_what_a_comparison_groups_by(outcome: Outcome, parent: Run) -> None:
    config = outcome.config
    expected = {"folds": config.data.folds, "model": "lstm", "config_key": config.key}
    assert parent.data.tags.items() >= expected.items()
    assert parent.data.tags["folds_digest"] == digest_of([result.fold for result in outcome.results])


def test_the_parent_says_whether_its_counts_rest_on_earlier_rows_alone(
    client: MlflowClient, other: Config, simulated_log: Log, parent: Run
) -> None:
    assert parent.data.tags["causal"] == "True"
    with experiment(other, simulated_log, []) as record:
        record.log_summary({}, "looks ahead", Figure(), causal=False)
    assert client.get_run(record.run_id).data.tags["causal"] == "False"


def test_the_report_protocol_is_a_tag(client: MlflowClient, other: Config, simulated_log: Log) -> None:
    with experiment(other.model_copy(update={"protocol": "report"}), simulated_log, []) as record:
        pass
    assert client.get_run(record.run_id).data.tags["protocol"] == "report"


def started(pid: int) -> str:
    return f"{psutil.Process(pid).create_time():.0f}"


def test_runs_that_dead_processes_of_this_machine_left_are_killed_by_the_next_start_and_no_others(
    client: MlflowClient, other: Config, simulated_log: Log
) -> None:
    here, me = socket.gethostname(), os.getpid()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    now = f"{time.time():.0f}"
    cases = {
        "dead": {"host": here, "pid": str(dead.pid), "process_started": now},
        "number given again": {"host": here, "pid": str(me), "process_started": "12345"},
        "without a process": {"host": here},
        "on another machine": {"host": f"not-{here}", "pid": str(dead.pid), "process_started": now},
        "alive": {"host": here, "pid": str(me), "process_started": started(me)},
        "alive, clock set by a second": {"host": here, "pid": str(me), "process_started": f"{int(started(me)) + 1}"},
        "of another tool": {},
    }
    experiment_id = client.create_experiment(f"{other.tracking.experiment}, before")
    runs = {name: client.create_run(experiment_id, run_name=name, tags=tags) for name, tags in cases.items()}
    finished = client.create_run(experiment_id, tags=cases["dead"])
    client.set_terminated(finished.info.run_id)

    with experiment(other, simulated_log, []):
        pass

    ended = {name: client.get_run(run.info.run_id).info.status for name, run in runs.items()}
    orphans = {"dead", "number given again"}  # nothing is known of one without a process
    assert ended == {name: "KILLED" if name in orphans else "RUNNING" for name in cases}
    assert client.get_run(finished.info.run_id).info.status == "FINISHED"
    assert end_orphans(client) == [], "the first start left some for the next"
    for run in runs.values():
        client.set_terminated(run.info.run_id)


def test_a_deleted_experiment_is_refused_before_and_at_the_start(
    client: MlflowClient, other: Config, simulated_log: Log
) -> None:
    client.delete_experiment(client.create_experiment(other.tracking.experiment))
    expected = f"tracking.experiment: {other.tracking.experiment!r} was deleted in {other.tracking.uri}; restore it"
    with pytest.raises(InputError) as caught:
        check_experiment(other)
    assert one_line(caught).startswith(expected)
    with pytest.raises(InputError) as caught, experiment(other, simulated_log, []):
        pytest.fail("it began")
    assert one_line(caught).startswith(expected)


def test_checking_an_experiment_creates_neither_it_nor_the_store(
    client: MlflowClient, other: Config, tmp_path: Path
) -> None:
    check_experiment(other)
    assert client.get_experiment_by_name(other.tracking.experiment) is None
    fresh = Tracking(uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    check_experiment(other.model_copy(update={"tracking": fresh}))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_healthy_but_no_mlflow_is_refused_in_one_line(other: Config) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 404)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            uri = f"http://127.0.0.1:{server.server_port}"
            with pytest.raises(InputError) as caught:
                plan(other.model_copy(update={"tracking": Tracking(uri=uri)}))
        finally:
            server.shutdown()
            thread.join()
    assert " ".join(str(caught.value).split()).startswith(f"tracking.uri: {uri} does not answer as an MLflow store")
