"""``python -m occupancy.data``: what it prints, and how it refuses."""

from __future__ import annotations

import json
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from occupancy.data import download
from occupancy.data.__main__ import main
from occupancy.data.download import UCI_FILE
from occupancy.data.log import Log
from occupancy.data.schema import UCI

HEAVY = ("torch", "pandas", "numpy", "pandera", "mlflow", "pydantic", "yaml")


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start in an empty folder with a wide terminal and a server that is down."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("OCCUPANCY_DATA_DIR", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setattr(download, "ADDRESSES", (f"http://127.0.0.1:{port}/{UCI_FILE}",))


@pytest.fixture
def at_hand(uci_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real log where the command finds it."""
    monkeypatch.setenv("OCCUPANCY_DATA_DIR", str(uci_path.parent))
    return uci_path


@pytest.fixture
def office(tmp_path: Path) -> list[str]:
    """Return the settings for a small log of another room, with a gap, an empty cell and odd names."""
    (tmp_path / "office.yaml").write_text(
        "name: office\ntime: [at]\ntime_format: '%Y-%m-%d %H:%M'\ncount: heads\ncolumns:\n"
        "  - {name: 'air [ppm]', kind: co2, unit: '[ppm]'}\n"
        "  - {name: door, kind: other, unit: 0 or 1, optional: true}\n"
    )
    (tmp_path / "office.csv").write_text(
        "at,air [ppm],heads\n"
        "2024-01-01 10:00,400,0\n2024-01-01 10:01,,2\n2024-01-01 10:02,500,2\n2024-01-03 10:02,600,4\n"
    )
    return ["source=office.csv", "data.schema=office.yaml", "max_count=4"]


def facts_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["--json", *arguments]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 1
    facts: dict[str, Any] = json.loads(out)
    return facts


def lines_of(capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Return what was printed, without the layout."""
    return {" ".join(line.replace("│", " ").split()) for line in capsys.readouterr().out.splitlines()}


def test_json_tells_everything_about_a_log(capsys: pytest.CaptureFixture[str], office: list[str]) -> None:
    facts = facts_of(capsys, *office, "missing=hold")
    assert len(facts.pop("digest")) == 16
    assert facts == {
        "name": "office.csv",
        "origin": "office.csv",
        "rows": 4,
        "first": "2024-01-01 10:00:00",
        "last": "2024-01-03 10:02:00",
        "step_s": 60.0,
        "unlabelled": 0,
        "labels": {"0": 1, "1": 0, "2": 2, "3": 0, "4": 1},
        "missing": 1,
        "max_gap": 120.0,
        "gaps": [{"start": "2024-01-01 10:02:00", "length_s": 172_800.0}],
        "columns": [
            {
                "name": "air [ppm]",
                "kind": "co2",
                "unit": "[ppm]",
                "missing": 1,
                "held": 1,
                "longest_missing": 1,
                "min": 400.0,
                "mean": 475.0,
                "max": 600.0,
            }
        ],
        "health": [],
    }


def test_a_missing_reading_is_in_no_figure_unless_it_is_held(
    capsys: pytest.CaptureFixture[str], office: list[str]
) -> None:
    (column,) = facts_of(capsys, *office)["columns"]
    assert (column["missing"], column["held"], column["longest_missing"], column["mean"]) == (1, 0, 1, 500.0)


def test_rows_without_a_count_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path, office: list[str]) -> None:
    log = tmp_path / "office.csv"
    log.write_text(log.read_text().replace("500,2", "500,"))
    facts = facts_of(capsys, *office)
    assert (facts["unlabelled"], facts["labels"]["2"]) == (1, 1)
    assert main(office) == 0
    assert "rows of each count 0: 1, 1: 0, 2: 1, 3: 0, 4: 1, none: 1" in lines_of(capsys)


def test_the_table_tells_the_same_to_people(capsys: pytest.CaptureFixture[str], office: list[str]) -> None:
    assert main(office) == 0
    lines = lines_of(capsys)
    assert {
        "log office.csv",
        "file office.csv",
        "rows 4",
        "first row 2024-01-01 10:00:00",
        "last row 2024-01-03 10:02:00",
        "step 60 s",
        "rows of each count 0: 1, 1: 0, 2: 2, 3: 0, 4: 1",
        "missing readings 1",
        "gaps over 120 s 2024-01-01 10:02:00 for 2 days, 0:00:00",
        "air [ppm] [ppm] 400 500 600 1 1",
    } <= lines
    assert any(line.startswith("digest ") for line in lines)


def test_the_real_log_is_told_as_its_description_says(
    capsys: pytest.CaptureFixture[str], at_hand: Path, uci_log: Log
) -> None:
    facts = facts_of(capsys)
    assert facts["name"] == "uci"
    assert facts["origin"] == str(at_hand)
    assert facts["digest"] == uci_log.digest
    assert facts["labels"] == {"0": 8228, "1": 459, "2": 748, "3": 694}
    assert (facts["rows"], facts["missing"], facts["unlabelled"], facts["health"]) == (10_129, 0, 0, [])
    assert [(gap["start"][:10], round(gap["length_s"] / 60)) for gap in facts["gaps"]] == [
        ("2017-12-22", 3),
        ("2017-12-22", 26),
        ("2017-12-22", 4),
        ("2017-12-22", 3),
        ("2017-12-23", 3),
        ("2017-12-24", 1441),
        ("2017-12-26", 21_976),
    ]
    assert [column["name"] for column in facts["columns"]] == UCI.sensors
    assert (facts["columns"][12]["min"], facts["columns"][12]["max"]) == (345.0, 1270.0)


def test_a_simulated_log_has_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["source=simulated", "simulation.days=1"]
    assert facts_of(capsys, *asked)["origin"] is None
    assert main(asked) == 0
    assert {"file none", "gaps over 120 s none"} <= lines_of(capsys)


def test_a_log_of_one_row_has_no_step(capsys: pytest.CaptureFixture[str], tmp_path: Path, office: list[str]) -> None:
    (tmp_path / "office.csv").write_text("at,air [ppm],heads\n2024-01-01 10:00,400,0\n")
    assert facts_of(capsys, *office)["step_s"] is None
    assert main(office) == 0
    assert "step unknown" in lines_of(capsys)


def test_standing_in_for_the_real_log_is_framed_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "simulation.days=1"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["name"] == "simulated"
    assert "Warning" in captured.err
    assert "THIS LOG IS SIMULATED, it is not the UCI log" in captured.err


def test_a_scheme_that_is_given_is_tried_on_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    simulated = ["--json", "source=simulated"]
    assert main([*simulated, "folds=simulated"]) == 0
    capsys.readouterr()
    assert main([*simulated, "folds=forward"]) == 2
    assert capsys.readouterr().err.startswith("occupancy data: data.folds: scheme 'forward' is for the log 'uci', got")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["sorce=uci"],
            "command line: unknown key data.sorce; did you mean data.source? allowed in data: source, fold",
        ),
        (["data.sorce=uci"], "command line: unknown key data.sorce; did you mean data.source? allowed in data: source"),
        (["train.members=1"], "command line: unknown key data.train; "),
        (
            ["source=uci", "data.source=uci"],
            "command line: data.source conflicts with data.source, which is given bef",
        ),
        (["source"], "command line: got 'source', expected key=value such as data.source=simulated"),
        (["=uci"], "command line: got '=uci', expected key=value such as data.source=simulated"),
        (["foo=1"], "command line: unknown key data.foo; allowed in data: source, folds"),
        *(
            (
                [f"rooms={rooms}", *others],
                f"command line: data.rooms: got {rooms!r}, but this command reads one log; give",
            )
            for rooms, others in (("here", []), ("here", ["folds=each_room"]), ("here", ["source=uci"]), (5, []))
        ),
        (["max_count=many"], "command line: data.max_count: got 'many' (str), expected a valid integer"),
        (["source=simulated", "time_format=%Y"], "command line: data: time_format conflicts with source 'simulated'"),
        (
            ["source=ucl"],
            "data.source: got 'ucl', expected auto, uci, simulated or the path of a CSV file; did you mean ",
        ),
        (["source=uci"], "could not download Occupancy_Estimation.csv (http://127.0.0.1:"),
        (["source=empty.csv"], "empty.csv: is empty; expected a header line and one line for each sample"),
        (["source=short.csv"], "short.csv: missing column S1_Temp, "),
        (["source=short.csv", "time_format=%Q"], "time_format: got '%Q', expected a strptime format such as"),
        (["source=simulated", "--out", "log.db"], "--out: got log.db, expected a name that ends in .csv"),
        (["source=simulated", "--out", "log.csv", "--json"], "--json: describes a log, but --out writes one; drop "),
        (["--sjon"], "unrecognized arguments: --sjon; see --help"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "short.csv").write_text("Date,Time\n2017/12/22,10:49:41\n")
    try:
        code = main(arguments)
    except SystemExit as ended:  # argparse ends by itself
        code = int(str(ended.code))
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.removeprefix("occupancy data: ").startswith(said)


def test_the_command_runs_as_a_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["occupancy.data", "source=ucl"])
    monkeypatch.delitem(sys.modules, "occupancy.data.__main__")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("occupancy.data", run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("occupancy data: data.source: got 'ucl'")


def test_help_answers_without_heavy_imports() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "occupancy.data", "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("usage: occupancy data")
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "occupancy.cli.command" in imported
    assert imported.isdisjoint(HEAVY)
