from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from occupancy.config import Tracking
from occupancy.errors import InputError
from occupancy.prediction import from_probabilities
from occupancy.tracking import read
from occupancy.tracking.read import read_predictions, read_runs
from occupancy.tracking.store import prepare_store
from occupancy.tracking.stored_runs import FoldRun, Run, Unusable

# MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")

ROWS = {2: 3, 1: 4}
PROBS = np.random.default_rng(0).dirichlet(np.ones(3), size=4)  # all their digits are needed


def table(rows: int) -> pd.DataFrame:
    times = pd.date_range("2024-01-01 10:00:00.25", periods=rows, freq="30s")
    frame = from_probabilities(times, PROBS[None, :rows]).to_frame()
    frame.insert(1, "truth", 1)
    return frame


def add(client: MlflowClient, experiment_id: str, folder: Path, name: str, folds: dict[int, int]) -> str:
    """Record a run with folds of so many rows, as training does."""
    parent = client.create_run(experiment_id, run_name=name, tags={"protocol": "honest"}).info.run_id
    client.log_param(parent, "seed", 3)
    client.log_metric(parent, "mse_avg", 0.25)
    for number, rows in folds.items():
        tags = {"mlflow.parentRunId": parent, "fold": str(number)}
        child = client.create_run(experiment_id, run_name=f"fold {number}", tags=tags).info.run_id
        client.log_metric(child, "mse", 0.125 * number)
        (folder / "predictions.csv").write_text(table(rows).to_csv(index=False))
        client.log_artifact(child, str(folder / "predictions.csv"))
        client.set_terminated(child)
    client.set_terminated(parent, "FINISHED" if folds else "KILLED")
    return str(parent)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    prepare_store(uri)
    client = MlflowClient(uri)
    experiment_id = client.create_experiment("occupancy", (folder / "ml runs").as_uri())
    add(client, experiment_id, folder, "whole", ROWS)
    add(client, experiment_id, folder, "stopped", {})
    client.delete_experiment(client.create_experiment("deleted"))
    return folder


@pytest.fixture
def folder(shared: Path) -> Path:
    """The store; its artifacts are put back after a test that spoils them."""
    return shared


@pytest.fixture
def tracking(folder: Path) -> Tracking:
    return Tracking(uri=f"sqlite:///{folder / 'mlflow.db'}")


@pytest.fixture
def whole(tracking: Tracking) -> Run:
    return next(run for run in read_runs(tracking) if run.name == "whole")


@pytest.fixture
def predictions(whole: Run) -> Iterator[Path]:
    """The file of the second fold, whole again after the test."""
    path = Path(mlflow.artifacts.download_artifacts(f"{whole.folds[1].artifact_uri}/predictions.csv"))
    content = path.read_bytes()
    yield path
    path.write_bytes(content)


def test_an_experiments_runs_are_read_with_their_folds_in_order(tracking: Tracking) -> None:
    stopped, whole = read_runs(tracking)
    assert (whole.name, whole.status, whole.tags["protocol"]) == ("whole", "FINISHED", "honest")
    assert (whole.params, whole.metrics) == ({"seed": "3"}, {"mse_avg": 0.25})
    assert [(fold.number, fold.metrics) for fold in whole.folds] == [(1, {"mse": 0.125}), (2, {"mse": 0.25})]
    assert (stopped.name, stopped.status, stopped.folds) == ("stopped", "KILLED", [])
    assert stopped.ended >= whole.ended > 1_700_000_000_000


def test_runs_beyond_one_page_are_read_too(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = read_runs(tracking)
    monkeypatch.setattr(read, "_PAGE", 1)
    assert read_runs(tracking) == everything


def test_predictions_are_read_as_they_were_recorded(tracking: Tracking, whole: Run) -> None:
    parts = read_predictions(tracking.uri, whole)
    assert [rows.number for rows in parts] == [1, 2]
    for rows in parts:
        expected = table(ROWS[rows.number])
        assert (rows.times == expected["time"].to_numpy()).all()
        assert rows.times.dtype == np.dtype("datetime64[ns]")
        assert rows.truth.tolist() == [1] * len(expected)
        assert rows.label.tolist() == expected["count"].tolist()
        assert (rows.probs == expected[["p0", "p1", "p2"]].to_numpy()).all()


def test_what_a_model_answered_is_no_probability(tracking: Tracking, whole: Run, predictions: Path) -> None:
    answered = pd.read_csv(predictions).assign(answered=True)
    answered.to_csv(predictions, index=False)
    probs = [rows.probs for rows in read_predictions(tracking.uri, whole)]
    assert {part.shape[1] for part in probs} == {3}


def test_artifacts_elsewhere_are_fetched_through_the_store(
    tracking: Tracking, whole: Run, predictions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(artifact_uri: str, dst_path: str, tracking_uri: str) -> str:
        asked.append((artifact_uri, tracking_uri))
        return str(shutil.copy(predictions, dst_path))

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", download)
    fold = FoldRun(2, {}, "mlflow-artifacts:/1/abc/artifacts/")
    elsewhere = Run(whole.run_id, whole.name, whole.status, 1, {}, {}, {}, [fold])
    (rows,) = read_predictions(tracking.uri, elsewhere)
    assert len(rows.truth) == 3
    assert asked == [("mlflow-artifacts:/1/abc/artifacts/predictions.csv", tracking.uri)]


def test_a_run_whose_folds_were_deleted_cannot_be_used(tracking: Tracking) -> None:
    stopped = read_runs(tracking)[0]
    with pytest.raises(Unusable, match=r"^the runs of its folds are gone$"):
        read_predictions(tracking.uri, stopped)


def test_predictions_that_are_gone_are_named(tracking: Tracking, whole: Run, predictions: Path) -> None:
    predictions.unlink()
    with pytest.raises(Unusable, match=r"^predictions.csv of fold 2 is gone$"):
        read_predictions(tracking.uri, whole)


@pytest.mark.parametrize("content", [b"", b"time,count\n", b"\xff\xfe\x00", "cut", "no count", "words"])
def test_predictions_that_are_no_such_table_are_named(
    tracking: Tracking, whole: Run, predictions: Path, content: bytes | str
) -> None:
    text = predictions.read_text()
    spoiled = {
        "cut": text[: text.rindex(",")],
        "no count": text.replace("count", "number"),
        "words": text.replace(",1,", ",one,", 1),
    }
    predictions.write_bytes(content if isinstance(content, bytes) else spoiled[content].encode())
    with pytest.raises(Unusable, match=r"^predictions.csv of fold 2 can't be read$"):
        read_predictions(tracking.uri, whole)


def refusal(tracking: Tracking) -> str:
    with pytest.raises(InputError) as caught:
        read_runs(tracking)
    return str(caught.value)


def test_a_store_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    said = refusal(Tracking(uri=f"sqlite:///{path}"))
    assert said == (
        f"tracking.uri: {path} is not there; give the store of your runs, or make one by `make compare` or "
        "python -m occupancy.train"
    )
    path.touch()
    assert refusal(Tracking(uri=f"sqlite:///{path}")).startswith(f"tracking.uri: {path} is empty; give the store")
    assert [(found.name, found.stat().st_size) for found in tmp_path.iterdir()] == [("mlflow.db", 0)]


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_text("something else")
    assert refusal(Tracking(uri=f"sqlite:///{path}")) == (
        f"tracking.uri: {path} is not an SQLite database; name another file or move this one away"
    )


def test_an_experiment_that_the_store_does_not_hold_is_refused_with_those_it_holds(tracking: Tracking) -> None:
    unknown = tracking.model_copy(update={"experiment": "occupacy"})
    assert refusal(unknown) == (
        f"tracking.experiment: got 'occupacy', which {tracking.uri} does not hold; there are Default, occupancy"
    )


def test_a_deleted_experiment_is_refused(tracking: Tracking) -> None:
    deleted = tracking.model_copy(update={"experiment": "deleted"})
    assert refusal(deleted) == (
        f"tracking.experiment: 'deleted' was deleted in {tracking.uri}; restore it or choose another"
    )


def test_a_server_that_is_healthy_but_no_mlflow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 503)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
            pass

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            uri = f"http://127.0.0.1:{server.server_port}"
            said = refusal(Tracking(uri=uri))
        finally:
            server.shutdown()
            thread.join()
    assert said.startswith(f"tracking.uri: {uri} does not answer as an MLflow store does")
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ
