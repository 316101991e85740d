from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.config.secrets import hide, hide_in, shown
from tests.secret_addresses import FORMS, HOST, leaked


@pytest.mark.parametrize("address", FORMS.values(), ids=FORMS.keys())
def test_an_address_is_shown_without_its_secret_however_it_is_written(address: str) -> None:
    assert leaked(shown(address)) == []
    assert "***" in shown(address)
    assert shown(shown(address)) == shown(address)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (f"http://ann:s3cret@{HOST}/path", f"http://ann:***@{HOST}/path"),
        ("postgresql+psycopg://ann@home.org:a@b/c@h:5432/runs", "postgresql+psycopg://ann@home.org:***@h:5432/runs"),
        ("http:/ann:s3cret@h", "http:/ann:***@h"),
        ("http://token@h", "http://***@h"),
        (
            "postgresql://h/d?sslmode=require&sslpassword=x;y#z",
            "postgresql://h/d?sslmode=require&sslpassword=***;***#***",
        ),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dx", "mssql+pyodbc:///?odbc_connect=***"),
        ("postgresql://ann:${PW}@h", "postgresql://ann:${PW}@h"),
        ("postgresql://ann:a${PW}b@h", "postgresql://ann:***${PW}***@h"),
    ],
)
def test_all_but_the_secret_is_shown(address: str, expected: str) -> None:
    assert shown(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "mlruns",
        "./mlflow.db",
        "sqlite:///mlflow.db",
        "sqlite:mlflow.db",
        "sqlite:////tmp/a:b@c/x.db",
        "sqlite:///file:x.db?mode=memory&uri=true",
        "file:///tmp/mlruns",
        "http://host:5000",
        "http://host:5000/a/path#place",
        "http://[::1]:5000/",
        "http://[fe80::1%eth0]:5000/",
        "http://[::1",
        "postgresql://mlflow@db/mlflow",
        "postgresql://mlflow@db1:5432,db2:5433/mlflow?host=/var/run",
        "localhost:5000",
        "databricks://profile",
    ],
)
def test_an_address_without_a_secret_is_shown_as_it_is(address: str) -> None:
    assert shown(address) == address


@pytest.mark.parametrize("address", FORMS.values(), ids=FORMS.keys())
def test_a_message_that_quotes_an_address_is_told_without_its_secret(address: str) -> None:
    assert leaked(hide(f"tracking: got {address!r} (str), expected keys with values")) == []
    assert leaked(hide(f"got {'tracking.uri=' + address!r}, expected key=value")) == []
    assert leaked(hide(f"got {[address, {'uri': 'tracking.uri=' + address}]!r} (list)")) == []


@pytest.mark.parametrize("address", FORMS.values(), ids=FORMS.keys())
def test_an_argument_is_told_without_its_secret(address: str) -> None:
    assert leaked(hide_in(f"tracking.uri={address}")) == []


@pytest.mark.parametrize(
    "text",
    [
        "can't be reached (no connection); start the server",
        "--model: occupancy-best@current is neither a folder here nor in http://host:5000; there are a@b, c:3",
        "room.csv: row 7: got '12:30:00', expected a number",
        "--explain: got '2017-12-23 16:00:00', expected 'a local time'",
        "the users' store is at sqlite:////tmp/a b/x.db: see https://mlflow.org/docs#place.",
        'config.yaml: line 3: "unfinished',
        "run ab12 in sqlite:///mlflow.db",
    ],
)
def test_a_message_without_secrets_stays_as_it_is(text: str) -> None:
    assert hide(text) == text


def test_an_address_ends_where_the_sentence_goes_on() -> None:
    assert hide("at http://a:b@h, or (postgres://c:d@e).") == "at http://a:***@h, or (postgres://c:***@e)."


@given(st.text(st.sampled_from("a1:/@?#&;=.+[]*'\" ${}\\%"), max_size=40))
def test_what_was_hidden_once_stays_hidden(text: str) -> None:
    once = shown(text)
    assert shown(once) == once


@given(
    st.sampled_from(["http://", "postgresql://", "postgers://", "http:/", ""]),
    st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="${}"), max_size=12),
)
def test_no_password_is_shown_whatever_its_characters(scheme: str, tail: str) -> None:
    # What follows an @ in a password may be taken for the host only if no @ follows.
    assert leaked(shown(f"{scheme}ann:s3c{tail}tpw@{HOST}")) == []


@pytest.mark.parametrize("text", ["a" * 200_000, ":" * 200_000, "@" * 200_000, "'" * 200_000, ":/" * 100_000])
def test_a_text_of_any_length_takes_no_time(text: str) -> None:
    begun = time.monotonic()
    hide(text)
    hide_in(text)
    assert time.monotonic() - begun < 5
