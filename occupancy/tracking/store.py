"""The MLflow store: whether it can be used, and how it is created without leaving half of one."""

from __future__ import annotations

import glob
import os
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests
import sqlalchemy
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Experiment, LifecycleStage
from mlflow.exceptions import MlflowException
from mlflow.store.db.utils import _verify_schema

from occupancy.config import Tracking
from occupancy.errors import InputError

SUPPORTED = "sqlite:///mlflow.db, http(s)://host:port, postgresql://..., mysql://... or mssql://..."
PATIENCE_S = 4.0  # how long a store may take to answer; imports before it take seconds too
_TABLES = {"experiments", "runs", "metrics", "latest_metrics", "params", "tags", "inputs", "datasets"}
_SQLITE_MAGIC = b"SQLite format 3\0"
_STRANGE_HOST = "Invalid Host header"  # what MLflow's server says to who calls it by a name not allowed; not on /health
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def check_store(uri: str) -> None:
    """Check that runs can be recorded at an address, without creating anything.

    Raises:
        InputError: the kind of address is not supported, nothing answers in time, or it is not a store.
    """
    kind = _kind(uri)
    path = sqlite_path(uri)
    if path is not None:
        try:
            _check_sqlite(path, uri)
        except OSError as error:
            raise InputError(f"tracking.uri: {path} can't be used ({error.strerror}); name another file") from None
    elif kind in {"http", "https"}:
        _check_server(uri)
    elif kind in _PORTS:
        _check_database(uri, kind)
    else:
        raise InputError(f"tracking.uri: got {uri!r}, expected {SUPPORTED}")


def check_there(uri: str) -> None:
    """Check that an address names a store that already holds runs.

    Raises:
        InputError: it does not; see `check_store`.
    """
    check_store(uri)
    path = sqlite_path(uri)
    if path is not None and not is_made(path):
        state = "is empty" if path.exists() else "is not there"
        raise InputError(
            f"tracking.uri: {path} {state}; give the store of your runs, or make one by `make compare` or "
            "python -m occupancy.train"
        )


@contextmanager
def asked(tracking: Tracking) -> Iterator[MlflowClient]:
    """Yield a client of a store that holds runs already, which is to answer in seconds.

    Raises:
        InputError: there is no such store, or it does not answer as MLflow does.
    """
    check_there(tracking.uri)
    try:
        with impatient():
            yield MlflowClient(tracking.uri)
    except MlflowException as error:
        raise no_answer(tracking, error) from None


def no_answer(tracking: Tracking, error: MlflowException) -> InputError:
    """Return what to tell the user of a store that passed `check_store` and then answered with an error."""
    said = str(error).partition("\n")[0]
    if _STRANGE_HOST in said:
        return InputError(
            f"tracking.uri: {tracking.shown_uri} is a name that the server does not accept (HTTP 403); "
            "give the address as the server's --allowed-hosts has it, or add this one there"
        )
    return InputError(f"tracking.uri: {tracking.shown_uri} does not answer as an MLflow store does: {said}")


def refuse_deleted(experiment: Experiment, tracking: Tracking) -> None:
    """Check that an experiment was not deleted; MLflow keeps a deleted one until it is removed for good.

    Raises:
        InputError: it is.
    """
    if experiment.lifecycle_stage != LifecycleStage.ACTIVE:
        where = f"{experiment.name!r} was deleted in {tracking.shown_uri}"
        raise InputError(f"tracking.experiment: {where}; restore it or choose another")


def prepare_store(uri: str) -> None:
    """Create the SQLite file of a store that is not there yet; other stores exist already.

    The tables are made in a file of another name, which is then renamed: a process that is killed
    in the middle leaves no store at all, and of two that start together one finds it made.

    Raises:
        InputError: the file cannot be created.
    """
    path = sqlite_path(uri)
    if path is None:
        return
    try:
        _prepare_sqlite(path)
    except OSError as error:
        raise InputError(f"tracking.uri: {path} can't be created ({error.strerror}); name another file") from None


def _prepare_sqlite(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock")):
        if is_made(path):
            return
        unfinished = f".{path.name}.unfinished-"
        for left_over in path.parent.glob(f"{glob.escape(unfinished)}*"):
            left_over.unlink()
        handle, new = tempfile.mkstemp(prefix=unfinished, dir=path.parent)
        os.close(handle)
        MlflowClient(f"sqlite:///{new}").search_experiments()  # the first question makes the tables
        Path(new).chmod(0o666 & ~_umask())  # mkstemp's file is the owner's alone
        Path(new).replace(path)


def sqlite_path(uri: str) -> Path | None:
    """Return the absolute path of the file that an SQLite address names, or None for an address of another kind.

    Raises:
        InputError: the SQLite address names no file.
    """
    if _kind(uri) != "sqlite":
        return None
    url = _parsed(uri)
    if not url.database or url.host or url.database == ":memory:" or url.database.startswith("file:"):
        raise InputError(f"tracking.uri: got {uri!r}, which names no file; expected for example sqlite:///mlflow.db")
    return Path(url.database).absolute()


def is_made(path: Path) -> bool:
    """Return whether an SQLite file is there and not empty."""
    return path.exists() and path.stat().st_size > 0


@contextmanager
def impatient() -> Iterator[None]:
    """Let MLflow ask a server once and briefly; it would ask a broken one for minutes."""
    # The server is there: it may be busy, since a first question loads what it needs.
    limits = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": f"{2 * PATIENCE_S:.0f}"}
    before = {name: os.environ.get(name) for name in limits}
    os.environ.update(limits)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _check_sqlite(path: Path, uri: str) -> None:
    folder = next(parent for parent in path.parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"tracking.uri: got {uri!r}, but {folder} is not a folder that can be written to")
    if path.is_dir():
        raise InputError(f"tracking.uri: got {uri!r}, which is a folder; expected a file")
    if not is_made(path):
        return
    with path.open("rb") as file:
        if file.read(len(_SQLITE_MAGIC)) != _SQLITE_MAGIC:
            raise InputError(f"tracking.uri: {path} is not an SQLite database; name another file or move this one away")
    if not os.access(path, os.W_OK):
        raise InputError(f"tracking.uri: {path} can't be written to; name another file")
    # Not asked through MLflow, which adds its tables to any database that it is pointed at. Not read-only:
    # SQLite must be free to roll back what a killed process left half written.
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: _connect(path))
    try:
        tables = set(sqlalchemy.inspect(engine).get_table_names())
        if "experiments" not in tables:
            raise InputError(f"tracking.uri: {path} is a database, but not an MLflow store; name another file")
        if missing := sorted(_TABLES - tables):  # MLflow would add them, with other columns
            raise InputError(f"tracking.uri: {path} is damaged, it lacks {', '.join(missing)}; name another file")
        _verify_schema(engine)  # type: ignore[no-untyped-call]
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise InputError(f"tracking.uri: {path} can't be read: {str(error).splitlines()[0]}") from None
    except MlflowException as error:
        raise InputError(f"tracking.uri: {path} is not a store of this MLflow version: {error}") from None
    finally:
        engine.dispose()


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=PATIENCE_S)


def _check_server(uri: str) -> None:
    shown = Tracking(uri=uri).shown_uri
    try:
        answer = requests.get(f"{uri.rstrip('/')}/health", timeout=PATIENCE_S)
    except requests.RequestException as error:
        reason = "no answer in time" if isinstance(error, requests.Timeout) else "no connection"
        raise InputError(
            f"tracking.uri: {shown} can't be reached ({reason}); start the server or correct the address"
        ) from None
    if answer.status_code != requests.codes.ok or answer.text.strip() != "OK":
        raise InputError(f"tracking.uri: {shown} answers (HTTP {answer.status_code}), but not as an MLflow server does")


def _check_database(uri: str, kind: str) -> None:
    url = _parsed(uri)
    host, port = url.host or "localhost", url.port or _PORTS[kind]
    shown = url.render_as_string(hide_password=True)
    try:
        # The driver may wait for minutes, and MLflow tries ten times: a plain connection tells in seconds.
        socket.create_connection((host, port), PATIENCE_S).close()
        sqlalchemy.create_engine(url).connect().close()
    except OSError as error:
        raise InputError(f"tracking.uri: {shown} can't be reached ({error.strerror or error})") from None
    except (sqlalchemy.exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise InputError(f"tracking.uri: {shown} needs a driver that is not installed: {error}") from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"tracking.uri: {shown} refuses the connection: {reason}") from None


def _kind(uri: str) -> str:
    """Return ``sqlite``, ``http``, ``postgresql`` ..., or nothing where an address has no such beginning."""
    try:
        return urlsplit(uri).scheme.partition("+")[0]
    except ValueError:
        return ""


def _parsed(uri: str) -> sqlalchemy.URL:
    try:
        return sqlalchemy.make_url(uri)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise InputError(f"tracking.uri: got {uri!r}, which can't be read; expected {SUPPORTED}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
