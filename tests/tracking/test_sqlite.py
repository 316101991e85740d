from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from occupancy.config import Tracking
from occupancy.errors import InputError
from occupancy.tracking.experiment import open_experiment
from occupancy.tracking.sqlite import is_damaged, mlflow_address, sqlite_path
from occupancy.tracking.store import asked, check_store
from tests.experiments.made_experiments import tracking_apart


@pytest.fixture
def path(tmp_path: Path, new_store: Callable[[Path], str]) -> Path:
    new_store(tmp_path / "mlflow.db")
    return tmp_path / "mlflow.db"


def test_a_whole_file_is_not_damaged_nor_is_one_that_is_not_there_or_locked(path: Path) -> None:
    assert not is_damaged(path)
    assert not is_damaged(path.with_name("other.db"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        assert not is_damaged(path)


@pytest.mark.parametrize("kept", [0.3, 0.7])
def test_a_file_that_was_cut_off_is_damaged(path: Path, kept: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert is_damaged(path)


def test_a_file_with_other_bytes_in_it_is_damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:20_000] = b"\xa5" * (20_000 - 4096)
    path.write_bytes(content)
    assert is_damaged(path)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (
            "sqlite:///x.db?password=s3cret",
            r"got 'sqlite:///x.db\?password=\*\*\*', but password is nothing that a store",
        ),
        ("sqlite+pysqlcipher:///x.db", "but sqlite.pysqlcipher is nothing that a store in an SQLite file can have"),
    ],
)
def test_what_sqlite_cannot_have_is_refused(uri: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        sqlite_path(uri)


def test_the_kind_may_be_written_in_any_case_and_with_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for uri in ("SQLite:///x.db", "sqlite+pysqlite:///x.db", "sqlite:///x.db?timeout=30"):
        assert sqlite_path(uri) == tmp_path / "x.db"


def test_mlflow_gets_the_whole_path_of_a_file_and_any_other_address_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", "a b")
    assert mlflow_address("SQLite:///x.db?timeout=30") == f"sqlite:///{tmp_path}/x.db?timeout=30"
    assert mlflow_address("http://me:${SECRET}@host:1") == "http://me:a%20b@host:1"
    (tmp_path / "Büro #1 & a+b@c").mkdir()
    monkeypatch.chdir(tmp_path / "Büro #1 & a+b@c")
    assert mlflow_address("sqlite:///x.db") == f"sqlite:///{tmp_path}/Büro #1 & a+b@c/x.db"
    (tmp_path / "what?").mkdir()
    monkeypatch.chdir(tmp_path / "what?")
    assert mlflow_address("sqlite:///x.db") == "sqlite:///x.db", "no address can say it otherwise"


def test_a_process_that_goes_to_another_folder_uses_the_store_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracking_apart():
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            monkeypatch.chdir(tmp_path / name)
            client, made = open_experiment(Tracking(experiment=name))
            assert client.get_experiment(made).artifact_location == (tmp_path / name / "mlruns").as_uri()
            assert sqlite_path(mlflow.get_tracking_uri()) == tmp_path / name / "mlflow.db"
            with asked(Tracking(experiment=name)) as asking:
                assert {found.name for found in asking.search_experiments()} == {"Default", name}


@pytest.mark.parametrize(
    "name",
    ["y" * 5_000, "y" * 300, "y" * 250 + ".db", "a/" * 3_000 + "x.db", "a\0b.db"],
    ids=lambda name: str(len(name)),
)
def test_a_name_that_no_file_can_have_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        check_store(f"sqlite:///{tmp_path}/{name}")
    assert "can't be used (" in str(caught.value)
    assert "\n" not in str(caught.value)
