"""Stores that fail while a command uses them: the disk is full, another program locks it, it is damaged, we are killed.

Whatever happens, the command says so in one line and exits 2, what was finished is kept, and the next start marks the
runs that were left open.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import random
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from sqlalchemy import event
from sqlalchemy.engine import Engine

from occupancy import compare, predict, train, tune, ui
from tests.experiments.made_experiments import tracking_apart
from tests.forked import Forked
from tests.places import ROOT

pytestmark = [
    pytest.mark.usefixtures("no_drawing"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

PATIENCE_S = 240.0
FOLDS = ROOT / "tests" / "e2e" / "two_folds.yaml"
SMALL = f"""
data:
  source: simulated
  folds: {FOLDS}
  max_gap: 600
  simulation: {{days: 3, room: {{step_s: 300}}}}
model: {{name: majority}}
"""
SEARCH = f"{SMALL}search: {{over: {{seed: [0, 1]}}}}\n"
CALLS = ("create_run", "log_batch", "log_text", "log_figure", "log_inputs", "set_terminated", "create_logged_model")

Fault = Callable[[Path], None]
"""Breaks the store in a file."""


@dataclass
class Switch:
    """What is broken until it is mended.

    Attributes:
        is_full: the disk.
        locks: connections that lock a store.
    """

    is_full: bool = False
    locks: list[sqlite3.Connection] = field(default_factory=list)

    def fill(self, _path: Path) -> None:
        self.is_full = True

    def lock(self, path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        connection.execute("begin exclusive")
        self.locks.append(connection)

    def mend(self) -> None:
        self.is_full = False
        while self.locks:
            self.locks.pop().close()


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Switch]:
    """A disk that can be filled, locks that can be taken, and processes that are taken for dead when they failed."""
    switch = Switch()

    def before(_connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> Any:
        cursor.execute(f"pragma max_page_count = {1 if switch.is_full else 2**30}")  # no fewer than there are
        return statement.replace("busy_timeout = 20000", "busy_timeout = 50"), parameters

    log_artifact = LocalArtifactRepository.log_artifact

    def log(self: LocalArtifactRepository, *arguments: Any) -> None:
        if switch.is_full:
            raise OSError(errno.ENOSPC, "No space left on device", str(arguments[0]))
        log_artifact(self, *arguments)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(LocalArtifactRepository, "log_artifact", log)
    monkeypatch.setattr("occupancy.tracking.run._is_alive", lambda _tags: False)
    event.listen(Engine, "before_cursor_execute", before, retval=True)
    with tracking_apart():
        yield switch
    event.remove(Engine, "before_cursor_execute", before)
    switch.mend()


@pytest.fixture
def store(tmp_path: Path, new_store: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store beside a config and a search, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "search.yaml").write_text(SEARCH)
    new_store(tmp_path / "mlflow.db")
    return tmp_path / "mlflow.db"


def overwrite(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = random.Random(0).randbytes(len(content) - 4096)
    path.write_bytes(content)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def blank(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[:4096] = bytes(4096)
    path.write_bytes(content)


def remove(path: Path) -> None:
    path.unlink()


DAMAGES: dict[str, Fault] = {"overwritten": overwrite, "cut off": cut, "blanked": blank, "removed": remove}


def break_after(monkeypatch: pytest.MonkeyPatch, calls: int, path: Path, fault: Fault) -> None:
    """Break the store before a certain one of the calls that write into it."""
    left = [calls]

    def breaking(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **settings: Any) -> Any:
            if not left[0]:
                fault(path)
            left[0] -= 1
            return method(*arguments, **settings)

        return call

    for name in CALLS:
        monkeypatch.setattr(MlflowClient, name, breaking(getattr(MlflowClient, name)))


def call(main: Callable[[list[str]], int], store: Path, *given: str) -> tuple[int, str, str]:
    """Return the exit code of a command, and what it printed on standard output and error."""
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(io.StringIO()) as errors:
        code = main([*given, f"tracking.uri=sqlite:///{store}"])
    return code, output.getvalue(), errors.getvalue()


def training(store: Path) -> tuple[int, str, str]:
    return call(train.main, store, "--config", "small.yaml", "--workers", "1", "--json")


def searching(store: Path) -> tuple[int, str, str]:
    return call(tune.main, store, "--config", "search.yaml", "--workers", "1", "--json")


def check_told(ended: tuple[int, str, str], *said: str) -> None:
    code, output, errors = ended
    assert (code, output, errors.count("\n")) == (2, "", 1), ended
    assert "tracking.uri: sqlite:///" in errors
    assert any(each in errors for each in said), errors
    assert "give the same command again" in errors
    assert len(errors) < 800


def ask(path: Path, question: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=30)) as connection:
        return connection.execute(question).fetchall()


def statuses(path: Path) -> dict[str, str]:
    return dict(ask(path, "select run_uuid, status from runs"))


def finished(path: Path) -> dict[str, int]:
    """Return the runs that are finished, each with how many scores it has."""
    question = "select run_uuid, count(*) from runs join metrics using (run_uuid) where status = 'FINISHED' group by 1"
    return dict(ask(path, question))


COUNTED: dict[object, int] = {}
"""How many calls each command makes that write into the store."""


def calls_of(command: Callable[[Path], tuple[int, str, str]], store: Path) -> int:
    """Return how many calls a command makes that write into the store."""
    if command in COUNTED:
        return COUNTED[command]
    counted = [0]

    def count(method: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **settings: Any) -> Any:
            counted[0] += 1
            return method(*arguments, **settings)

        return counting

    apart = store.with_name("counted.db")
    shutil.copy(store, apart)
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(MlflowClient, name, count(getattr(MlflowClient, name)))
        assert command(apart)[0] == 0
    return COUNTED.setdefault(command, counted[0])


def check_mends(
    command: Callable[[Path], tuple[int, str, str]], store: Path, switch: Switch, fault: Fault, calls: int, *said: str
) -> None:
    """Break a store in the middle of a command, mend it, and go on: nothing that was finished may be lost."""
    before = finished(store)
    with pytest.MonkeyPatch.context() as patch:
        kept: dict[str, int] = {}

        def breaking(path: Path) -> None:
            kept.update(finished(path))
            fault(path)

        break_after(patch, calls, store, breaking)
        check_told(command(store), *said)
    switch.mend()
    assert kept.items() >= before.items()
    assert finished(store).items() >= kept.items()
    assert command(store)[0] == 0
    assert finished(store).items() >= kept.items()
    assert "RUNNING" not in statuses(store).values()


@pytest.mark.parametrize("command", [training, searching])
@pytest.mark.parametrize(
    ("fault", "said"),
    [(Switch.fill, "has no space left on its disk"), (Switch.lock, "is locked by another program")],
    ids=["full", "locked"],
)
@pytest.mark.parametrize("share", [0.1, pytest.param(0.5, marks=pytest.mark.proof), 0.9])
def test_a_disk_that_fills_and_a_lock_that_is_taken_in_mid_run_lose_nothing(
    store: Path,
    switch: Switch,
    command: Callable[[Path], tuple[int, str, str]],
    fault: Callable[[Switch, Path], None],
    said: str,
    share: float,
) -> None:
    calls = int(share * calls_of(command, store))
    check_mends(command, store, switch, lambda path: fault(switch, path), calls, said)


@pytest.mark.proof
@pytest.mark.parametrize("command", [training, searching])
@pytest.mark.parametrize(
    ("fault", "said"),
    [(Switch.fill, "has no space left on its disk"), (Switch.lock, "is locked by another program")],
    ids=["full", "locked"],
)
def test_a_store_that_fails_at_any_moment_loses_nothing(
    store: Path,
    switch: Switch,
    command: Callable[[Path], tuple[int, str, str]],
    fault: Callable[[Switch, Path], None],
    said: str,
) -> None:
    for calls in range(calls_of(command, store) - 1):
        fresh = store.with_name(f"{calls}.db")
        shutil.copy(store, fresh)
        check_mends(command, fresh, switch, lambda path: fault(switch, path), calls, said)


@pytest.mark.usefixtures("switch")
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("command", [training, searching])
def test_a_store_that_is_damaged_in_mid_run_is_told_in_a_line(
    store: Path, command: Callable[[Path], tuple[int, str, str]], damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_after(monkeypatch, calls_of(command, store) // 2, store, DAMAGES[damage])
    check_told(command(store), "is damaged (", "is not there any more (")


# Commands that read.


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[Path], str]) -> Path:
    """A store with a finished experiment; to be copied, not used. Its log lies beside it."""
    folder = tmp_path_factory.mktemp("trained")
    new_store(folder / "mlflow.db")
    (folder / "small.yaml").write_text(SMALL)
    with tracking_apart(), contextlib.chdir(folder):
        assert training(folder / "mlflow.db")[0] == 0
        from occupancy.data.__main__ import main

        room = ["source=simulated", "simulation.days=3", "simulation.room.step_s=300"]
        assert main([*room, "--out", str(folder / "log.csv")]) == 0
    return folder / "mlflow.db"


@pytest.fixture
def readers(
    trained: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Callable[[], tuple[int, str, str]]]:
    """What reads the store, by name; where it did not fail, `ui` begins no server."""
    from mlflow.cli import cli

    monkeypatch.setattr(cli, "main", lambda *_, **__: None)
    for name in (*ui.QUIET, "MLFLOW_BACKEND_STORE_URI", "MLFLOW_REGISTRY_STORE_URI"):
        monkeypatch.setenv(name, "as before")
    shutil.copy(trained, store)
    log = str(trained.with_name("log.csv"))
    (run,) = {run for (run,) in ask(store, "select run_uuid from tags where key = 'config_key'")} - {
        run for (run,) in ask(store, "select run_uuid from tags where key = 'mlflow.parentRunId'")
    }
    return {
        "compare": lambda: call(compare.main, store, f"data.folds={FOLDS}"),
        "predict by run": lambda: call(predict.main, store, "--run", run, "--csv", log),
        "predict by name": lambda: call(predict.main, store, "--model", "occupancy-small", "--csv", log),
        "ui": lambda: call(ui.main, store, "--port", "0"),
        "training": lambda: training(store),
    }


READERS = ("compare", "predict by run", "predict by name", "ui", "training")


@pytest.mark.parametrize("name", READERS)
def test_a_reader_of_a_store_that_is_locked_after_the_first_look_says_so(
    readers: dict[str, Callable[[], tuple[int, str, str]]],
    store: Path,
    switch: Switch,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = MlflowClient.__init__

    def locking(self: MlflowClient, *arguments: Any, **settings: Any) -> None:
        made(self, *arguments, **settings)
        if not switch.locks:
            switch.lock(store)

    monkeypatch.setattr(MlflowClient, "__init__", locking)
    check_told(readers[name](), "is locked by another program")


@pytest.mark.usefixtures("switch")
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_reader_of_a_store_that_is_damaged_after_the_first_look_says_so(
    readers: dict[str, Callable[[], tuple[int, str, str]]],
    store: Path,
    name: str,
    damage: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = MlflowClient.__init__

    def damaging(self: MlflowClient, *arguments: Any, **settings: Any) -> None:
        made(self, *arguments, **settings)
        if store.exists() and store.stat().st_size > 0:
            DAMAGES[damage](store)

    monkeypatch.setattr(MlflowClient, "__init__", damaging)
    code, output, errors = readers[name]()
    if code:  # what a reader still has, it may tell
        assert (code, output, errors.count("\n")) == (2, "", 1)
        assert damage == "removed" or "is damaged (" in errors


# Processes of their own.


def started(folder: Path, *arguments: str) -> Forked:
    return Forked(folder, *arguments, f"tracking.uri=sqlite:///{folder / 'mlflow.db'}")


def killed(folder: Path, moment_s: float, *arguments: str) -> bool:
    """Return whether a command was killed, with all that it started, before it ended."""
    process = started(folder, *arguments)
    try:
        process.wait(moment_s)
    except subprocess.TimeoutExpired:
        return True
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, process.errors.read_text()
    return False


def check_kills(folder: Path, times: int, seed: int, workers: int) -> None:
    """Kill commands at random moments: nothing that was finished is lost, and the store stays whole."""
    moments, path = random.Random(seed), folder / "mlflow.db"
    commands = {
        "tune": ["tune", "--config", "search.yaml", f"--workers={workers}"],
        "train": ["train", "--config", "small.yaml", f"--workers={workers}"],
        "predict": ["predict", "--model", "occupancy-small", "--csv", "log.csv", "--out", "counts.csv"],
    }
    took: dict[str, float] = {}
    for name in ("train", "predict", "tune"):
        begun = time.monotonic()
        assert not killed(folder, PATIENCE_S, *commands[name])
        took[name] = time.monotonic() - begun
        if name == "predict":
            whole = (folder / "counts.csv").read_bytes()
    for number in range(times):
        name = list(commands)[number % 3]
        kept = finished(path)
        (folder / "counts.csv").unlink(missing_ok=True)
        if name == "tune":  # another search each time; a finished one is not run again
            (folder / "search.yaml").write_text(SEARCH.replace("[0, 1]", f"[{number}, {number + 1}]"))
        killed(folder, moments.uniform(0, 1.1) * took[name], *commands[name])
        assert ask(path, "pragma integrity_check") == [("ok",)]
        assert finished(path).items() >= kept.items(), f"kill {number} of {name} lost something"
        if (folder / "counts.csv").exists():
            assert (folder / "counts.csv").read_bytes() == whole
    for name in ("train", "tune", "predict"):
        assert not killed(folder, PATIENCE_S, *commands[name])
    assert "RUNNING" not in statuses(path).values()


def prepared(folder: Path, trained: Path) -> Path:
    (folder / "small.yaml").write_text(SMALL)
    (folder / "search.yaml").write_text(SEARCH)
    shutil.copy(trained.with_name("log.csv"), folder / "log.csv")
    return folder


def test_a_few_kills_at_random_moments_lose_nothing(
    tmp_path: Path, trained: Path, new_store: Callable[[Path], str]
) -> None:
    new_store(tmp_path / "mlflow.db")
    check_kills(prepared(tmp_path, trained), 3, seed=1, workers=1)


@pytest.mark.proof
def test_a_hundred_kills_at_random_moments_lose_nothing(tmp_path: Path, trained: Path) -> None:
    check_kills(prepared(tmp_path, trained), 100, seed=2, workers=2)


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of so many bytes, where this is permitted."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.xfail("no file system may be mounted here")  # not skipped: that fails where everything is required
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(shutil.which("mount") is None, reason="nothing can be mounted")
@pytest.mark.parametrize("share", [0.5, 0.97])
def test_a_real_disk_that_is_too_small_is_told_in_a_line(share: float, tmp_path: Path, trained: Path) -> None:
    needed = [trained, *(path for path in trained.with_name("mlruns").rglob("*") if path.is_file())]
    size = int(share * sum(path.stat().st_blocks * 512 for path in needed))
    with small_disk(tmp_path / "disk", size) as folder:
        (folder / "small.yaml").write_text(SMALL)
        ended = Forked(folder, "train", "--config", "small.yaml", "--workers", "1", "--json")
        code, output, errors = ended.wait(PATIENCE_S), ended.output.read_text(), ended.errors.read_text()
        assert (code, output) == (2, ""), errors
        assert errors.count("\n") == 1, errors
        assert "No space left on device" in errors or "has no space left on its disk" in errors
