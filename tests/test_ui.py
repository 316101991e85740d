from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from mlflow.entities import Experiment

from occupancy import ui
from occupancy.tracking import view
from occupancy.tracking.store import prepare_store

# MLflow says so of a class of its own when its command line is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")


PATIENCE_S = 120.0  # with other work on the machine, a start may take long


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with an experiment and no runs."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('ui') / 'mlflow.db'}"
    prepare_store(uri)
    MlflowClient(uri).create_experiment("occupancy", tags=view.tags())
    MlflowClient(uri).create_experiment("another")
    return uri


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The command that MLflow was given, and the environment that it met."""
    from mlflow.cli import cli

    calls: list[Any] = []
    monkeypatch.setattr(cli, "main", lambda command, **_: calls.extend([command, dict(os.environ)]))
    for name in (*ui.QUIET, "MLFLOW_BACKEND_STORE_URI", "MLFLOW_REGISTRY_STORE_URI"):
        monkeypatch.setenv(name, "as before")  # so that it is gone again after the test
    return calls


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_an_example_of_a_setting_is_one_that_the_command_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert ui.main(["foo"]) == 2
    said = capsys.readouterr().err
    assert (
        said == "occupancy ui: command line: got 'foo', expected key=value such as tracking.uri=sqlite:///mlflow.db\n"
    )


def test_without_a_store_it_says_so_in_one_line_and_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ui.main([f"tracking.uri=sqlite:///{tmp_path / 'mlflow.db'}"]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"occupancy ui: tracking.uri: {tmp_path / 'mlflow.db'} is not there")
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_named_in_one_line(
    uri: str, capsys: pytest.CaptureFixture[str], served: list[Any]
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert ui.main([f"tracking.uri={uri}", "--port", str(port)]) == 2
    output, errors = capsys.readouterr()
    assert errors == f"occupancy ui: --port: got {port}, which can't be used (Address already in use); give another\n"
    assert (output, served) == ("", [])


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_cannot_be_is_refused(
    uri: str, port: str, capsys: pytest.CaptureFixture[str], served: list[Any]
) -> None:
    assert ui.main([f"tracking.uri={uri}", f"--port={port}"]) == 2
    assert "expected 0 to 65535" in capsys.readouterr().err
    assert served == []


def test_it_tells_the_address_and_serves_this_machine_alone_without_jobs_or_telemetry(
    uri: str, capsys: pytest.CaptureFixture[str], served: list[Any]
) -> None:
    port = free_port()
    assert ui.main([f"tracking.uri={uri}", f"--port={port}"]) == 0
    address = f"http://127.0.0.1:{port}/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=scores"
    assert capsys.readouterr().out == f"open {address} (Ctrl-C ends)\n"
    command, environment = served
    assert environment["MLFLOW_BACKEND_STORE_URI"] == environment["MLFLOW_REGISTRY_STORE_URI"] == uri
    assert not [argument for argument in command if uri in argument], "the list of processes would show a password"
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == str(port)
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_the_page_of_a_server_is_told_without_the_login_for_which_a_browser_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = Experiment("7", "occupancy", "/artifacts", "active")
    monkeypatch.setattr("occupancy.tracking.read.find_experiment", lambda _tracking: experiment)
    assert ui.main(["tracking.uri=HTTPS://ann:s3cret@lab:5000/mlflow/?token=s3cret"]) == 0
    told = capsys.readouterr().out
    assert told == "open https://lab:5000/mlflow/#/experiments/7/runs?workflowType=machine_learning\n"


def test_a_server_that_cannot_begin_is_told_in_one_line(
    uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], served: list[Any]
) -> None:
    from mlflow.cli import cli

    monkeypatch.setattr(cli, "main", lambda _command, **_: sys.exit(1))
    assert ui.main([f"tracking.uri={uri}", f"--port={free_port()}"]) == 2
    assert capsys.readouterr().err == (
        f"occupancy ui: tracking.uri: {uri} can't be served any more; give the same command again\n"
    )
    assert served == []


def test_an_experiment_of_another_make_is_opened_without_the_view_that_it_lacks(
    uri: str, capsys: pytest.CaptureFixture[str], served: list[Any]
) -> None:
    assert ui.main([f"tracking.uri={uri}", "tracking.experiment=another", f"--port={free_port()}"]) == 0
    assert "/#/experiments/2/runs?workflowType=machine_learning (Ctrl-C ends)" in capsys.readouterr().out
    assert served


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_or_a_wish_to_stop_ends_the_server_without_a_traceback(
    uri: str, tmp_path: Path, number: signal.Signals
) -> None:
    port, told = free_port(), tmp_path / "told.txt"
    command = [sys.executable, "-m", "occupancy", "ui", f"tracking.uri={uri}", f"--port={port}"]
    with told.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        wait_for(port, server)
        os.killpg(server.pid, number)  # as a terminal does: all processes get it
        assert server.wait(PATIENCE_S) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
    lines = told.read_text().splitlines()
    assert lines[0].startswith(f"open http://127.0.0.1:{port}/#/experiments/1/runs")
    assert [line for line in lines[1:] if line.strip() and not line.startswith("[MLflow] Security middleware")] == []
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/health", timeout=5)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            assert requests.get(f"http://127.0.0.1:{port}/health", timeout=5).text == "OK"
            return
        time.sleep(0.1)
    pytest.fail("no server")
