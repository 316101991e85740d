"""Stores on other machines: whether a server or a database answers, within seconds, and takes the login."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import requests
import sqlalchemy
import urllib3
from mlflow.utils.credentials import get_default_host_creds

from occupancy.config.address import Address
from occupancy.errors import InputError
from occupancy.tracking.sqlite import parse

PATIENCE_S = 4.0  # how long a server or database may take to answer; imports before it take seconds too
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
"""The databases that can hold a store, with the port where each usually listens."""
LOGIN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
_ESCAPE = "in a password, write @ as %40, / as %2F, ? as %3F, # as %23 and % as %25, or take it from the environment "
_ESCAPE += "by ${NAME}"


def check_server(address: Address) -> None:
    """Check that an MLflow server answers, with the login that the address or the environment has, as MLflow's own.

    Raises:
        InputError: it does not.
    """
    plain = address.plain()
    creds = get_default_host_creds(plain)  # type: ignore[no-untyped-call]
    login = (creds.username, creds.password) if creds.username and creds.password else None
    bearer = {"Authorization": f"Bearer {creds.token}"} if creds.token and login is None else {}
    try:
        parts = urlsplit(plain)
        if "@" in f"{parts.path}{parts.query}{parts.fragment}":  # a part of a password would be asked for as a host
            raise InputError(f"tracking.uri: got {address!r}, which can't be read; {_ESCAPE}")
        answer = requests.get(
            f"{plain.rstrip('/')}/health", timeout=PATIENCE_S, auth=login, headers=bearer, verify=creds.verify
        )
    except (requests.Timeout, requests.ConnectionError) as error:
        reason = "no answer in time" if isinstance(error, requests.Timeout) else "no connection"
        raise InputError(
            f"tracking.uri: {address} can't be reached ({reason}); start the server or correct the address"
        ) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"tracking.uri: got {address!r}, which is no address of a server; expected http(s)://host:port"
        ) from None
    if answer.status_code in {requests.codes.unauthorized, requests.codes.forbidden}:
        raise InputError(f"tracking.uri: {address} refuses the login (HTTP {answer.status_code}); {LOGIN}")
    if answer.status_code != requests.codes.ok or answer.text.strip() != "OK":
        raise InputError(
            f"tracking.uri: {address} answers (HTTP {answer.status_code}), but not as an MLflow server does"
        )


def check_database(address: Address) -> None:
    """Check that a database answers and takes the login.

    Raises:
        InputError: it does not, or there is no driver for it.
    """
    url = parse(address)
    if "@" in (url.host or ""):
        raise InputError(f"tracking.uri: got {address!r}, which can't be read; {_ESCAPE}")
    try:
        # The driver may wait for minutes, and MLflow tries ten times: a plain connection tells in seconds.
        if url.host:  # else the driver knows where
            socket.create_connection((url.host, url.port or PORTS[address.kind]), PATIENCE_S).close()
        wait = {"connect_timeout": int(PATIENCE_S)} if url.get_driver_name().startswith("psycopg") else {}
        sqlalchemy.create_engine(url, connect_args=wait, poolclass=sqlalchemy.NullPool).connect().close()
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or address.scrub(str(error))
        raise InputError(f"tracking.uri: {address} can't be reached ({reason})") from None
    except (sqlalchemy.exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise InputError(
            f"tracking.uri: {address} needs a driver that is not installed: {address.scrub(str(error))}"
        ) from None
    except (sqlalchemy.exc.SQLAlchemyError, TypeError, ValueError) as error:  # of a query that the driver does not know
        reason = address.scrub(str(error)).strip().partition("\n")[0]
        raise InputError(f"tracking.uri: {address} refuses the connection: {reason}") from None
