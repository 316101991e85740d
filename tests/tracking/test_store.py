from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from occupancy.errors import InputError
from occupancy.tracking import remote, sqlite, store
from occupancy.tracking.sqlite import sqlite_path
from occupancy.tracking.store import check_store, prepare_store

pytestmark = [
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
]

NOBODY = 65534

DIE_WHILE_WRITING = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("pragma cache_size = 1")  # so that rows reach the file before they are committed
connection.execute("begin")
connection.execute(
    "insert into tags with recursive n(n) as (select 1 union all select n + 1 from n where n < 9999) "
    "select 'key' || n, 'value', 'run' from n"
)
os.kill(os.getpid(), signal.SIGKILL)
"""


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as `prepare_store` makes it; to be copied, not used."""
    path = tmp_path_factory.mktemp("store") / "nested" / "new" / "mlflow.db"
    prepare_store(address(path))
    return path


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    path = tmp_path / "mlflow.db"
    path.write_bytes(made.read_bytes())
    return path


@contextmanager
def http_server(status: int, body: bytes) -> Iterator[str]:
    """Serve one answer to every request on a loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def as_nobody() -> Iterator[Path]:
    """Give a folder of nobody's and, where the tests run as root, who may do everything, become nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.getuid() != 0:
            yield folder
            return
        os.chown(folder, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, 0)
        try:
            yield folder
        finally:
            os.setresuid(0, 0, 0)


def address(path: Path) -> str:
    return f"sqlite:///{path}"


def refusal(uri: str) -> str:
    """Return the one line with which an address is refused."""
    with pytest.raises(InputError) as caught:
        check_store(uri)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("tracking.uri: ")
    return text


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}


@pytest.mark.parametrize(
    "uri",
    ["", "mlruns", "./mlflow.db", "file:///tmp/mlruns", "ftp://host/x", "databricks", "http//host", "http://[::1"],
)
def test_an_address_of_no_supported_kind_is_refused_with_those_that_are(uri: str) -> None:
    assert f"got {uri!r}, expected sqlite:///mlflow.db, http(s)://host:port" in refusal(uri)


@pytest.mark.parametrize("uri", ["sqlite:mlflow.db", "postgresql:mlflow"])
def test_an_address_that_cannot_be_taken_apart_is_refused(uri: str) -> None:
    assert f"got {uri!r}, which can't be read" in refusal(uri)


def test_what_is_no_port_may_be_a_password_and_is_not_shown() -> None:
    assert "got 'postgresql://host:***', which can't be read" in refusal("postgresql://host:port/mlflow")


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://mlflow.db",
        "sqlite://folder/mlflow.db",
        "sqlite:///file:x.db?mode=memory&uri=true",
    ],
)
def test_an_sqlite_address_without_a_file_is_refused_with_one_that_has_one(uri: str) -> None:
    assert refusal(uri).endswith("which names no file; expected for example sqlite:///mlflow.db")


def test_an_sqlite_address_names_a_file_relative_to_the_working_directory_or_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sqlite_path("sqlite:///mlflow.db") == tmp_path / "mlflow.db"
    assert sqlite_path("sqlite:////data/mlflow.db") == Path("/data/mlflow.db")
    assert sqlite_path("http://host:5000") is None


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    assert "which is a folder; expected a file" in refusal(address(tmp_path))


def test_a_file_in_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert f"{tmp_path / 'file'} is not a folder that can be written to" in refusal(address(tmp_path / "file" / "x.db"))


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("SQLite format 3, or so they say")
    assert "is not an SQLite database; name another file or move this one away" in refusal(address(path))
    assert path.read_text() == "SQLite format 3, or so they say"


def test_a_damaged_database_is_refused(copy: Path) -> None:
    content = bytearray(copy.read_bytes())
    content[16:4096] = os.urandom(4080)
    copy.write_bytes(content)
    assert f"{copy} is damaged (" in refusal(address(copy))


def test_the_database_of_another_program_is_refused_and_gets_no_table_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table recipes (name text)")
    before = path.read_bytes()
    assert "is a database, but not an MLflow store; name another file" in refusal(address(path))
    assert path.read_bytes() == before


def test_the_store_of_another_mlflow_version_is_refused_and_not_migrated(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("update alembic_version set version_num = '451aebb31d03'")
        connection.execute("drop table scorers")
    before = copy.read_bytes()
    assert "is not a store of this MLflow version: Detected out-of-date database schema" in refusal(address(copy))
    assert copy.read_bytes() == before


def test_a_store_that_another_process_keeps_locked_is_refused_after_a_while(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE_S", 0.1)
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute("begin exclusive")
        begun = time.monotonic()
        assert "is locked by another program ((sqlite3.OperationalError) database is locked)" in refusal(address(copy))
    assert time.monotonic() - begun < 3


def test_a_folder_where_nothing_may_be_written_is_refused() -> None:
    with as_nobody() as folder:
        folder.chmod(0o555)
        text = refusal(address(folder / "new" / "mlflow.db"))
        folder.chmod(0o755)
    assert f"{folder} is not a folder that can be written to" in text


def test_a_folder_that_may_not_even_be_looked_into_is_refused() -> None:
    with as_nobody() as folder:
        folder.chmod(0o000)
        text = refusal(address(folder / "inside" / "mlflow.db"))
        folder.chmod(0o755)
    assert "can't be used (Permission denied); name another file" in text


def test_a_store_that_may_only_be_read_is_refused(made: Path) -> None:
    content = made.read_bytes()
    with as_nobody() as folder:
        path = folder / "mlflow.db"
        path.write_bytes(content)
        path.chmod(0o444)
        text = refusal(address(path))
    assert f"{path} can't be written to; name another file" in text


def test_checking_a_new_address_creates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_store(address(tmp_path / "nested" / "new" / "mlflow.db"))
    check_store("sqlite:///mlflow.db")
    assert list(tmp_path.iterdir()) == []


def test_checking_a_store_changes_nothing(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = snapshot(tmp_path)
    check_store(address(copy))
    assert snapshot(tmp_path) == before


def test_an_empty_file_is_as_good_as_no_store(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    check_store(address(tmp_path / "mlflow.db"))


def test_a_store_that_was_killed_in_the_middle_of_a_write_is_rolled_back_and_accepted(copy: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", DIE_WHILE_WRITING, str(copy)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert copy.with_name("mlflow.db-journal").stat().st_size > 0, "nothing was left half written"
    check_store(address(copy))
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("select count(*) from tags").fetchone() == (0,)


def test_a_server_that_is_down_is_refused(closed_port: int) -> None:
    uri = f"http://127.0.0.1:{closed_port}"
    assert f"{uri} can't be reached (no connection); start the server or correct the address" in refusal(uri)
    assert f"http://me:***@127.0.0.1:{closed_port} can't" in refusal(f"http://me:secret@127.0.0.1:{closed_port}")


def test_a_server_that_never_answers_is_refused_in_time(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert remote.PATIENCE_S <= 4, "with the imports before it, an answer would take more than 10 s"
    monkeypatch.setattr(remote, "PATIENCE_S", 0.3)
    begun = time.monotonic()
    assert "can't be reached (no answer in time)" in refusal(f"http://127.0.0.1:{silent_port}")
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(("status", "body"), [(404, b"nothing here"), (200, b"<html>OK</html>"), (500, b"OK")])
def test_a_server_that_is_not_mlflow_is_refused(status: int, body: bytes) -> None:
    with http_server(status, body) as uri:
        assert f"answers (HTTP {status}), but not as an MLflow server does" in refusal(uri)


def test_a_server_that_answers_as_mlflow_does_is_accepted() -> None:
    with http_server(200, b"OK") as uri:
        check_store(uri)
        check_store(f"{uri}/")


def test_a_database_that_is_down_is_refused_without_showing_its_password(closed_port: int) -> None:
    text = refusal(f"postgresql://me:secret@127.0.0.1:{closed_port}/mlflow")
    assert f"postgresql://me:***@127.0.0.1:{closed_port}/mlflow can't be reached (Connection refused)" in text
    assert "secret" not in text


@pytest.mark.parametrize("kind", ["mysql+nosuchdriver", "mysql+cymysql"])
def test_a_database_whose_driver_is_missing_is_refused(kind: str, silent_port: int) -> None:
    text = refusal(f"{kind}://me:secret@127.0.0.1:{silent_port}/mlflow")
    assert "needs a driver that is not installed" in text
    assert "secret" not in text


def test_a_prepared_store_is_a_store_in_a_folder_made_for_it(made: Path) -> None:
    check_store(address(made))
    experiments = MlflowClient(address(made)).search_experiments()
    assert [experiment.name for experiment in experiments] == ["Default"]


def test_a_prepared_store_can_be_read_by_whom_the_umask_allows(made: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(made.stat().st_mode) == 0o666 & ~mask


def test_preparing_a_store_that_is_there_changes_nothing(copy: Path) -> None:
    before = copy.read_bytes(), copy.stat().st_mtime_ns
    prepare_store(address(copy))
    assert (copy.read_bytes(), copy.stat().st_mtime_ns) == before


def test_preparing_a_server_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare_store("http://127.0.0.1:1")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_created_is_refused() -> None:
    with pytest.raises(InputError, match=r"^tracking.uri: /proc/occupancy/mlflow.db can't be created \(.+\); name"):
        prepare_store("sqlite:////proc/occupancy/mlflow.db")


def test_a_creation_that_is_killed_leaves_no_store_and_the_next_one_makes_it_and_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Path
) -> None:
    path = tmp_path / "mlflow.db"

    class HalfDone:
        def __init__(self, uri: str) -> None:
            self.path = sqlite_path(uri)

        def search_experiments(self) -> None:
            assert self.path is not None
            self.path.write_bytes(b"SQLite format 3\0 and half of the tables")
            raise Killed

    class Done(HalfDone):
        def search_experiments(self) -> None:
            assert self.path is not None
            self.path.write_bytes(made.read_bytes())

    monkeypatch.setattr(store, "MlflowClient", HalfDone)
    with pytest.raises(Killed):
        prepare_store(address(path))
    assert not path.exists()
    assert len(list(tmp_path.glob(".mlflow.db.unfinished-*"))) == 1, "the kill left nothing to clean up"
    check_store(address(path))

    monkeypatch.setattr(store, "MlflowClient", Done)
    prepare_store(address(path))
    assert {left.name for left in tmp_path.iterdir()} == {"mlflow.db", "mlflow.db.lock"}
    check_store(address(path))


def test_of_two_processes_that_prepare_a_fresh_store_at_once_one_makes_it_and_the_other_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Path
) -> None:
    path, makers = tmp_path / "mlflow.db", tmp_path / "makers"

    class Slow:
        """Takes as long as it takes another process to begin too, and no longer than half a second."""

        def __init__(self, uri: str) -> None:
            self.path = sqlite_path(uri)

        def search_experiments(self) -> None:
            with makers.open("a") as file:
                file.write(f"{os.getpid()}\n")
            deadline = time.monotonic() + 0.5
            while len(makers.read_text().splitlines()) < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert self.path is not None
            self.path.write_bytes(made.read_bytes())

    monkeypatch.setattr(store, "MlflowClient", Slow)
    forked = multiprocessing.get_context("fork")
    processes = [forked.Process(target=prepare_store, args=(address(path),)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(makers.read_text().splitlines()) == 1
    assert {left.name for left in tmp_path.iterdir()} == {"mlflow.db", "mlflow.db.lock", "makers"}
    check_store(address(path))


@pytest.mark.parametrize("lost", ["runs", "latest_metrics", "params"])
def test_a_store_that_lost_a_table_is_refused_before_mlflow_adds_one_of_its_own(copy: Path, lost: str) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("pragma foreign_keys = off")
        connection.execute(f"drop table {lost}")
        connection.commit()
    assert refusal(address(copy)) == f"tracking.uri: {copy} is damaged, it lacks {lost}; name another file"
    assert lost not in tables(copy)
