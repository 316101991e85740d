"""An address cannot be printed with its secret, whatever prints it."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from rich.console import Console

from occupancy.config import Config, Tracking
from occupancy.config.address import Address
from occupancy.config.parsing import load_config
from occupancy.errors import InputError
from tests.secret_addresses import FORMS, HOST, leaked

SECRET = f"postgresql://ann:s3cret@{HOST}/runs"


def printed(value: object) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(value, [value], {"uri": value})
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def logged(value: object) -> str:
    target = StringIO()
    handler = logging.StreamHandler(target)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "at %s, %r", (value, value), None)
    handler.emit(record)
    return target.getvalue()


WAYS: dict[str, Callable[[Any], str]] = {
    "str": str,
    "repr": repr,
    "f-string": lambda one: f"{one} {one!r} {one!s} {one!a}",
    "format": lambda one: "{} {!r}".format(one, one),  # noqa: UP032
    "percent": lambda one: "%s %r" % (one, one),  # noqa: UP031
    "json": lambda one: json.dumps([one, {"uri": one}], default=str),
    "pprint": pprint.pformat,
    "rich": printed,
    "log": logged,
    "exception": lambda one: repr(ValueError(one)) + str(ValueError(one)),
    "pickle": lambda one: str(pickle.dumps(one)),
}
OF_ADDRESS: dict[str, Callable[[Address], str]] = {
    "padded": lambda one: f"{one:>99}",
    "joined": lambda one: "".join([one, one]) + one[:] + (one + "") + one.upper(),
    "encoded": lambda one: str(one.encode()),
    "yaml": lambda one: yaml.safe_dump([one]) + yaml.dump({"uri": one}),
}
OF_CONFIG: dict[str, Callable[[Config], str]] = {
    "dump": lambda one: str(one.model_dump()) + str(one.tracking.model_dump(by_alias=True)),
    "json dump": lambda one: one.model_dump_json(),
    "config.yaml": lambda one: one.to_yaml(),
    "flat": lambda one: str(one.flat()),
    "shown": lambda one: json.dumps(one.shown()),
    "deep copy": lambda one: repr(one.model_copy(deep=True)),
}


@pytest.mark.parametrize("address", FORMS.values(), ids=FORMS.keys())
def test_an_address_and_the_config_that_has_it_hold_no_secret_for_whatever_prints_them(address: str) -> None:
    uri = Address(address)
    config = Config(name="room", tracking=Tracking(uri=address))
    for value in (uri, config.tracking, config):
        assert [name for name, way in WAYS.items() if leaked(way(value))] == []
    assert [name for name, way in OF_ADDRESS.items() if leaked(way(uri))] == []
    assert [name for name, way in OF_CONFIG.items() if leaked(way(config))] == []


def test_the_schema_of_a_config_holds_no_secret_of_any_that_was_made() -> None:
    made = [Config(name="room", tracking=Tracking(uri=address)) for address in FORMS.values()]
    assert leaked(str(Config.model_json_schema())) == []
    assert len(made) == len(FORMS)


@pytest.mark.parametrize("address", FORMS.values(), ids=FORMS.keys())
def test_only_the_plain_address_has_the_secret(address: str) -> None:
    plain = Address(address).plain()
    assert leaked(plain) != []
    assert plain.lower() == address.strip().lower()


def test_an_address_keeps_its_secret_from_the_command_line_to_whoever_connects(tmp_path: Path) -> None:
    path = tmp_path / "room.yaml"
    path.write_text("seed: 1\n")
    config = load_config(path, [f"tracking.uri={SECRET}"])
    assert config.tracking.uri.plain() == SECRET
    assert config.model_copy(deep=True).tracking.uri.plain() == SECRET
    assert copy.deepcopy(config.tracking.uri).plain() == copy.copy(config.tracking.uri).plain() == SECRET
    assert Tracking(uri=config.tracking.uri).uri.plain() == Address(config.tracking.uri).plain() == SECRET


def test_addresses_are_equal_if_their_secrets_are_too() -> None:
    one, other = Address("http://ann:a@h"), Address("http://ann:b@h")
    assert str(one) == str(other)
    assert (one == other, one != other, len({one, other})) == (False, True, 2)
    assert one == "http://ann:a@h"
    assert Address("http://h") in {"http://h"}


def test_an_error_of_the_settings_does_not_quote_the_address() -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"name": "room", "protocol": "other", "tracking": {"uri": SECRET, "experiment": ""}})
    assert leaked(str(caught.value)) == []
    with pytest.raises(ValidationError) as caught:
        Tracking.model_validate({"uri": [SECRET]})
    assert leaked(str(caught.value)) == []


def test_a_variable_of_the_environment_is_read_when_the_address_is_used_and_escaped_as_a_password_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uri = Address("postgresql://ann:${STORE_PASSWORD}@db/runs")
    with pytest.raises(InputError) as caught:
        uri.plain()
    assert str(caught.value) == (
        "tracking.uri: got 'postgresql://ann:${STORE_PASSWORD}@db/runs', but STORE_PASSWORD is not set in the "
        "environment; export STORE_PASSWORD=..."
    )
    monkeypatch.setenv("STORE_PASSWORD", "s3c@/:?#%tpw")
    assert uri.plain() == "postgresql://ann:s3c%40%2F%3A%3F%23%25tpw@db/runs"
    assert str(uri) == "postgresql://ann:${STORE_PASSWORD}@db/runs"
    for said in ("s3c@/:?#%tpw", "s3c%40%2F%3A%3F%23%25tpw", repr(uri.plain())):
        assert leaked(uri.scrub(f"the server says: {said}!")) == []


def test_a_variable_in_the_path_of_a_file_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDER", "/a b/c")
    assert Address("sqlite:///${FOLDER}/x.db").plain() == "sqlite:////a b/c/x.db"


def test_a_secret_that_was_hidden_when_the_address_was_shown_is_asked_for() -> None:
    shown = Config(name="room", tracking=Tracking(uri=SECRET)).to_yaml()
    again = Config.model_validate(yaml.safe_load(shown))
    with pytest.raises(
        InputError, match=r"where \*\*\* stands for a secret that was not recorded; put the secret there"
    ):
        again.tracking.uri.plain()


@pytest.mark.parametrize(
    "said",
    [
        "could not connect to {address}",
        "invalid dsn: missing '=' after '{address}'",
        "failed for 'ann' with 's3c@tpw' and s3c%40tpw",
        "PWD=s3c@tpw;",
        "token {other} is expired",
    ],
)
def test_what_a_library_says_is_told_without_the_secrets_of_address_and_environment(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0k3n")
    address = f"postgresql://ann:s3c%40tpw@{HOST}/runs"
    told = Address(address).scrub(said.format(address=address, other="t0k3n"))
    assert leaked(told) == []
    assert "t0k3n" not in told
    assert told != said


def test_a_short_secret_is_not_looked_for_within_words() -> None:
    assert Address("http://ann:no@h").scrub("no connection: 'no', not now") == "*** connection: '***', not now"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sqlite:///" + "y" * 5_000, "at most 2000 characters"),
        ("sqlite:///a\x1b[31mb.db", r"got 'sqlite:///a\\x1b\[31mb.db', expected an address without control characters"),
        ("sqlite:///a\x00b.db", "without control characters"),
    ],
)
def test_an_address_that_is_too_long_or_moves_the_cursor_is_refused(uri: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Tracking(uri=uri)


@pytest.mark.parametrize("kind", ["sqlite", "http", "https", "postgresql", "mysql", "mssql"])
def test_the_kind_of_an_address_is_known_whatever_its_case_and_driver(kind: str) -> None:
    assert Address(f" {kind.upper()}+driver://h").kind == kind
    assert Address("http://[::1").kind == ""
