"""Errors of the store, each in one line that says what to do."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest
import requests
from google.protobuf.json_format import ParseError
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import DatabaseError, OperationalError

from occupancy.errors import InputError, Interrupted
from occupancy.tracking.guard import RECORDED, failure, store_errors

HERE = f"sqlite:///{__file__}"  # any file that is there
FULL = sqlite3.OperationalError("database or disk is full")
LOCKED = sqlite3.OperationalError("database is locked")
MALFORMED = sqlite3.DatabaseError("database disk image is malformed")
AGAIN = "then give the same command again"


def told(error: BaseException, uri: str = HERE, kept: str = "") -> str:
    with pytest.raises(InputError) as caught, store_errors(uri, kept):
        raise error
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.__suppress_context__, "a traceback would show the other error"
    assert text.startswith("tracking.uri: ")
    return text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MlflowException(str(OperationalError("insert", {}, FULL))), "has no space left on its disk"),
        (OperationalError("insert", {}, FULL), "has no space left on its disk"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/mlruns/1"), "has no space left on its disk"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "has no space left on its disk"),
        (MlflowException(str(OperationalError("insert", {}, LOCKED))), "is locked by another program"),
        (LOCKED, "is locked by another program"),
        (DatabaseError("select", {}, MALFORMED), "is damaged"),
        (MALFORMED, "is damaged"),
        (sqlite3.DatabaseError("file is not a database"), "is damaged"),
        (sqlite3.OperationalError("no such table: runs"), "is damaged"),
        (sqlite3.OperationalError("disk I/O error"), "is damaged"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "can't be written to"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/mlruns"), "can't be written to"),
    ],
    ids=str,
)
def test_an_error_of_the_store_says_what_is_wrong_and_what_to_do(error: Exception, said: str) -> None:
    text = told(error)
    assert text.startswith(f"tracking.uri: {HERE} {said} (")
    assert text.endswith(AGAIN)


def test_where_something_was_being_recorded_it_says_what_is_kept() -> None:
    assert told(FULL, kept=RECORDED).endswith(f"{AGAIN}; {RECORDED}")
    assert told(MlflowException("odd"), kept=RECORDED).endswith(f"can't be used: odd; {RECORDED}")


@pytest.mark.parametrize(
    "error",
    [
        MlflowException("error code 502\nBad gateway"),
        requests.ConnectionError("connection reset"),
        ParseError("no field named x"),
    ],
    ids=str,
)
def test_a_server_that_fails_does_not_answer_as_a_store_does(error: Exception) -> None:
    said = str(error).partition("\n")[0]
    assert told(error, "http://me:secret@lab:5000") == (
        f"tracking.uri: http://me:***@lab:5000 does not answer as an MLflow store does: {said}"
    )


def test_a_server_that_refuses_the_login_says_where_one_is_given() -> None:
    text = told(MlflowException("API request failed with error code 401 != 200"), "http://lab:5000")
    assert "http://lab:5000 refuses the login" in text
    assert "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN" in text


def test_a_server_that_does_not_go_by_the_name_it_was_called_says_what_to_do() -> None:
    refused = MlflowException("failed with error code 403 != 200. Response body: 'Invalid Host header - possible ...'")
    assert str(failure("http://lab:5000", refused)) == (
        "tracking.uri: http://lab:5000 is a name that the server does not accept (HTTP 403); "
        "give the address as the server's --allowed-hosts has it, or add this one there"
    )


def test_what_a_library_says_is_cut_and_has_no_password() -> None:
    uri = "postgresql://me:s3cret@lab/runs"
    text = told(MlflowException(f"API request to {uri} with 's3cret' failed: {'x' * 60_000}"), uri)
    assert "s3cret" not in text
    assert len(text) < 500


@pytest.mark.parametrize("error", [InputError("mistaken"), Interrupted(), KeyboardInterrupt(), KeyError("a bug")])
def test_what_is_no_error_of_the_store_stays_what_it_is(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as caught, store_errors(f"sqlite:///{tmp_path / 'mlflow.db'}"):
        raise error
    assert caught.value is error


def test_an_error_of_any_kind_is_laid_on_a_store_that_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8_000)
    text = told(KeyError("status"), f"sqlite:///{path}")
    assert "is damaged ('status'); put a copy of it back" in text


def test_a_store_that_is_gone_is_told_so_unless_it_could_not_be_made(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    gone = told(sqlite3.OperationalError("attempt to write a readonly database"), uri)
    assert f"{uri} is not there any more (attempt to write a readonly database); put it back, or name another" in gone
    assert "has no space left on its disk" in told(FULL, uri)


def test_what_sqlalchemy_says_first_is_left_out() -> None:
    said = (
        "(raised as a result of Query-invoked autoflush; consider this)\n(sqlite3.OperationalError) database is locked"
    )
    assert "is locked by another program ((sqlite3.OperationalError) database is locked)" in told(MlflowException(said))
