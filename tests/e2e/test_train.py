"""`occupancy train` as a user runs it: killed, stopped, piped and mistyped."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch
import yaml

from occupancy.config import LSTM, Config
from occupancy.tracking import remote
from tests.e2e.trainings import SMALL_LOG, SMOKE, TINY, Ended, call, captured, read_runs
from tests.forked import Forked
from tests.places import ROOT
from tests.undrawn import undrawn

pytestmark = [
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

ENDLESS = (*SMALL_LOG, "train.max_epochs=100000")
# The processes of its pool import neither torch nor Lightning, which takes longer than the training.
FOREST = (*SMALL_LOG, "model={name: random_forest, trees: 2}")
LOADING = "training smoke: loading the log\n"
PATIENCE_S = 300.0  # with other work on the machine, a start may take long


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    # Not unbuffered, as a test runner may be: what a user's shell would do.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-m", "occupancy.train", "--config", str(SMOKE), *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> Ended:
    output, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, output, errors


def wait_until(condition: Callable[[], Any], process: subprocess.Popen[str] | Forked) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if process.poll() is not None:
            pytest.fail(f"ended with {process.returncode}")
        if time.monotonic() > deadline:
            process.kill()
            pytest.fail("nothing happened")
        time.sleep(0.02)


def is_training(path: Path, pid: int) -> bool:
    """Return whether a process has begun to train: its run is open and knows its log."""
    if not path.exists():
        return False
    found = read_runs(path)
    runs = found.with_dataset & found.tags.keys()  # models have datasets too
    mine = [run for run in runs if found.tags[run].get("pid") == str(pid)]
    return any(found.names[run] == "smoke" for run in mine)


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


# Two at once on a fresh store.


@dataclass
class Twins:
    folder: Path
    pids: list[int]
    ended: list[Ended]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    folder = tmp_path_factory.mktemp("twins")
    processes = [start(folder, *FOREST, "--json", "--workers", workers) for workers in ("1", "2")]
    return Twins(folder, [process.pid for process in processes], [end(process) for process in processes])


def test_two_that_start_together_on_a_fresh_store_both_end_well(twins: Twins) -> None:
    assert [(code, errors) for code, _, errors in twins.ended] == [(0, "")] * 2
    found = read_runs(twins.folder / "mlflow.db")
    expected = dict.fromkeys(("smoke", "fold 1", "fold 2"), "FINISHED")
    for pid, (_, output, _) in zip(twins.pids, twins.ended, strict=True):
        assert found.of(pid) == expected
        assert found.tags[json.loads(output)["run_id"]]["pid"] == str(pid)


def test_json_is_one_line_on_standard_output_and_nothing_else(twins: Twins) -> None:
    for _, output, errors in twins.ended:
        assert output.endswith("}\n")
        assert output.count("\n") == 1
        assert list(json.loads(output)) == ["run_id", "dataset", "protocol", "metrics", "folds", "model"]
        assert errors == ""


def test_the_same_seed_gives_the_same_numbers_with_any_number_of_workers(twins: Twins) -> None:
    one, other = (json.loads(output) for _, output, _ in twins.ended)
    assert one["run_id"] != other["run_id"]
    assert one["metrics"] == other["metrics"]
    assert one["folds"] == other["folds"]


def test_a_run_writes_the_store_and_its_artifacts_and_nothing_else(twins: Twins) -> None:
    assert {path.name for path in twins.folder.iterdir()} == {"mlflow.db", "mlflow.db.lock", "mlruns"}


# One store: two that train at once are killed and stopped; then this process is interrupted, and at last let be.


@dataclass
class Stopped:
    ended: Ended
    runs: dict[str, str]


@dataclass
class History:
    folder: Path
    killed: dict[str, str] = field(default_factory=dict)
    killed_seen_by_the_next: dict[str, str] = field(default_factory=dict)
    training_at_once: list[dict[str, str]] = field(default_factory=list)
    stopped: dict[str, Stopped] = field(default_factory=dict)
    last: Ended = (-1, "", "")

    @property
    def store(self) -> str:
        return f"sqlite:///{self.path}"

    @property
    def path(self) -> Path:
        return self.folder / "mlflow.db"

    @property
    def last_runs(self) -> dict[str, dict[str, str]]:
        """The tags of each run of the last experiment, its parent's first."""
        (parent,) = re.findall(r"^run +(\w+) in ", self.last[1], re.MULTILINE)
        tags = read_runs(self.path).tags
        return {parent: tags[parent]} | {run: of for run, of in tags.items() if of.get("mlflow.parentRunId") == parent}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    told = History(tmp_path_factory.mktemp("history"))
    path, tracking = told.path, f"tracking.uri={told.store}"
    tracked_in = mlflow.get_tracking_uri()
    endless = (*ENDLESS, tracking, "--workers", "1")
    terminated, killed = start(told.folder, *endless), Forked(told.folder, "train", "--config", str(SMOKE), *endless)
    for process in (killed, terminated):
        wait_until(lambda pid=process.pid: is_training(path, pid), process)  # type: ignore[misc]
    told.training_at_once = [read_runs(path).of(process.pid) for process in (killed, terminated)]
    killed.kill()
    killed.wait(PATIENCE_S)
    told.killed = read_runs(path).of(killed.pid)
    terminated.terminate()
    told.stopped["SIGTERM"] = Stopped(end(terminated), read_runs(path).of(terminated.pid))

    def interrupt() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not is_training(path, os.getpid()) and time.monotonic() < deadline:
            time.sleep(0.02)
        told.killed_seen_by_the_next = read_runs(path).of(killed.pid)
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    ended = captured("--config", str(SMOKE), *endless)
    interrupting.join()
    told.stopped["SIGINT"] = Stopped(ended, read_runs(path).of(os.getpid()))
    with undrawn():
        told.last = captured("--config", str(SMOKE), *TINY, tracking, "--workers", "1", "protocol=report")
    yield told
    mlflow.set_tracking_uri(tracked_in)


def test_runs_of_a_process_killed_in_training_are_marked_killed_by_the_next_start(history: History) -> None:
    assert history.killed == {"smoke": "RUNNING"}
    assert history.killed_seen_by_the_next == {"smoke": "KILLED"}


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_stopped_in_training_it_says_so_in_one_line_and_ends_its_runs_as_killed(history: History, name: str) -> None:
    code, output, errors = history.stopped[name].ended
    assert code == 130
    assert output == LOADING
    assert errors == "occupancy train: interrupted; what was recorded so far is kept\n"
    assert history.stopped[name].runs == {"smoke": "KILLED"}


def test_two_that_train_at_once_leave_each_others_runs_alone(history: History) -> None:
    assert history.training_at_once == [{"smoke": "RUNNING"}] * 2


def test_networks_write_the_store_and_nothing_else(history: History) -> None:
    names = {path.name for path in history.folder.iterdir()}
    assert names <= {"mlflow.db", "mlflow.db.lock", "mlflow.db-journal", "mlruns"}


def test_after_all_that_the_store_works(history: History) -> None:
    code, _, errors = history.last
    assert (code, errors) == (0, "")
    statuses = read_runs(history.path).statuses
    assert {statuses.pop(run) for run in history.last_runs} == {"FINISHED"}
    assert {*statuses.values()} == {"KILLED"}


def test_the_closing_table_gives_the_scores_the_log_the_run_and_how_to_look_at_it(history: History) -> None:
    output = history.last[1]
    assert output.startswith(f"{LOADING}smoke on ")
    assert "…" not in output
    begun = [line.split()[0] for line in output.splitlines() if line.strip()]
    assert begun[begun.index("1") :][:5] == ["1", "2", "mean", "std", "pooled"]
    (parent, *folds) = history.last_runs
    assert len(folds) == 2
    assert f"run      {parent} in {history.store}\n" in output
    assert "log      simulated, 864 rows, digest " in output
    assert output.endswith(f"look     occupancy ui tracking.uri={history.store}\n"), "protocol report leaves no model"


def test_the_report_protocol_is_a_tag_of_every_run_and_a_caution_below_the_table(history: History) -> None:
    assert "CAUTION  protocol report stops early on the test rows" in history.last[1]
    assert [tags["protocol"] for tags in history.last_runs.values()] == ["report"] * 3


def test_the_record_names_the_commit_that_the_command_was_run_from(history: History) -> None:
    asked = subprocess.run(["git", "-C", str(ROOT), "rev-list", "-n", "3", "HEAD"], capture_output=True, check=False)
    if asked.returncode != 0:
        pytest.skip("the package lies in no checkout")
    found = read_runs(history.path)
    commits = {tags["mlflow.source.git.commit"] for tags in found.tags.values()}
    assert commits <= set(asked.stdout.decode().split())


# What answers at once.


def imported(errors: str) -> set[str]:
    """Return the packages that `-X importtime` tells of."""
    lines = [line for line in errors.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_help_answers_within_a_second_and_without_torch(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    asked = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "occupancy.train", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
    assert "usage: occupancy train" in asked.stdout
    for name in ("--config", "--dry-run", "--json", "KEY=VALUE", "docs/configuration.md"):
        assert name in asked.stdout
    assert "rich" in imported(asked.stderr), "the list of imports is empty"
    assert not imported(asked.stderr) & {"torch", "pytorch_lightning", "mlflow", "pandas", "numpy", "matplotlib"}


def test_a_mistyped_key_is_answered_without_waiting_for_torch(tmp_path: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "occupancy.train", "--config", str(SMOKE), "train.max_epoch=5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in asked.stderr.splitlines() if not line.startswith("import time:")]
    assert asked.returncode == 2
    assert len(said) == 1
    assert "unknown key train.max_epoch; did you mean train.max_epochs?" in said[0]
    assert "pydantic" in imported(asked.stderr)
    assert not imported(asked.stderr) & {"torch", "pytorch_lightning", "mlflow"}


@dataclass
class Silence:
    """A server that takes connections and never answers."""

    port: int
    waited_s: list[float] = field(default_factory=list)


@pytest.fixture
def silence() -> Iterator[Silence]:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        silent = Silence(listener.getsockname()[1])

        def listen() -> None:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listener.accept()
                    begun = time.monotonic()
                    with connection:
                        connection.settimeout(PATIENCE_S)
                        while connection.recv(4096):
                            pass
                    silent.waited_s.append(time.monotonic() - begun)

        thread = threading.Thread(target=listen)
        thread.start()
        yield silent
        stop.set()
        thread.join()


def test_a_tracking_server_that_never_answers_is_given_up_within_ten_seconds(silence: Silence, tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{silence.port}"
    with contextlib.chdir(tmp_path):
        code, output, errors = captured("--config", str(SMOKE), f"tracking.uri={uri}")
    assert (code, output) == (2, "")
    assert errors.startswith(f"occupancy train: tracking.uri: {uri} can't be reached (no answer in time)")
    assert errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    # The waiting alone, since the clock on the wall also counts what else the machine does.
    deadline = time.monotonic() + 10
    while not silence.waited_s and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(silence.waited_s) == 1
    assert silence.waited_s[0] < 10


# In this process: a dry run, mistakes, and every config.


@pytest.fixture
def workshop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> pytest.CaptureFixture[str]:
    """An empty working directory without much patience."""
    importlib.import_module("occupancy.experiments.run")  # once, so that no test's clock runs meanwhile
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote, "PATIENCE_S", 0.3)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    return capsys


def test_a_dry_run_shows_config_and_folds_and_writes_nothing(
    workshop: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call("--config", str(SMOKE), *TINY, "model.dropout=0.25", "--dry-run") == 0
    output, errors = workshop.readouterr()
    assert errors == ""
    text, _, table = output.partition("\nfolds")
    config = Config.model_validate(yaml.safe_load(text))
    assert isinstance(config.model, LSTM)
    assert (config.name, config.model.dropout, config.train.max_epochs) == ("smoke", 0.25, 1)
    rows = [line.split() for line in table.splitlines() if line.split()[1:2] in (["train"], ["validation"], ["test"])]
    assert [row[:3] for row in rows[:3]] == [["1", "train", "156"], ["1", "validation", "132"], ["1", "test", "288"]]
    assert len(rows) == 6
    for row in rows:
        assert sum(int(number.replace(",", "")) for number in row[3:7]) == int(row[2].replace(",", ""))
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_as_json_is_one_line(workshop: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert call("--config", str(SMOKE), *TINY, "--dry-run", "--json") == 0
    output, errors = workshop.readouterr()
    assert (output.count("\n"), errors) == (1, "")
    tree = json.loads(output)
    assert tree["config"]["train"]["max_epochs"] == 1
    assert (tree["dataset"]["name"], tree["dataset"]["rows"]) == ("simulated", 864)
    assert [row["part"] for row in tree["folds"]] == ["train", "validation", "test"] * 2
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_on_a_store_that_is_there_changes_nothing(
    twins: Twins, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(twins.folder)
    before = snapshot(twins.folder)
    assert call("--config", str(SMOKE), *TINY, "--dry-run") == 0
    assert "folds" in capsys.readouterr().out
    assert snapshot(twins.folder) == before


def write(path: str, text: str) -> str:
    Path(path).write_text(text)
    return path


def csv_with(count: str) -> str:
    header = (
        "Date,Time,S1_Temp,S2_Temp,S3_Temp,S4_Temp,S1_Sound,S2_Sound,S3_Sound,S4_Sound,S5_CO2,S6_PIR,S7_PIR,"
        "Room_Occupancy_Count"
    )
    cells = "25,25,25,25,0.1,0.1,0.1,0.1,390,0,0"
    return f"{header}\n2017/12/22,10:49:41,{cells},1\n2017/12/22,10:50:12,{cells},{count}\n"


def named_pipe() -> str:
    os.mkfifo("pipe")
    return "pipe"


def bomb() -> str:
    lists = [f"{after}: &{after} [{f'*{one},' * 9}]\n" for one, after in pairwise("abcdefgh")]
    return "a: &a [x]\n" + "".join(lists)


def config_with(text: str) -> str:
    return write("given.yaml", text)


# Each makes what it needs in the working directory and returns the arguments; the text is in the answer.
MISTAKES: dict[str, tuple[Callable[[], list[str]], str]] = {
    "no config": (lambda: [], "required: --config"),
    "config that is not there": (lambda: ["--config", "none.yaml"], "none.yaml: cannot be read"),
    "config that is a folder": (lambda: ["--config", "."], "cannot be read"),
    "empty config": (lambda: ["--config", config_with("")], "given.yaml: got an empty file"),
    "config that is no YAML": (lambda: ["--config", config_with("a: [")], "given.yaml: is not valid YAML"),
    "config that has no end": (lambda: ["--config", "/dev/zero"], "/dev/zero: is neither an ordinary file nor an open"),
    "config that nobody writes": (lambda: ["--config", named_pipe()], "pipe: is neither an ordinary file"),
    "config that is a bomb": (
        lambda: ["--config", config_with(bomb())],
        "given.yaml: is not valid YAML: expected at most 100,000 values",
    ),
    "key of many parts": (lambda: ["--config", str(SMOKE), ".".join("a" * 10_000) + "=1"], "has 10,000 parts"),
    "number beyond reason": (
        lambda: ["--config", str(SMOKE), "data.simulation.room.breaks_per_h=1e18"],
        "data.simulation.room.breaks_per_h: got 1e+18 (float), expected less than or equal to 60",
    ),
    "control characters": (lambda: ["--config", str(SMOKE), "name=\x1b[31mred"], "got the control character '\\x1b'"),
    "unknown key in the config": (
        lambda: ["--config", config_with("trian: {max_epochs: 1}")],
        "given.yaml: unknown key trian; did you mean train?",
    ),
    "unknown key": (lambda: ["--config", str(SMOKE), "train.max_epoch=1"], "unknown key train.max_epoch; did you mean"),
    "wrong type": (lambda: ["--config", str(SMOKE), "train.max_epochs=many"], "train.max_epochs: got 'many' (str)"),
    "value out of range": (lambda: ["--config", str(SMOKE), "model.dropout=2"], "model.dropout: got 2"),
    "no key=value": (lambda: ["--config", str(SMOKE), "--json", "fast"], "got 'fast', expected key=value"),
    "seed given twice": (lambda: ["--config", str(SMOKE), "seed=1", "--seeds", "2"], "seed conflicts with --seeds"),
    "no number of a seed": (lambda: ["--config", str(SMOKE), "--seeds", "-1"], "expected"),
    "conflict": (
        lambda: ["--config", str(SMOKE), "data.time_format=%H"],
        "time_format conflicts with source 'simulated'",
    ),
    "device that is not there": (lambda: ["--config", str(SMOKE), "train.device=mps"], "train.device: got 'mps'"),
    "tracking address of no kind": (
        lambda: ["--config", str(SMOKE), "tracking.uri=ftp://host/store"],
        "tracking.uri: got 'ftp://host/store', expected sqlite:///mlflow.db",
    ),
    "tracking file that is none": (
        lambda: ["--config", str(SMOKE), f"tracking.uri=sqlite:///{write('notes.txt', 'notes')}"],
        "notes.txt is not an SQLite database",
    ),
    "tracking server that is down": (
        lambda: ["--config", str(SMOKE), f"tracking.uri=http://127.0.0.1:{closed_port()}"],
        "can't be reached (no connection)",
    ),
    "tracking database that is down": (
        lambda: ["--config", str(SMOKE), f"tracking.uri=postgresql://127.0.0.1:{closed_port()}/mlflow"],
        "can't be reached (Connection refused)",
    ),
    "unknown source": (lambda: ["--config", str(SMOKE), "data.source=simulatd"], "did you mean simulated?"),
    "log that is not there": (lambda: ["--config", str(SMOKE), "data.source=none.csv"], "data.source: got 'none.csv'"),
    "log with a bad cell": (
        lambda: ["--config", str(SMOKE), f"data.source={write('log.csv', csv_with('-1'))}", "data.folds=forward"],
        "log.csv: negative count",
    ),
    "more people than allowed": (lambda: ["--config", str(SMOKE), "data.max_count=1"], "data.max_count: got 1"),
    "unknown scheme": (lambda: ["--config", str(SMOKE), "data.folds=foward"], "data.folds: got 'foward', expected"),
    "scheme for another log": (
        lambda: ["--config", str(SMOKE), "data.folds=forward"],
        "data.folds: scheme 'forward' is for the log 'uci', got the log 'simulated'",
    ),
}  # fmt: skip


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("dry", [False, True], ids=["train", "dry run"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_exit_code_2_and_nothing_written_whether_training_or_not(
    workshop: pytest.CaptureFixture[str], tmp_path: Path, mistake: str, dry: bool
) -> None:
    make, text = MISTAKES[mistake]
    arguments = make()
    before = snapshot(tmp_path)
    begun = time.monotonic()
    assert call(*arguments, *(["--dry-run"] if dry else [])) == 2
    assert time.monotonic() - begun < 10
    output, errors = workshop.readouterr()
    assert output in {"", "training smoke: loading the log\n"}
    assert errors.count("\n") == 1
    assert errors.startswith("occupancy train: ")
    assert text in errors
    assert snapshot(tmp_path) == before
