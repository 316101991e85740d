"""`python -m occupancy.explore` as a user runs it, with the real profile behind our page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from occupancy import explore
from tests.places import ROOT


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-m", "occupancy.explore", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_real_log_becomes_one_page_that_asks_no_host_for_anything(uci_path: Path, tmp_path: Path) -> None:
    done = command(tmp_path, f"source={uci_path}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "page     reports/explore.html\n", "")
    text = (tmp_path / "reports" / "explore.html").read_text()
    assert text.index("What is in the log Occupancy_Estimation.csv?") < text.index("Number of observations")
    assert "10129" in text[text.index("Number of observations") :]  # the profile's own way to write it
    assert text.count("Numeric time series") >= 8
    bare = re.sub(r"data:[a-z/+;0-9-]+,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"<(?:script|img|iframe|source)[^>]+src(?:set)?=[\"']?(?!\"|')http|<link[^>]+http", bare)
    assert [file.name for file in (tmp_path / "reports").iterdir()] == ["explore.html"]


def test_constant_missing_and_blank_columns_still_give_a_page_that_says_so(uci_path: Path, tmp_path: Path) -> None:
    cells = pd.read_csv(uci_path, dtype=str, nrows=400)
    cells["S1_Temp"], cells["S2_Light"] = "25", ""
    cells.drop(columns="S3_Light").to_csv(tmp_path / "room.csv", index=False)
    done = command(tmp_path, "source=room.csv", "--html", "room.html")
    assert (done.returncode, done.stdout, done.stderr) == (0, "page     room.html\n", "")
    text = (tmp_path / "room.html").read_text()
    assert (
        "1 without a single reading (S2_Light); 1 with one value throughout (S1_Temp); 1 not in the file (S3_Light)"
        in text
    )
    assert "CAUTION  Training would refuse this log as it is" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["source=nowhere.csv"], "data.source: got 'nowhere.csv', expected auto, uci, simulated or the path of a CSV"),
        (["sources=uci"], "unknown key data.sources; did you mean data.source?"),
        (["source=simulated", "--html", "page.txt"], "--html: got page.txt, expected a name that ends in .html"),
        (["source=simulated", "--html", "no/page.html"], "no is no folder; create it or name another"),
        (["source=simulated", "folds=forward"], "scheme 'forward' is for the log 'uci', got the log 'simulated'"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert explore.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("occupancy explore: ")
    assert said in err
    assert err.count("\n") == 1
    assert not list(tmp_path.rglob("*.html*"))


def test_without_the_profiler_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(explore, "find_spec", lambda _: None)
    assert explore.main(["source=simulated"]) == 2
    assert "pip install 'occupancy[eda]'" in capsys.readouterr().err


def test_help_answers_without_heavy_libraries() -> None:
    code = "import sys, occupancy.explore as e\ntry: e.main(['--help'])\nexcept SystemExit: pass\n"
    code += "print({'torch', 'pandas', 'matplotlib', 'mlflow', 'data_profiling'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")


@pytest.mark.parametrize("in_the_way", ["file", "unwritable"])
def test_a_reports_folder_that_cannot_be_made_is_one_line(
    in_the_way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path if in_the_way == "file" else "/proc")
    if in_the_way == "file":
        (tmp_path / "reports").touch()
    monkeypatch.setattr("occupancy.exploration.profile.profile", lambda _: "<head></head><body></body>")
    monkeypatch.setattr("occupancy.exploration.page.SECTIONS", ())
    assert explore.main(["source=simulated"]) == 2
    assert re.match(r"occupancy explore: .*reports.*; .*\n$", capsys.readouterr().err)


def test_a_name_in_the_log_is_no_markup_in_the_page(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    (tmp_path / "schema.yaml").write_text(
        "name: odd\ntime: [when]\ntime_format: '%Y-%m-%d %H:%M'\ncount: people\n"
        f"columns: [{{name: '{name}', kind: other, unit: V}}]\n"
    )
    rows = [f"2024-01-01 {row // 60:02}:{row % 60:02},{row % 7},{row // 30 % 2}\n" for row in range(300)]
    (tmp_path / "odd.csv").write_text(f"when,{name},people\n{''.join(rows)}")
    done = command(tmp_path, "source=odd.csv", "schema=schema.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    text = (tmp_path / "reports" / "explore.html").read_text()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
