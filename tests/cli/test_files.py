from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from occupancy.cli import files
from occupancy.errors import InputError
from occupancy.files import write
from occupancy.prediction import Prediction, from_people


def predicted(start: str, rows: int = 3) -> Prediction:
    """A row a minute with digits that no short number has."""
    samples = np.random.default_rng(0).uniform(0, 3, (5, rows))
    return from_people(pd.date_range(start, periods=rows, freq="60s"), samples, 0.1, 3)


def test_a_table_holds_every_digit_of_the_prediction_in_either_form() -> None:
    prediction = predicted("2024-01-01 10:00:00")
    expected, health = prediction.to_frame(), ["", "co2 stuck", ""]
    as_csv = list(csv.DictReader(io.StringIO(files.to_table(prediction, "csv", health, list(prediction.times)))))
    as_json = [
        json.loads(line) for line in files.to_table(prediction, "jsonl", health, list(prediction.times)).splitlines()
    ]
    assert len(as_csv) == len(as_json) == 3
    for position, (one, other) in enumerate(zip(as_csv, as_json, strict=True)):
        assert list(one) == list(other) == [*expected.columns, "health"]
        assert one["health"] == other["health"] == health[position]
        assert one["time"] == other["time"] == f"2024-01-01 10:0{position}:00"
        for name in expected.columns[1:]:
            assert float(one[name]) == other[name] == expected[name].iloc[position]
        assert isinstance(other["count"], int)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_midnight_is_written_as_a_time(kind: str) -> None:
    lone = predicted("2024-01-01 00:00:00", 1)
    assert "2024-01-01 00:00:00" in files.to_table(lone, kind, [""], list(lone.times))


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_picture_is_of_the_kind_asked_for(kind: str, start: bytes) -> None:
    assert files.to_picture(Figure(), kind).startswith(start)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.txt", r"expected a name that ends in one of \.csv, \.jsonl, \.png, \.svg"),
        ("a", "expected a name that ends in"),
        ("folder.csv", r"folder\.csv is a folder; name a file"),
        ("none/a.csv", "none is not a folder; create it"),
        ("file/a.csv", "file is not a folder; create it"),
    ],
)
def test_a_path_that_cannot_take_a_result_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=f"^--out: .*{message}"):
        files.check_target(tmp_path / name)


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(InputError, match="can't be written to; name another folder"):
        files.check_target(tmp_path / "a.csv")


def test_a_result_goes_through_a_link_and_an_ending_may_be_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link.CSV").symlink_to(tmp_path / "there" / "a.csv")
    target = files.check_target(tmp_path / "link.CSV")
    write({target: b"new"})
    assert (tmp_path / "link.CSV").is_symlink()
    assert (tmp_path / "there" / "a.csv").read_text() == "new"


def test_what_is_no_ordinary_file_is_not_written_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match=r"--out: .*/pipe\.csv is not an ordinary file; name another"):
        files.check_target(tmp_path / "pipe.csv")


def test_an_option_may_allow_one_ending_alone(tmp_path: Path) -> None:
    assert files.check_target(tmp_path / "page.html", "--html", ["html"]).name == "page.html"
    with pytest.raises(InputError, match=r"^--html: got .*/mlflow\.db, expected a name that ends in \.html$"):
        files.check_target(tmp_path / "mlflow.db", "--html", ["html"])
