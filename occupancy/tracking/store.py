"""The MLflow store: whether it can be used, and how it is created without leaving half of one."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Experiment, LifecycleStage

from occupancy.config import Tracking
from occupancy.config.address import Address
from occupancy.errors import InputError
from occupancy.tracking.guard import store_errors
from occupancy.tracking.remote import PATIENCE_S, PORTS, check_database, check_server
from occupancy.tracking.sqlite import SUPPORTED, check_sqlite, is_made, mlflow_address, sqlite_path


def check_store(uri: str) -> None:
    """Check that runs can be recorded at an address, without creating anything.

    Raises:
        InputError: the kind of address is not supported, nothing answers in time, or it is not a store.
    """
    address = Address(uri)
    if address.kind == "sqlite":
        with store_errors(address):
            check_sqlite(address)
    elif address.kind in {"http", "https"}:
        check_server(address)
    elif address.kind in PORTS:
        check_database(address)
    else:
        raise InputError(f"tracking.uri: got {address!r}, expected {SUPPORTED}")


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
    with store_errors(tracking.uri), impatient():
        yield MlflowClient(mlflow_address(tracking.uri))


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
    with store_errors(uri):
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
        try:
            MlflowClient(f"sqlite:///{new}").search_experiments()  # the first question makes the tables
            Path(new).chmod(0o666 & ~_umask())  # mkstemp's file is the owner's alone
            Path(new).replace(path)
        except Exception:  # such as of a full disk, where it takes space
            Path(new).unlink(missing_ok=True)
            raise


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
