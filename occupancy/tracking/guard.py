"""Errors of the store, each as one line that says what to do, wherever a command talks to the store."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from google.protobuf.json_format import ParseError
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from occupancy.config.address import Address
from occupancy.errors import InputError
from occupancy.tracking.remote import LOGIN
from occupancy.tracking.sqlite import is_damaged, sqlite_path

RECORDED = "what was recorded is kept, and this run is marked as failed, at the latest by the next training"
"""What to add where the store failed while something was being recorded."""

_ERRORS = (MlflowException, SQLAlchemyError, sqlite3.Error, ParseError, OSError)  # OSError has those of requests
_STRANGE_HOST = "Invalid Host header"  # what MLflow's server says to who calls it by a name not allowed; not on /health
_DAMAGED = "is damaged", "put a copy of it back, save what it still holds by `sqlite3 FILE .recover`, or name another"
_FULL = "no space left|disk is full|quota exceeded|file too large"
_CAUSES = (
    (_FULL, "has no space left on its disk", "free some"),
    ("(database|table) is locked", "is locked by another program", "end that program, or wait until it is done"),
    ("malformed|not a database|no such (table|column)|disk i/o error|could not decode", *_DAMAGED),
    ("read-?only|permission denied", "can't be written to", "let this user write there, or name another"),
    ("error code 40[13]", "refuses the login", LOGIN),
)
_NOISE = "(raised as a result of"  # what SQLAlchemy says before the error itself
_SAID = 200  # characters of what a library says


@contextmanager
def store_errors(uri: str, kept: str = "") -> Iterator[None]:
    """Turn every error of a store, its disk or the way to it into one line; errors of our own stay what they are.

    Args:
        uri: the address of the store.
        kept: what to say beside that; see `RECORDED`.

    Raises:
        InputError: the store failed.
    """
    address = Address(uri)
    try:
        yield
    except InputError:
        raise
    except _ERRORS as error:
        raise failure(address, error, kept) from None
    except Exception as error:  # MLflow makes any error of what it can't understand
        path = sqlite_path(address)
        if path is None or not is_damaged(path):
            raise
        raise _told(address, *_DAMAGED, _first_line(address, error), kept) from None


def failure(uri: str, error: Exception, kept: str = "") -> InputError:
    """Return what to tell the user of a store that can be reached and failed; see `store_errors`."""
    address, whole = Address(uri), str(error)
    if _STRANGE_HOST in whole:
        return InputError(
            f"tracking.uri: {address} is a name that the server does not accept (HTTP 403); "
            "give the address as the server's --allowed-hosts has it, or add this one there"
        )
    said, path = _first_line(address, error), sqlite_path(address)
    if path is not None and not path.exists() and not re.search(_FULL, whole, re.IGNORECASE):
        return _told(address, "is not there any more", "put it back, or name another", said, kept)
    for pattern, state, remedy in _CAUSES:
        if re.search(pattern, whole, re.IGNORECASE):
            return _told(address, state, remedy, said, kept)
    state = "can't be used" if address.kind == "sqlite" else "does not answer as an MLflow store does"
    return InputError("; ".join(filter(None, [f"tracking.uri: {address} {state}: {said}", kept])))


def _told(address: Address, state: str, remedy: str, said: str, kept: str) -> InputError:
    again = f"{remedy}, then give the same command again"
    return InputError("; ".join(filter(None, [f"tracking.uri: {address} {state} ({said})", again, kept])))


def _first_line(address: Address, error: Exception) -> str:
    lines = [line for line in address.scrub(str(error)).splitlines() if line and not line.startswith(_NOISE)]
    said = lines[0] if lines else type(error).__name__
    return said if len(said) <= _SAID else f"{said[:_SAID]} ..."
