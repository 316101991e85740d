"""`occupancy explore` as a user runs it, once with the real profiler behind our page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from occupancy import explore
from occupancy.exploration.page import SECTIONS
from occupancy.exploration.skill import CAUTION
from tests.places import ROOT

REAL_PROFILE = "Number of observations"


class Profiler:
    """Stands in for the library that profiles, which takes seconds for each column.

    Attributes:
        tables: what it was given to profile, a table a call.
    """

    def __init__(self) -> None:
        self.tables: list[pd.DataFrame] = []

    def ProfileReport(self, table: pd.DataFrame, **settings: object) -> Profiler:  # noqa: N802 (the library's name)
        assert settings["tsmode"]
        self.tables.append(table)
        return self

    def to_html(self) -> str:
        return "<html><head></head><body>the profile</body></html>"


@pytest.fixture
def profiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Profiler:
    """The stand-in for the profiler, behind the first two sections alone; the command works in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("occupancy.exploration.page.SECTIONS", SECTIONS[:2])
    stand_in = Profiler()
    monkeypatch.setattr(explore, "find_spec", lambda _: stand_in)
    monkeypatch.setitem(sys.modules, "data_profiling", stand_in)
    return stand_in


def without_data(text: str) -> str:
    """Return a page without the pictures and fonts that it carries."""
    return re.sub(r"data:[a-z/+;0-9-]+,[A-Za-z0-9+/=]+", "", text)


def check_real_page(done: subprocess.CompletedProcess[str], folder: Path) -> str:
    """Return the text of a page that a process of its own wrote with the real profiler."""
    skill, *cautions, page = done.stdout.splitlines()
    assert (done.returncode, page, done.stderr) == (0, "page     reports/explore.html", "")
    assert skill.startswith("skill    mse: nobody ")
    assert cautions in ([], [f"CAUTION  {CAUTION}"])
    assert [file.name for file in (folder / "reports").iterdir()] == ["explore.html"]
    text = (folder / "reports" / "explore.html").read_text()
    assert text.index("What is in the log ") < text.index(REAL_PROFILE)
    loads = r"<(?:script|img|iframe|source)[^>]+src(?:set)?=[\"']?(?!\"|')http|<link[^>]+http"
    assert not re.search(loads, without_data(text))
    return text


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-m", "occupancy.explore", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_log_with_odd_columns_becomes_one_page_that_asks_no_host_for_anything(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    columns = [f"{{name: '{each}', kind: other, unit: V}}" for each in (name, "constant", "blank", "absent")]
    (tmp_path / "schema.yaml").write_text(
        f"name: odd\ntime: [when]\ntime_format: '%Y-%m-%d %H:%M'\ncount: people\ncolumns: [{', '.join(columns)}]\n"
    )
    rows = [f"2024-01-01 {row // 60:02}:{row % 60:02},{row % 7},3,,{row // 30 % 2}\n" for row in range(300)]
    (tmp_path / "odd.csv").write_text(f"when,{name},constant,blank,people\n{''.join(rows)}")
    text = check_real_page(command(tmp_path, "source=odd.csv", "schema=schema.yaml"), tmp_path)
    assert "1 without any reading (blank); 1 with a single value (constant); 1 not in the file (absent)" in text
    assert "300" in text[text.index(REAL_PROFILE) :]
    assert text.count("Numeric time series") >= 1
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text, "a name in the log is no markup in the page"


@pytest.mark.proof
def test_the_real_log_is_profiled_whole_by_the_real_library(uci_path: Path, tmp_path: Path) -> None:
    text = check_real_page(command(tmp_path, f"source={uci_path}"), tmp_path)
    assert "10129" in text[text.index(REAL_PROFILE) :]  # the library writes it without a comma
    assert text.count("Numeric time series") >= 8


def test_the_real_log_is_explored_with_every_column_and_row_given_to_the_profiler(
    uci_path: Path, profiler: Profiler, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explore.main([f"source={uci_path}"]) == 0
    assert capsys.readouterr() == ("page     reports/explore.html\n", "")
    text = explore.PAGE.read_text()
    assert text.index("What is in the log Occupancy_Estimation.csv?") < text.index("the profile")
    (table,) = profiler.tables
    given = pd.read_csv(uci_path, float_precision="round_trip")
    assert list(table.columns) == ["time", *given.columns[2:]]
    for column in given.columns[2:]:
        assert table[column].tolist() == given[column].tolist()


def test_constant_missing_and_blank_columns_still_give_a_page_that_says_so(
    uci_path: Path, profiler: Profiler, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = pd.read_csv(uci_path, dtype=str, nrows=400)
    cells["S1_Temp"], cells["S2_Light"] = "25", ""
    cells.drop(columns="S3_Light").to_csv("room.csv", index=False)
    assert explore.main(["source=room.csv", "--html", "room.html"]) == 0
    assert capsys.readouterr() == ("page     room.html\n", "")
    text = Path("room.html").read_text()
    assert "1 without any reading (S2_Light); 1 with a single value (S1_Temp); 1 not in the file (S3_Light)" in text
    assert "CAUTION  Training would refuse this log as it is" in text
    (table,) = profiler.tables
    assert table["S2_Light"].isna().all()
    assert "S3_Light" not in table


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["source=nowhere.csv"], "data.source: got 'nowhere.csv', expected auto, uci, simulated or the path of a CSV"),
        (["sources=uci"], "unknown key data.sources; did you mean data.source?"),
        (["source=simulated", "--html", "page.txt"], "--html: got page.txt, expected a name that ends in .html"),
        (["source=simulated", "--html", "no/page.html"], "no is not a folder; create it or name another"),
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
