"""The experiment in MLflow that runs belong to: checked before the start, made and opened at the start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient

from occupancy.config import Config, Tracking
from occupancy.errors import InputError
from occupancy.experiments.plan import plan
from occupancy.tracking.experiment import check_experiment, open_experiment
from occupancy.tracking.run import end_orphans
from tests.experiments.made_experiments import tracking_apart


@pytest.fixture
def tracking(tmp_path: Path, new_store: Callable[[Path], str]) -> Iterator[Tracking]:
    """An experiment that a store doesn't hold yet."""
    with tracking_apart():
        yield Tracking(uri=new_store(tmp_path / "mlflow.db"), experiment="mine")


@pytest.fixture
def client(tracking: Tracking) -> MlflowClient:
    return MlflowClient(tracking.uri)


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_experiment_is_made_once_with_its_files_beside_the_store(tracking: Tracking, tmp_path: Path) -> None:
    client, made = open_experiment(tracking)
    found = client.get_experiment(made)
    assert (found.name, found.artifact_location) == ("mine", (tmp_path / "mlruns").as_uri())
    assert open_experiment(tracking)[1] == made


def test_the_description_of_an_experiment_is_the_users_to_change(tracking: Tracking) -> None:
    client, made = open_experiment(tracking)
    assert client.get_experiment(made).tags["mlflow.note.content"].startswith("Compare `mse`")
    client.set_experiment_tag(made, "mlflow.note.content", "mine")
    open_experiment(tracking)
    assert client.get_experiment(made).tags["mlflow.note.content"] == "mine"


def started(pid: int) -> str:
    return f"{psutil.Process(pid).create_time():.0f}"


def test_runs_that_dead_processes_of_this_machine_left_are_killed_by_the_next_start_and_no_others(
    client: MlflowClient, tracking: Tracking
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
    experiment_id = client.create_experiment("another")
    runs = {name: client.create_run(experiment_id, run_name=name, tags=tags) for name, tags in cases.items()}
    finished = client.create_run(experiment_id, tags=cases["dead"])
    client.set_terminated(finished.info.run_id)

    open_experiment(tracking)

    ended = {name: client.get_run(run.info.run_id).info.status for name, run in runs.items()}
    orphans = {"dead", "number given again"}  # nothing is known of one without a process
    assert ended == {name: "KILLED" if name in orphans else "RUNNING" for name in cases}
    assert client.get_run(finished.info.run_id).info.status == "FINISHED"
    assert end_orphans(client) == [], "the first start left some for the next"


def test_a_deleted_experiment_is_refused_before_and_at_the_start(client: MlflowClient, tracking: Tracking) -> None:
    client.delete_experiment(client.create_experiment("mine"))
    expected = f"tracking.experiment: 'mine' was deleted in {tracking.uri}; restore it"
    for refuse in (check_experiment, open_experiment):
        with pytest.raises(InputError) as caught:
            refuse(tracking)
        assert one_line(caught).startswith(expected)


def test_checking_an_experiment_creates_neither_it_nor_the_store(
    client: MlflowClient, tracking: Tracking, tmp_path: Path
) -> None:
    check_experiment(tracking)
    assert client.get_experiment_by_name("mine") is None
    (tmp_path / "fresh").mkdir()
    check_experiment(Tracking(uri=f"sqlite:///{tmp_path / 'fresh' / 'mlflow.db'}"))
    assert list((tmp_path / "fresh").iterdir()) == []


@contextmanager
def healthy_server(otherwise: int) -> Iterator[str]:
    """Give the address of a server that says it is well, and answers everything else with a status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else otherwise)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_server_that_is_healthy_but_no_mlflow_is_refused_in_one_line() -> None:
    with healthy_server(otherwise=404) as uri, pytest.raises(InputError) as caught:
        plan(Config(name="room", tracking=Tracking(uri=uri)))
    assert one_line(caught).startswith(f"tracking.uri: {uri} does not answer as an MLflow store")


def test_a_server_whose_interface_is_out_of_order_is_refused_within_ten_seconds() -> None:
    with healthy_server(otherwise=503) as uri:
        start = time.monotonic()
        with pytest.raises(InputError, match="does not answer as an MLflow store does"):
            check_experiment(Tracking(uri=uri))
        assert time.monotonic() - start < 10
