"""The SQLite file of a store: where it is, whether it can be used, and whether it is damaged."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.store.db.utils import _verify_schema

from occupancy.config.address import Address
from occupancy.errors import InputError

SUPPORTED = "sqlite:///mlflow.db, http(s)://host:port, postgresql://..., mysql://... or mssql://..."
PATIENCE_S = 4.0  # how long another program may keep the file locked
_TABLES = {"experiments", "runs", "metrics", "latest_metrics", "params", "tags", "inputs", "datasets"}
_DRIVERS = ("sqlite", "sqlite+pysqlite")
_OPTIONS = {"timeout", "check_same_thread", "cached_statements", "detect_types", "isolation_level"}
_MAGIC = b"SQLite format 3\0"


def sqlite_path(uri: str) -> Path | None:
    """Return the absolute path of the file that an SQLite address names, or None for an address of another kind.

    Raises:
        InputError: the SQLite address names no file.
    """
    address = Address(uri)
    if address.kind != "sqlite":
        return None
    url = parse(address)
    if not url.database or url.host or url.database == ":memory:" or url.database.startswith("file:"):
        raise InputError(
            f"tracking.uri: got {address!r}, which names no file; expected for example sqlite:///mlflow.db"
        )
    unknown = [*([url.drivername] if url.drivername not in _DRIVERS else []), *sorted(set(url.query) - _OPTIONS)]
    if unknown:
        raise InputError(
            f"tracking.uri: got {address!r}, but {', '.join(unknown)} is nothing that a store in an SQLite file can "
            "have; expected for example sqlite:///mlflow.db"
        )
    return Path(url.database).absolute()


def mlflow_address(uri: str) -> str:
    """Return the address of a store as MLflow is to be given it: with its secrets, an SQLite file by its whole path.

    MLflow keeps a connection for each address, so ``sqlite:///mlflow.db`` would stay the file of the folder where it
    was first used, also after the process went to another.

    Raises:
        InputError: the address can't be read, or has a variable that is not set.
    """
    address = Address(uri)
    path = sqlite_path(address)
    if path is None:
        return address.plain()
    _, mark, query = address.plain().partition("?")
    # Not quoted: MLflow makes a folder of the name as it stands there. One with ? or % can not stand there.
    whole = f"{parse(address).drivername}:///{path}{mark}{query}"
    return whole if sqlite_path(whole) == path else address.plain()


def parse(address: Address) -> sqlalchemy.URL:
    """Return the parts of the address of a database.

    Raises:
        InputError: it has no such parts.
    """
    try:
        return sqlalchemy.make_url(address.plain())
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"tracking.uri: got {address!r}, which can't be read; expected {SUPPORTED}") from None


def is_made(path: Path) -> bool:
    """Return whether an SQLite file is there and not empty."""
    return path.exists() and path.stat().st_size > 0


def check_sqlite(address: Address) -> None:
    """Check that runs can be recorded in the file of an SQLite address, without creating or changing it.

    Raises:
        InputError: it is no store, or can't be one.
        SQLAlchemyError: it is damaged, or locked by another program.
    """
    path = sqlite_path(address)
    assert path is not None, "an SQLite address has one"
    try:
        if _is_store_file(path, address):
            _check_tables(path)
    except OSError as error:
        raise InputError(f"tracking.uri: {path} can't be used ({error.strerror}); name another file") from None
    except ValueError as error:  # of a byte that no name may have
        if isinstance(error, InputError):
            raise
        raise InputError(f"tracking.uri: {address} can't be used ({error}); name another file") from None


def _is_store_file(path: Path, address: Address) -> bool:
    """Return whether a file is there that may be a store; raise InputError or OSError if none can be there."""
    folder = next(parent for parent in path.parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"tracking.uri: got {address!r}, but {folder} is not a folder that can be written to")
    if path.is_dir():
        raise InputError(f"tracking.uri: got {address!r}, which is a folder; expected a file")
    if not is_made(path):
        with suppress(FileNotFoundError, NotADirectoryError):
            path.with_name(f".{path.name}.unfinished-12345678").stat()  # whether a file may have such a name
        return False
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise InputError(f"tracking.uri: {path} is not an SQLite database; name another file or move this one away")
    if not os.access(path, os.W_OK):
        raise InputError(f"tracking.uri: {path} can't be written to; name another file")
    return True


def _check_tables(path: Path) -> None:
    # Not asked through MLflow, which adds its tables to any database that it is pointed at. Not read-only:
    # SQLite must be free to roll back what a killed process left half written.
    engine = sqlalchemy.create_engine("sqlite://", creator=lambda: _connect(path, "rw", PATIENCE_S))
    try:
        tables = set(sqlalchemy.inspect(engine).get_table_names())
        if "experiments" not in tables:
            raise InputError(f"tracking.uri: {path} is a database, but not an MLflow store; name another file")
        if missing := sorted(_TABLES - tables):  # MLflow would add them, with other columns
            raise InputError(f"tracking.uri: {path} is damaged, it lacks {', '.join(missing)}; name another file")
        _verify_schema(engine)  # type: ignore[no-untyped-call]
    except MlflowException as error:
        raise InputError(f"tracking.uri: {path} is not a store of this MLflow version: {error}") from None
    finally:
        engine.dispose()


def is_damaged(path: Path) -> bool:
    """Return whether a file is there and is no whole SQLite database; if another program locks it, it is not known."""
    if not is_made(path):
        return False
    try:
        with closing(_connect(path, "ro", 1.0)) as connection:
            return bool(connection.execute("pragma quick_check(1)").fetchone() != ("ok",))
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return True


def _connect(path: Path, mode: str, patience_s: float) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=patience_s)
