"""A team's tracker: the very server of docker-compose.yml on a PostgreSQL of this machine, and four that train at once.

No Docker engine takes part. The server's command, environment and health checks are read from the file; host, ports
and folder are the only words of them that are replaced.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier, get_ident
from typing import Any
from urllib.parse import quote

import mlflow
import numpy as np
import pandas as pd
import psutil
import pytest
import requests
import yaml
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelStatus, Run, ViewType

from occupancy import predict, train
from occupancy.config.parsing import load_config
from occupancy.data.log import Log
from occupancy.data.source import open_log
from occupancy.tracking.record import open_record
from occupancy.tracking.request import Request
from tests.forked import IMPORTED
from tests.places import ROOT

pytestmark = [
    pytest.mark.postgres,
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]

SMOKE = ROOT / "configs" / "smoke.yaml"
SMALL = (
    f"data.folds={ROOT / 'tests' / 'e2e' / 'two_folds.yaml'}",
    "data.simulation.days=3",
    "data.simulation.room.step_s=300",
    "data.max_gap=600",
    "model.dropout=0",  # which at prediction would give a row another mask in a longer log
)
SEEDS = range(4)
GIVEN = {"POSTGRES_PASSWORD": "p@ss:w/rd %41", "TRACKER_HOST": "lab.example:5000"}
PATIENCE_S = 300.0  # with other work on the machine, a start may take long


def filled(text: str) -> str:
    """Return a text of the file with its ``${NAME:-default}`` and ``${NAME:?message}`` filled in, as Compose does."""
    return re.sub(r"\$\{(\w+):[-?]([^}]*)\}", lambda found: GIVEN.get(found[1], found[2]), text)


def replaced(text: str, **words: str) -> str:
    """Return a text with words replaced, each of which must be there."""
    for old, new in words.items():
        assert old in text
        text = text.replace(old, new)
    return text


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Keep a command running in a session of its own; at the end it is stopped, and so is what it leaves behind."""
    process = subprocess.Popen(command, start_new_session=True, text=True, **options)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=PATIENCE_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@dataclass(frozen=True)
class HealthCheck:
    """A health check of the file.

    Attributes:
        command: what is run.
        port: where the service listens.
        environment: what the command sees.
    """

    command: list[str]
    port: int
    environment: Mapping[str, str]

    def succeeds(self) -> bool:
        return subprocess.run(self.command, env=self.environment, capture_output=True, check=False).returncode == 0

    def wait(self, process: subprocess.Popen[str], log: Path) -> None:
        """Return once the service is healthy, and fail if it ends or takes too long."""
        deadline = time.monotonic() + PATIENCE_S
        while not (answers(self.port) and self.succeeds()):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)


def answers(port: int) -> bool:
    """Return whether something listens, which costs less to find out than to start a health check."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionError:
        return False
    return True


def train_with_output_in(output: Path, errors: Path, arguments: Sequence[str]) -> None:
    """Run the command in a process of its own whose output goes into files."""
    for number, path in ((1, output), (2, errors)):
        with path.open("w") as file:
            os.dup2(file.fileno(), number)
    sys.exit(train.main(arguments))


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of docker-compose.yml."""
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"])


@pytest.fixture(scope="module")
def database(services: dict[str, Any], program: Callable[[str], str]) -> Iterator[int]:
    """The port of a PostgreSQL server with the user, the password and the database of the file."""
    said = {name: filled(value) for name, value in services["database"]["environment"].items()}
    port = free_port()
    user: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "password").write_text(said["POSTGRES_PASSWORD"])
        if os.geteuid() == 0:  # as whom PostgreSQL refuses to run
            other = pwd.getpwnam("postgres")
            user = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}
            for path in (home, home / "password"):
                os.chown(path, other.pw_uid, other.pw_gid)
        options: dict[str, Any] = {"cwd": home, **user}
        data = str(home / "data")
        who = ["--username", said["POSTGRES_USER"], "--pwfile", str(home / "password"), "--auth", "scram-sha-256"]
        quick = ["--no-sync", "--no-locale", "--encoding", "UTF8"]
        subprocess.run([program("initdb"), "-D", data, *who, *quick], check=True, capture_output=True, **options)
        own = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": "", "fsync": "off"}
        settings = [word for name, value in own.items() for word in ("-c", f"{name}={value}")]
        environment = {**os.environ, "PGPORT": str(port), "PGPASSWORD": said["POSTGRES_PASSWORD"]}
        kind, name, *rest = services["database"]["healthcheck"]["test"]
        assert kind == "CMD"
        check = HealthCheck([program(name), *rest], port, environment)
        assert not check.succeeds(), "nothing runs yet"
        log = home / "log"
        with (
            log.open("w") as output,
            running(
                [program("postgres"), "-D", data, *settings], stdout=output, stderr=subprocess.STDOUT, **options
            ) as server,
        ):
            check.wait(server, log)
            subprocess.run(
                [program("createdb"), "--host=127.0.0.1", f"--username={said['POSTGRES_USER']}", said["POSTGRES_DB"]],
                env=environment,
                check=True,
            )
            yield port


@dataclass
class Tracker:
    """The server of the file.

    Attributes:
        process: its first process.
        artifacts: where it keeps files.
        log: what it says.
    """

    port: int
    process: subprocess.Popen[str]
    artifacts: Path
    log: Path

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    @property
    def experiment_id(self) -> str:
        found = self.client.get_experiment_by_name("occupancy")
        assert found is not None
        return str(found.experiment_id)

    def runs(self) -> list[Run]:
        return list(self.client.search_runs([self.experiment_id], max_results=1000))

    def models(self) -> list[LoggedModel]:
        return list(self.client.search_logged_models([self.experiment_id]))


@pytest.fixture(scope="module")
def tracker(services: dict[str, Any], database: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracker]:
    said = services["tracker"]
    home, port = tmp_path_factory.mktemp("tracker"), free_port()
    elsewhere = {"0.0.0.0": "127.0.0.1", "port=5000": f"port={port}", "@database/": f"@127.0.0.1:{database}/"}  # noqa: S104
    command = replaced("\n".join(said["command"]), **elsewhere, **{"/artifacts": str(home / "artifacts")}).split("\n")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "PG"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**bare, "PATH": path, **{name: filled(value) for name, value in said["environment"].items()}}
    program = shutil.which(command[0], path=path)
    assert program is not None
    kind, _, *rest = replaced("\n".join(said["healthcheck"]["test"]), **{":5000": f":{port}"}).split("\n")
    assert kind == "CMD"
    check = HealthCheck([sys.executable, *rest], port, environment)
    assert not check.succeeds(), "nothing runs yet"
    (home / "work").mkdir()
    log = home / "log"
    with (
        log.open("w") as output,
        running(
            [program, *command[1:]], cwd=home / "work", env=environment, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        check.wait(process, log)
        yield Tracker(port, process, home / "artifacts", log)
        assert list((home / "work").iterdir()) == []


@pytest.fixture(scope="module")
def printed(tracker: Tracker, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What four that trained at once printed, by the id of the run."""
    # Processes are forked from one that has imported everything, which takes longer than so small a training.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(IMPORTED)
    folder = tmp_path_factory.mktemp("work")
    started = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for seed in SEEDS:
            files = folder / f"{seed}.out", folder / f"{seed}.err"
            arguments = ["--config", str(SMOKE), *SMALL, f"tracking.uri={tracker.uri}", f"seed={seed}", "--json"]
            arguments += ["--workers", "1"]  # a pool of each would import everything anew
            started.append((*files, processes.Process(target=train_with_output_in, args=(*files, arguments))))
            started[-1][2].start()
    for _, errors, process in started:
        process.join(PATIENCE_S)
        assert (errors.read_text(), process.exitcode) == ("", 0)
    trees = [json.loads(output.read_text()) for output, *_ in started]
    return {tree["run_id"]: tree for tree in trees}


def test_the_file_holds_no_password_pins_its_image_and_publishes_on_loopback_alone(services: dict[str, Any]) -> None:
    passwords = (
        services["database"]["environment"]["POSTGRES_PASSWORD"],
        services["tracker"]["environment"]["PGPASSWORD"],
    )
    assert all(re.fullmatch(r"\$\{POSTGRES_PASSWORD:\?[^}]+\}", password) for password in passwords)
    assert re.fullmatch(r"postgres:\d+\.\d+-\w+", services["database"]["image"])
    assert "ports" not in services["database"]
    assert [filled(port) for port in services["tracker"]["ports"]] == ["127.0.0.1:5000:5000"]


def test_four_that_train_at_once_leave_four_finished_experiments_of_two_finished_folds(
    tracker: Tracker, printed: dict[str, dict[str, Any]]
) -> None:
    names = [found.name for found in tracker.client.search_experiments(ViewType.ALL)]
    assert names.count("occupancy") == 1
    assert len(printed) == len(SEEDS)
    runs = tracker.runs()
    assert {run.info.status for run in runs} == {"FINISHED"}
    families = sorted((run.data.tags.get("mlflow.parentRunId", run.info.run_id), run.info.run_name) for run in runs)
    assert families == [(run_id, name) for run_id in sorted(printed) for name in ("fold 1", "fold 2", "smoke")]
    seeds = {run.info.run_id: run.data.params["seed"] for run in runs if run.info.run_id in printed}
    assert sorted(seeds.values()) == [str(seed) for seed in SEEDS]


def test_every_score_and_every_curve_reaches_the_server(tracker: Tracker, printed: dict[str, dict[str, Any]]) -> None:
    for run in tracker.runs():
        if run.info.run_id in printed:
            expected = printed[run.info.run_id]["metrics"]
        else:
            folds = printed[run.data.tags["mlflow.parentRunId"]]["folds"]
            (expected,) = [fold["metrics"] for fold in folds if str(fold["fold"]) == run.data.tags["fold"]]
            curve = tracker.client.get_metric_history(run.info.run_id, "final/train_loss")
            assert [point.step for point in curve] == list(range(1, int(run.data.params["chosen_epochs"]) + 1))
        given = {name: value for name, value in expected.items() if value is not None}
        assert given.items() <= run.data.metrics.items()
    assert len({tree["metrics"]["mse_mean_avg"] for tree in printed.values()}) == len(SEEDS), "seeds are mixed up"


def test_every_file_of_every_run_comes_back_through_the_server(
    tracker: Tracker, printed: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    for run in tracker.runs():
        assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
        got = Path(tracker.client.download_artifacts(run.info.run_id, "", str(tmp_path)))
        files = {str(path.relative_to(got)): path for path in got.rglob("*") if path.is_file()}
        if run.info.run_id in printed:
            assert set(files) == {"config.yaml", "figures/folds.png"}
        else:
            figures = {f"figures/{name}.png" for name in ("predictions", "confusion", "learning_curves")}
            assert set(files) == {"predictions.csv", "history.csv", *figures}
            assert len(pd.read_csv(files["predictions.csv"])) == json.loads(run.data.params["rows"])["test"]
        assert all(path.read_bytes().startswith(b"\x89PNG") for name, path in files.items() if name.endswith(".png"))
        shutil.rmtree(got)
    assert len([*tracker.artifacts.rglob("predictions.csv")]) == 2 * len(SEEDS)


def test_the_models_come_back_through_the_server_and_predict_what_was_recorded(
    tracker: Tracker,
    printed: dict[str, dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert printed
    frame = open_log(load_config(SMOKE, SMALL).data)[0].frame
    times = pd.DatetimeIndex(frame.index)
    frame.insert(0, "Date", times.strftime("%Y/%m/%d"))
    frame.insert(1, "Time", times.strftime("%H:%M:%S"))
    frame.to_csv(tmp_path / "log.csv", index=False)
    assert Counter(model.status for model in tracker.models()) == {LoggedModelStatus.READY: 3 * len(SEEDS)}, (
        "two folds and the model to use"
    )
    for run in tracker.runs():
        if run.data.tags.get("fold") != "2":
            continue
        arguments = ("--run", run.info.run_id, "--csv", str(tmp_path / "log.csv"), f"tracking.uri={tracker.uri}")
        assert predict.main(arguments) == 0
        counted = pd.read_csv(io.StringIO(capsys.readouterr().out))
        tracker.client.download_artifacts(run.info.run_id, "predictions.csv", str(tmp_path))
        recorded = pd.read_csv(tmp_path / "predictions.csv")
        both = counted.merge(recorded, on="time", suffixes=("", "_recorded"))
        assert len(both) == len(recorded)
        np.testing.assert_allclose(both["mean"], both["mean_recorded"], rtol=1e-4, atol=1e-4)


def test_runs_that_bring_the_same_new_log_at_once_all_name_it(
    tracker: Tracker, simulated_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, log_inputs = mlflow.get_tracking_uri(), MlflowClient.log_inputs
    at_once = 8
    config = load_config(SMOKE, [*SMALL, f"tracking.uri={tracker.uri}", "tracking.experiment=crowd"])
    together, arrived = Barrier(at_once), set[int]()

    def log_together(*arguments: Any, **settings: Any) -> None:
        if get_ident() not in arrived:
            arrived.add(get_ident())
            together.wait(PATIENCE_S)
        log_inputs(*arguments, **settings)

    def record(_: int) -> None:
        with open_record(Request(config.tracking, config.name, {}, config.flat(), {}, simulated_log)):
            pass

    monkeypatch.setattr(MlflowClient, "log_inputs", log_together)
    try:
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(record, range(at_once)))
    finally:
        mlflow.set_tracking_uri(before)
    found = tracker.client.get_experiment_by_name("crowd")
    assert found is not None
    runs = tracker.client.search_runs([found.experiment_id])
    digests = [given.dataset.digest for run in runs if run.inputs for given in run.inputs.dataset_inputs]
    assert [run.info.status for run in runs] == ["FINISHED"] * at_once
    assert digests == [simulated_log.digest] * at_once


def test_a_name_that_the_server_does_not_go_by_is_one_line_and_exit_code_2(
    tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = f"http://127.1:{tracker.port}"  # another spelling of 127.0.0.1
    assert train.main(("--config", str(SMOKE), *SMALL, f"tracking.uri={uri}")) == 2
    output, errors = capsys.readouterr()
    assert (output, errors.count("\n")) == ("", 1)
    assert f"tracking.uri: {uri} is a name that the server does not accept (HTTP 403); give the address as" in errors


def test_only_its_own_hosts_and_pages_may_talk_to_the_server(tracker: Tracker) -> None:
    def status(host: str, origin: str | None = None) -> int:
        return requests.post(
            f"{tracker.uri}/ajax-api/2.0/mlflow/runs/search",
            json={"experiment_ids": ["0"], "max_results": 1},
            headers={"Host": host, **({} if origin is None else {"Origin": origin})},
            timeout=PATIENCE_S,
        ).status_code

    assert status("evil.example") == 403
    assert status("192.168.0.7:5000") == 403
    for host in (f"127.0.0.1:{tracker.port}", "localhost:5000", "tracker:5000", GIVEN["TRACKER_HOST"]):
        assert status(host) == 200
    assert status(GIVEN["TRACKER_HOST"], f"http://{GIVEN['TRACKER_HOST']}") == 200
    assert status(GIVEN["TRACKER_HOST"], "http://evil.example") == 403


def test_the_server_executes_no_jobs(tracker: Tracker) -> None:
    job = {"job_name": "run_online_trace_scorer", "params": {}}
    answer = requests.post(f"{tracker.uri}/ajax-api/3.0/jobs/", json=job, timeout=PATIENCE_S)
    assert answer.status_code >= 400
    assert "job execution feature is not enabled" in answer.text
    commands = [" ".join(child.cmdline()) for child in psutil.Process(tracker.process.pid).children(recursive=True)]
    assert any("uvicorn" in command for command in commands)
    assert not any("huey" in command or "mlflow.server.jobs" in command for command in commands)


def test_the_server_met_no_error_while_four_trained(tracker: Tracker, printed: dict[str, dict[str, Any]]) -> None:
    assert printed
    lines = tracker.log.read_text().splitlines()
    assert any('"POST /api/2.0/mlflow/runs/log-batch HTTP/1.1" 200' in line for line in lines)
    wrong = re.compile(r'\b(Traceback|ERROR|CRITICAL)\b|HTTP/1.1" 5')
    assert [line for line in lines if wrong.search(line) and "/jobs/" not in line] == []


def test_the_password_of_a_database_is_on_no_screen_and_not_in_the_list_of_processes_while_its_runs_are_shown(
    database: int, printed: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    assert printed, "the database has runs"
    password, place = quote(GIVEN["POSTGRES_PASSWORD"], safe=""), f"127.0.0.1:{database}/mlflow"
    port, told = free_port(), tmp_path / "told.txt"
    command = [sys.executable, "-m", "occupancy", "ui", f"tracking.uri=postgresql+psycopg://mlflow:{password}@{place}"]
    with (
        told.open("w") as output,
        running([*command, f"--port={port}"], stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        deadline = time.monotonic() + PATIENCE_S
        while not answers(port):
            assert process.poll() is None, told.read_text()
            assert time.monotonic() < deadline, told.read_text()
            time.sleep(0.2)
        whole = psutil.Process(process.pid)
        shown = [argument for each in [whole, *whole.children(recursive=True)] for argument in each.cmdline()]
    assert f"tracking.uri=postgresql+psycopg://mlflow:***@{place}" in " ".join(shown)
    assert [argument for argument in shown if password in argument or GIVEN["POSTGRES_PASSWORD"] in argument] == []
    assert password not in told.read_text()


def test_a_wrong_password_of_a_database_is_refused_in_one_line_without_it(
    database: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"127.0.0.1:{database}/mlflow"
    monkeypatch.setenv("STORE_PASSWORD", "s3cret/wr0ng")
    for login in ("mlflow:s3cret%2Fwr0ng", "mlflow:${STORE_PASSWORD}"):
        given = ("--config", str(SMOKE), "--dry-run", f"tracking.uri=postgresql+psycopg://{login}@{place}")
        assert train.main(given) == 2
        output, errors = capsys.readouterr()
        assert (output, errors.count("\n")) == ("", 1)
        assert "refuses the connection: (psycopg.OperationalError)" in errors
        assert "s3cret" not in errors
        assert "wr0ng" not in errors


@pytest.mark.parametrize(("name", "login"), [("STORE_PASSWORD", "mlflow:${STORE_PASSWORD}"), ("PGPASSWORD", "mlflow")])
def test_a_database_takes_its_password_from_the_environment(
    database: int, name: str, login: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, GIVEN["POSTGRES_PASSWORD"])
    uri = f"tracking.uri=postgresql+psycopg://{login}@127.0.0.1:{database}/mlflow"
    assert train.main(("--config", str(SMOKE), "--dry-run", uri)) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    assert GIVEN["POSTGRES_PASSWORD"] not in output
    assert f"{login}@127.0.0.1" in output, "the config is shown with the name of the variable"
