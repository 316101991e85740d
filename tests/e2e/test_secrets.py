"""Passwords of stores, as users type them: on no screen, in no record, and not in the list of processes."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from occupancy import compare, predict, train, tune, ui
from occupancy.__main__ import main as command
from tests.experiments.made_experiments import MLFLOW_WARNS, tracking_apart
from tests.places import ROOT
from tests.secret_addresses import FORMS, leaked

pytestmark = [
    *MLFLOW_WARNS,
    pytest.mark.usefixtures("no_drawing"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
]

PATIENCE_S = 240.0
SMALL = f"""
data:
  source: simulated
  folds: {ROOT / "tests" / "e2e" / "two_folds.yaml"}
  max_gap: 600
  simulation: {{days: 3, room: {{step_s: 300}}}}
model: {{name: majority}}
"""
COMMANDS: dict[str, tuple[Callable[[list[str]], int], list[str]]] = {
    "train": (train.main, ["--config", "small.yaml", "--dry-run"]),
    "tune": (tune.main, ["--config", "search.yaml", "--dry-run"]),
    "compare": (compare.main, []),
    "predict by run": (predict.main, ["--run", "ab12", "--csv", "log.csv"]),
    "predict by name": (predict.main, ["--model", "office", "--csv", "log.csv"]),
    "ui": (ui.main, []),
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a config, a search and a log."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "search.yaml").write_text(f"{SMALL}search: {{over: {{seed: [0, 1]}}}}\n")
    (tmp_path / "log.csv").write_text("Date,Time,S5_CO2\n2024/01/01,00:00:00,400\n")
    return tmp_path


def refusal(
    main: Callable[[list[str]], int],
    given: list[str],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> str:
    """Return what a command says and logs that refuses what it was given, in a line."""
    capsys.readouterr()
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        try:
            code = main(given)
        except SystemExit as error:  # argparse
            code = int(error.code or 0)
    output, errors = capsys.readouterr()
    assert (code, output, errors.count("\n")) == (2, "", 1), (output, errors)
    return errors + caplog.text


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_shows_or_logs_the_secret_of_an_address_of_any_form(
    command: str, desk: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    main, given = COMMANDS[command]
    said = {name: refusal(main, [*given, f"tracking.uri={address}"], capsys, caplog) for name, address in FORMS.items()}
    assert {name: text for name, text in said.items() if leaked(text)} == {}
    assert all("tracking.uri" in text for text in said.values()), "something else was wrong"


@pytest.mark.parametrize(
    "given",
    [
        ["{}"],
        ["tracking={}"],
        ["tracking.url={}"],
        ["tracking.uri.x={}"],
        ["tracking.uri=[{}, {}]"],
        ["tracking={{uri: {}}}", "tracking.uri={}"],
        ["--tracking.uri={}"],
        ["--tracking.uri", "{}"],
        ["tracking.experiment.x={}"],
        ["seed={}"],
    ],
    ids=" ".join,
)
def test_no_misplaced_address_is_told_with_its_secret(
    given: list[str], desk: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    arguments = {name: [one.format(address, address) for one in given] for name, address in FORMS.items()}
    said = {
        name: refusal(train.main, ["--config", "small.yaml", "--dry-run", *each], capsys, caplog)
        for name, each in arguments.items()
    }
    assert {name: text for name, text in said.items() if leaked(text)} == {}


@pytest.mark.parametrize(
    "text",
    [
        'tracking: {{uri: "{}}}\n',
        "tracking: {{uri: '{}', uri: '{}'}}\n",
        "tracking: {}\n",
        "{}\n",
        "tracking:\n  uri: {}\n bad: {}\n",
        "tracking:\n- uri: '{}'\n",
        "tracking:\n  uri:\n    '{}': 1\n",
    ],
)
def test_no_config_that_is_wrong_is_told_with_the_secret_in_it(
    text: str, desk: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    said = {}
    for name, address in FORMS.items():
        (desk / "wrong.yaml").write_text(text.format(address, address))
        said[name] = refusal(train.main, ["--config", "wrong.yaml", "--dry-run"], capsys, caplog)
    assert {name: told for name, told in said.items() if leaked(told)} == {}


# A server of MLflow that takes any login, trained into by a process that gives one.


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[Path], str]) -> Iterator[tuple[Path, str]]:
    """Give the folder of a server and its host."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    uri = new_store(folder / "mlflow.db")
    command = [sys.executable, "-m", "mlflow", "server", f"--port={port}", "--workers=1", f"--backend-store-uri={uri}"]
    command.append(f"--artifacts-destination={folder / 'artifacts'}")
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
    with (folder / "told.txt").open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok:
                    break
            time.sleep(0.1)
        yield folder, f"127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def arguments_of(process: psutil.Popen) -> set[str]:
    """Return the arguments that the system shows of a process and of those that it started."""
    shown = set()
    with contextlib.suppress(psutil.NoSuchProcess):
        for each in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                shown.update(each.cmdline())
    return shown


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="the system lists processes elsewhere")
def test_a_password_that_was_typed_is_in_no_record_on_no_screen_and_not_in_the_list_of_processes(
    server: tuple[Path, str], tmp_path: Path
) -> None:
    folder, host = server
    (tmp_path / "small.yaml").write_text(SMALL)
    command = [sys.executable, "-m", "occupancy", "train", "--config", "small.yaml", "--workers", "2"]
    command.append(f"tracking.uri=http://ann:s3c%40tpw@{host}")
    with psutil.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        output = process.stdout.readline()  # from here on, nothing shows it
        shown: set[str] = set()
        while process.poll() is None:
            shown |= arguments_of(process)
            time.sleep(0.02)
        output += process.stdout.read()
    assert process.returncode == 0, output
    assert leaked(output) == []
    assert "run      " in output
    assert f"in http://ann:***@{host}" in output
    assert any(host in argument for argument in shown), "nobody looked"
    assert [argument for argument in shown if leaked(argument)] == []
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    whole = (b"s3c@tpw", b"s3c%40tpw")  # a part of it may stand in a binary file by chance
    assert [path for path in files if any(secret in path.read_bytes() for secret in whole)] == []


def test_a_login_of_the_environment_reaches_every_command(
    server: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, host = server
    (tmp_path / "small.yaml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORE_PASSWORD", "s3c@/tpw")

    def run(name: str, *arguments: str) -> str:
        capsys.readouterr()
        uri = [] if name == "data" else ["tracking.uri=http://ann:${STORE_PASSWORD}@" + host]
        code = command([name, *arguments, *uri])
        output, errors = capsys.readouterr()
        assert code == 0, errors
        assert leaked(output + errors) == []
        return output

    with tracking_apart():
        trained = json.loads(run("train", "--config", "small.yaml", "--json", "--workers", "1"))
        run("compare", "--json", "data.folds=" + str(ROOT / "tests" / "e2e" / "two_folds.yaml"))
        assert f"open http://{host}/#/experiments/" in run("ui")
        run("data", "source=simulated", "simulation.days=3", "simulation.room.step_s=300", "--out", "log.csv")
        assert run("predict", "--run", trained["run_id"], "--csv", "log.csv").count("\n") > 100
        assert run("predict", "--model", trained["model"], "--csv", "log.csv").count("\n") > 100
