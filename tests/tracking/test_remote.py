from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from occupancy.config import Tracking
from occupancy.errors import InputError
from occupancy.tracking.experiment import check_experiment
from occupancy.tracking.store import check_store
from tests.secret_addresses import FORMS, leaked


@contextmanager
def guarded_server(authorization: str) -> Iterator[str]:
    """Give the host of a server that answers as MLflow's does to whoever sends this, and refuses everybody else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == authorization
            is_health = self.path == "/health"
            body = b"OK" if known and is_health else b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}'
            self.send_response((200 if is_health else 404) if known else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def refusal(uri: str) -> str:
    with pytest.raises(InputError) as caught:
        check_store(uri)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("tracking.uri: ")
    return text


@pytest.mark.parametrize("form", ["http://ann:{}@{}", "http://ann:${{STORE_PASSWORD}}@{1}"])
def test_a_login_in_the_address_is_used(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_PASSWORD", "s3c@/tpw")
    with guarded_server(basic("ann", "s3c@/tpw")) as host:
        check_store(form.format("s3c%40%2Ftpw", host))
        check_experiment(Tracking(uri=form.format("s3c%40%2Ftpw", host)))
        assert "refuses the login (HTTP 401); set MLFLOW_TRACKING_USERNAME" in refusal(f"http://ann:s3cret@{host}")
        assert leaked(refusal(f"http://ann:s3cret@{host}")) == []


def test_a_login_of_the_environment_is_used_as_mlflow_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")
    with guarded_server(basic("ann", "s3cret")) as host:
        check_store(f"http://{host}")
        check_experiment(Tracking(uri=f"http://{host}"))


def test_a_token_of_the_environment_is_used_as_mlflow_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cret")
    with guarded_server("Bearer s3cret") as host:
        check_store(f"http://{host}")
        check_experiment(Tracking(uri=f"http://{host}"))


@pytest.mark.parametrize(
    "name", ["slash in the password", "digits and a slash in the password", "question mark in the password"]
)
def test_a_password_that_ends_the_host_early_is_not_sent_to_another_host(name: str) -> None:
    text = refusal(FORMS[name])
    assert "which can't be read; in a password, write @ as %40, / as %2F" in text
    assert leaked(text) == []


def test_a_password_with_an_at_sign_is_not_asked_for_as_the_host_of_a_database() -> None:
    assert "which can't be read; in a password, write @ as %40" in refusal(FORMS["@ in the password of a database"])


@pytest.mark.parametrize(
    "host",
    [
        "a..b",
        ".",
        "",
        ":5000",
        "a" * 64 + ".b",
        "a." * 200,
        "127.0.0.1:99999",
        "127.0.0.1:-1",
        "127.0.0.1:port",
        "exa mple",
        "%00",
        "*",
        "[::1",
        "[zz]",
        "1.2.3.4.5",
        "\u00e4..b",
        "\U0001f600",
    ],
)
@pytest.mark.parametrize("form", ["http://{}", "https://{}/x", "postgresql://{}/runs", "mysql://ann@{}/runs"])
def test_an_odd_host_is_refused_in_one_line(host: str, form: str) -> None:
    refusal(form.format(host))


@pytest.mark.parametrize("address", FORMS.values(), ids=FORMS.keys())
def test_an_address_with_a_secret_is_refused_without_it(address: str) -> None:
    assert leaked(refusal(address)) == []
