"""`python -m occupancy.compare` as a user runs it, on a store that training made."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from occupancy.compare import main
from occupancy.comparison import page
from occupancy.config.parsing import load_config
from occupancy.experiments.plan import plan
from occupancy.experiments.result import Result
from occupancy.experiments.run import conduct_one
from tests.experiments.made_experiments import Recording
from tests.places import ROOT
from tests.undrawn import undrawn

pytestmark = [
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

FOLDS = ROOT / "tests" / "e2e" / "two_folds.yaml"
TINY = (
    "data.source=simulated",
    f"data.folds={FOLDS}",
    "data.simulation.days=3",
    "data.simulation.room.step_s=300",
    "data.max_gap=600",
    "train.max_epochs=1",
    "train.members=1",
    "train.batch_size=256",
    "train.device=cpu",
    "train.final=false",
)
TRAINED = (("seed=0",), ("seed=1",), ("protocol=report", "model.mc_samples=0"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def uri(folder: Path) -> str:
    return f"tracking.uri=sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture(scope="module")
def workers() -> Recording:
    return Recording()


@pytest.fixture(scope="module")
def outcomes(folder: Path, uri: str, workers: Recording, new_store: Callable[[Path], str]) -> Iterator[list[Result]]:
    """Two seeds of one configuration, and one under the report's protocol."""
    tracked_in = mlflow.get_tracking_uri()
    plans = [plan(load_config(ROOT / "configs" / "smoke.yaml", [*TINY, uri, *given])) for given in TRAINED]
    new_store(folder / "mlflow.db")
    with undrawn():
        results = [conduct_one(one, workers) for one in plans]
    yield results
    mlflow.set_tracking_uri(tracked_in)


@pytest.fixture
def store(outcomes: list[Result], uri: str) -> tuple[str, str]:
    """The settings by which the command finds the runs."""
    return uri, f"data.folds={FOLDS}"


def call(*arguments: str) -> int:
    try:
        return main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line that a mistake is answered with."""
    assert call(*arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    return errors.strip()


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert call(*arguments, "--json") == 0
    output, _ = capsys.readouterr()
    assert output.count("\n") == 1
    result: dict[str, Any] = json.loads(output)
    return result


def test_json_tells_what_the_trainings_told(
    store: tuple[str, str], outcomes: list[Result], workers: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    truths = [scores.kept.truth for _, scores in workers.folds[: len(outcomes[0].folds)]]
    result = told(capsys, *store)
    groups = {model["protocol"]: model for model in result["models"]}
    assert groups.keys() == {"honest", "report"}
    assert groups["honest"]["run_ids"] == [outcomes[0].run_id, outcomes[1].run_id]
    assert groups["honest"]["seeds"] == [0, 1]
    assert groups["honest"]["mse"] == pytest.approx(np.mean([outcome.metrics["mse_avg"] for outcome in outcomes[:2]]))
    for key in ("mse", "f1_macro", "nll", "coverage_90"):
        assert groups["report"][key] == outcomes[2].metrics[f"{key}_avg"]
    assert groups["report"]["f1_macro_pooled"] == outcomes[2].metrics["f1_macro_pooled"]
    rows = [len(truth) for truth in truths]
    assert [fold["rows"] for fold in result["folds"]] == rows
    assert {model["test_rows"] for model in result["models"]} == {sum(rows)}
    runs = sum(1 + int((np.diff(truth) != 0).sum()) for truth in truths)
    assert result["label_runs"] == runs
    best = result["models"][result["best"]]
    assert best["protocol"] == "honest"
    for model in result["models"]:
        assert model["mse_above_best"] == pytest.approx(model["mse"] - best["mse"])


def test_the_table_shows_every_model_once_at_120_columns(
    store: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert call(*store) == 0
    output, _ = capsys.readouterr()
    lines = output.splitlines()
    assert max(map(len, lines[1:])) <= 120
    assert lines[0].startswith(f"2 models on {FOLDS}: log simulated, digest ")
    assert lines[0].endswith(" test rows")
    assert sum(line.startswith("smoke ") for line in lines) == 2
    assert "MSE above best" in lines[1]
    assert not any(" honest " in line for line in lines), "a column with one value for all says nothing"
    assert any(line.startswith("CAUTION: the log is simulated") for line in lines)


@pytest.mark.parametrize(("columns", "tables"), [("80", 2), ("50", 3)])
def test_a_narrow_terminal_gets_several_tables_and_no_word_or_figure_is_cut(
    store: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
    tables: int,
) -> None:
    result = told(capsys, *store)
    monkeypatch.setenv("COLUMNS", columns)
    assert call(*store) == 0
    lines = capsys.readouterr()[0].splitlines()
    ruled = [number for number, line in enumerate(lines) if line.startswith("──")]
    assert len(ruled) == tables
    assert all(len(line) <= int(columns) for start in ruled for line in lines[start - 2 : start + 3])
    assert sum(line.startswith("smoke ") for line in lines) == 2 * tables
    assert not any("…" in line for line in lines)
    for model in result["models"]:
        assert any(f"{model['parameters']:,.0f}" in line.split() for line in lines)


def test_the_report_stands_beside_on_request(store: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*store, "--report") == 0
    output, _ = capsys.readouterr()
    assert "compared with the student report" in output
    assert "classification, MC" in output
    models = told(capsys, *store, "--report")["models"]
    assert {(model["protocol"], model["report_row"], model["report_mse"]) for model in models} == {
        ("honest", None, None),
        ("report", None, None),
    }, "the report is about the UCI log, these runs about a simulated one"


def test_files_are_written_whole_with_nothing_beside_them(
    store: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html, table = tmp_path / "page.html", tmp_path / "table.csv"
    table.write_text("an older one")
    assert call(*store, "--html", str(html), "--csv", str(table), "--fold", "2") == 0
    output, _ = capsys.readouterr()
    assert output.splitlines()[-2:] == [f"page     {html}", f"table    {table}"]
    assert {found.name for found in tmp_path.iterdir()} == {"page.html", "table.csv"}
    assert "test rows of fold 2</h2>" in html.read_text()
    assert html.read_text().endswith("</html>\n")
    models = told(capsys, *store)["models"]
    with table.open(newline="") as lines:
        read = list(csv.DictReader(lines))
    assert [float(line["mse"]) for line in read] == [model["mse"] for model in models]
    assert [line["config_key"] for line in read] == [model["config_key"] for model in models]


def test_a_page_that_cannot_be_made_leaves_no_file(
    store: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "page.html"
    older.write_text("an older one")

    def fail(*_: object) -> str:
        raise RuntimeError("a defect")

    with monkeypatch.context() as broken:
        broken.setattr(page, "page", fail)
        with pytest.raises(RuntimeError, match="a defect"):
            call(*store, "--html", str(older), "--csv", str(tmp_path / "table.csv"))
    with monkeypatch.context() as full:
        full.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        said = refusal(capsys, *store, "--csv", str(tmp_path / "table.csv"))
    assert said == (
        f"occupancy compare: {tmp_path / 'table.csv'}: can't be written (No space left on device); name another file"
    )
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("page.html", "an older one")]


def test_a_link_stays_one(store: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert call(*store, "--csv", str(tmp_path / "link.csv")) == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("model,")


def test_files_that_cannot_be_written_are_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = f"tracking.uri=sqlite:///{tmp_path / 'none.db'}"
    (tmp_path / "folder.html").mkdir()
    said = refusal(capsys, nowhere, "--html", str(tmp_path / "folder.html"))
    assert said == f"occupancy compare: --html: {tmp_path / 'folder.html'} is a folder; name a file"
    said = refusal(capsys, nowhere, "--csv", str(tmp_path / "none.db"))
    assert said.endswith("none.db, expected a name that ends in .csv"), "a store is not written over"
    said = refusal(capsys, nowhere, "--csv", str(tmp_path / "no" / "table.csv"))
    assert said.endswith(f"--csv: {tmp_path / 'no'} is not a folder; create it or name another")
    said = refusal(capsys, nowhere, "--csv", str(tmp_path / f"{'long' * 70}.csv"))
    assert said.endswith("can't be written (File name too long); name another file")
    said = refusal(capsys, nowhere, "--fold", "1")
    assert said == "occupancy compare: --fold: got 1, but only the page shows a fold; add --html FILE"


def test_a_folder_that_cannot_be_written_to_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    said = refusal(capsys, "--csv", str(tmp_path / "table.csv"))
    assert said.endswith(f"--csv: {tmp_path} can't be written to; name another folder")


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("train.max_epochs=3", "command line: unknown key train; did you mean tracking?"),
        ("tracking.url=x", "command line: unknown key tracking.url; did you mean tracking.uri?"),
        ("tracking.uri=5", "command line: tracking.uri: got 5 (int), expected a valid string"),
        ("data.folds", "command line: got 'data.folds', expected key=value such as data.folds=blocked"),
        ("tracking.uri=ftp://x", "tracking.uri: got 'ftp://x', expected sqlite:///mlflow.db"),
    ],
)
def test_a_mistyped_setting_is_answered_in_one_line(
    argument: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capsys, argument).startswith(f"occupancy compare: {said}")


def test_an_unknown_option_is_answered_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unrecognized arguments: --pdf" in refusal(capsys, "--pdf")


def test_what_is_not_in_the_store_is_answered_with_what_is(
    store: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri, folds = store
    assert refusal(capsys, uri) == (
        f"occupancy compare: data.folds: no finished run on 'forward'; there are 3 on {str(FOLDS)!r}"
    )
    assert "there are Default, occupancy" in refusal(capsys, uri, folds, "tracking.experiment=none")
    assert refusal(capsys, *store, "--html", str(tmp_path / "page.html"), "--fold", "3") == (
        "occupancy compare: --fold: got 3, expected one of 1, 2"
    )
    assert list(tmp_path.iterdir()) == []
    missing = f"tracking.uri=sqlite:///{tmp_path / 'mlflow.db'}"
    assert f"{tmp_path / 'mlflow.db'} is not there" in refusal(capsys, missing)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_a_killed_process_left_half_made_is_answered_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        connection.execute("create table experiments (experiment_id integer)")
    connection.close()
    said = refusal(capsys, f"tracking.uri=sqlite:///{tmp_path / 'mlflow.db'}")
    assert said.startswith(
        f"occupancy compare: tracking.uri: {tmp_path / 'mlflow.db'} is damaged, it lacks datasets, inputs"
    )


def test_runs_whose_predictions_are_gone_are_left_out_until_none_is_left(
    store: tuple[str, str], outcomes: list[Result], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {}
    for path in (folder / "mlruns").rglob("predictions.csv"):
        found[path] = pd.read_csv(path)
    shutil.copytree(folder / "mlruns", folder / "kept")
    try:
        first, *rest = sorted(found, key=lambda path: path.stat().st_mtime)
        first.unlink()
        result = told(capsys, *store)
        seeds = next(model for model in result["models"] if model["protocol"] == "honest")
        assert seeds["run_ids"] == [outcomes[1].run_id]
        assert result["left_out"] == [{"name": "smoke", "runs": 1, "reason": "predictions.csv of fold 1 is gone"}]
        for path in rest:
            path.unlink()
        said = refusal(capsys, *store)
        assert "none of the 3 finished runs on" in said
        assert f"the latest is {outcomes[2].run_id}: predictions.csv of fold 1 is gone" in said
    finally:
        shutil.rmtree(folder / "mlruns")
        (folder / "kept").rename(folder / "mlruns")


def test_a_process_of_its_own_prints_json_alone(store: tuple[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-m", "occupancy.compare", *store, "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["models"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_help_answers_without_torch_or_mlflow() -> None:
    code = (
        "import sys\nfrom occupancy.compare import main\n"
        "try:\n    main(['--help'])\nfinally:\n"
        "    print([name for name in ('torch', 'mlflow', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "[]"
    for option in ("--report", "--html FILE", "--fold N", "--csv FILE", "--json", "tracking.experiment"):
        assert option in done.stdout
