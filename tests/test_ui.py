from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from occupancy import ui
from occupancy.tracking import view
from occupancy.tracking.store import prepare_store

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with an experiment and no runs."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('ui') / 'mlflow.db'}"
    prepare_store(uri)
    MlflowClient(uri).create_experiment("occupancy", tags=view.tags())
    MlflowClient(uri).create_experiment("another")
    return uri


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The command and the environment that the process gave way to."""
    calls: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda _, command, environment: calls.extend([command, environment]))
    return calls


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_without_a_store_it_says_so_in_one_line_and_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ui.main([f"tracking.uri=sqlite:///{tmp_path / 'mlflow.db'}"]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"occupancy ui: tracking.uri: {tmp_path / 'mlflow.db'} is not there")
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_named_in_one_line(
    uri: str, capsys: pytest.CaptureFixture[str], replaced: list[Any]
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert ui.main([f"tracking.uri={uri}", "--port", str(port)]) == 2
    output, errors = capsys.readouterr()
    assert errors == f"occupancy ui: --port: got {port}, which can't be used (Address already in use); give another\n"
    assert (output, replaced) == ("", [])


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_cannot_be_is_refused(
    uri: str, port: str, capsys: pytest.CaptureFixture[str], replaced: list[Any]
) -> None:
    assert ui.main([f"tracking.uri={uri}", f"--port={port}"]) == 2
    assert "expected 0 to 65535" in capsys.readouterr().err
    assert replaced == []


def test_it_tells_the_address_and_serves_this_machine_alone_without_jobs_or_telemetry(
    uri: str, capsys: pytest.CaptureFixture[str], replaced: list[Any]
) -> None:
    port = free_port()
    assert ui.main([f"tracking.uri={uri}", f"--port={port}"]) == 0
    address = f"http://127.0.0.1:{port}/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=scores"
    assert capsys.readouterr().out == f"open {address} (Ctrl-C ends)\n"
    command, environment = replaced
    assert command[command.index("--backend-store-uri") + 1] == uri
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == str(port)
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_an_experiment_of_another_make_is_opened_without_the_view_that_it_lacks(
    uri: str, capsys: pytest.CaptureFixture[str], replaced: list[Any]
) -> None:
    assert ui.main([f"tracking.uri={uri}", "tracking.experiment=another", f"--port={free_port()}"]) == 0
    assert "/#/experiments/2/runs?workflowType=machine_learning (Ctrl-C ends)" in capsys.readouterr().out
    assert replaced
