"""`python -m occupancy.predict` as a user runs it: by a run or a folder, on a log with or without counts."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus

from occupancy import predict, train
from occupancy.config.parsing import load_config
from occupancy.data.schema import UCI
from occupancy.data.source import open_log
from occupancy.tracking import store
from tests.places import ROOT

pytestmark = [
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

SMOKE = ROOT / "configs" / "smoke.yaml"
TINY = (
    "data.source=simulated",
    f"data.folds={ROOT / 'tests' / 'e2e' / 'two_folds.yaml'}",
    "data.simulation.days=3",
    "data.simulation.room.step_s=300",
    "data.max_gap=600",
    "train.max_epochs=1",
    "train.batch_size=256",
)
COLUMNS = ["time", "count", "mean", "std", "lower", "upper", "epistemic", "aleatoric", "p0", "p1", "p2", "p3"]
LIGHTS = [column.name for column in UCI.of_kind("light")]
NO_SUCH_RUN = "0" * 32

Capture = pytest.CaptureFixture[str]


def call(main: Callable[[tuple[str, ...]], int], *arguments: str) -> int:
    """Return the exit code of a command run in this process, which spares it the imports."""
    try:
        return main(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@dataclass
class Home:
    """A working directory with a log, and a store in which models were trained on it.

    Attributes:
        folder: where it is.
        run: the experiment, of two folds.
        lit: an experiment whose models learned from light too.
        folds: the run of each fold, by its number.
        models: the MLflow model of each.
    """

    folder: Path
    run: str
    lit: str
    folds: dict[int, str]
    models: dict[int, Path]

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    def ended(self, status: str, model: str | None = None, **tags: str) -> str:
        """Return a new run that came to an end, or still runs."""
        run = self.client.create_run("1", tags=tags)
        if model is not None:
            self.client.log_outputs(run.info.run_id, [LoggedModelOutput(model, 0)])
        if status != "RUNNING":
            self.client.set_terminated(run.info.run_id, status)
        return str(run.info.run_id)

    def experiment(self, status: str, **folds: tuple[str, str | None]) -> str:
        """Return a new experiment; for each fold its status and its model, if it has one."""
        run = self.ended(status)
        for name, (ended, model) in folds.items():
            self.ended(ended, model, **{"fold": name.removeprefix("fold"), "mlflow.parentRunId": run})
        return run


def trained(*overrides: str) -> str:
    """Return the experiment that the training recorded in the working directory, by the id that it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert call(train.main, "--config", str(SMOKE), *TINY, *overrides, "--json") == 0
    return str(json.loads(printed.getvalue())["run_id"])


def write_log(path: Path) -> None:
    """Write the log that the models were trained on, as a room's own logger would have."""
    log = open_log(load_config(SMOKE, TINY).data)[0]
    frame = log.frame.reset_index()
    times = frame.pop("time").dt
    frame.insert(0, "Date", times.strftime("%Y/%m/%d"))
    frame.insert(1, "Time", times.strftime("%H:%M:%S"))
    frame.to_csv(path, index=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    tracked_in = mlflow.get_tracking_uri()
    folder = tmp_path_factory.mktemp("home")
    with contextlib.chdir(folder):
        # Dropout at prediction would give a row another mask in a longer log.
        run, lit = trained("model.mc_samples=0"), trained("features=all", "model.head=classification")
    mlflow.set_tracking_uri(tracked_in)
    write_log(folder / "log.csv")
    told = Home(folder, run, lit, {}, {})
    for fold in told.client.search_runs(["1"], f"tags.mlflow.parentRunId = '{run}'"):
        number = int(fold.data.tags["fold"])
        assert fold.outputs is not None
        model = told.client.get_logged_model(fold.outputs.model_outputs[0].model_id)
        told.folds[number] = fold.info.run_id
        told.models[number] = Path(model.artifact_location.removeprefix("file://"))
    yield told
    mlflow.set_tracking_uri(tracked_in)


@pytest.fixture
def desk(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and little patience with servers."""
    importlib.import_module("occupancy.serving.counting")  # once, so that no test's clock runs meanwhile
    monkeypatch.setattr(store, "PATIENCE_S", 0.3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def log_of(home: Home) -> pd.DataFrame:
    return pd.read_csv(home.folder / "log.csv", dtype=str)


def log_as(home: Home, change: Callable[[pd.DataFrame], pd.DataFrame], name: str = "room.csv") -> str:
    """Write the log, changed, into the working directory."""
    change(log_of(home)).to_csv(name, index=False)
    return name


def unlabelled(home: Home) -> str:
    return log_as(home, lambda frame: frame.drop(columns=UCI.count))


# As a user types it, in processes of its own.


def run_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "occupancy.predict", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_beside_the_store_a_run_and_a_log_are_all_it_takes(home: Home) -> None:
    before = snapshot(home.folder)
    asked = run_command(home.folder, "--run", home.run, "--csv", "log.csv")
    assert asked.returncode == 0
    table = pd.read_csv(io.StringIO(asked.stdout))
    assert list(table.columns) == COLUMNS
    assert len(table) == 864
    model, history, scores = asked.stderr.splitlines()
    assert model == (
        f"the model is that of fold 2, the last of run {home.run} in sqlite:///mlflow.db; --fold takes another"
    )
    assert history.startswith("the model looks back 1962.5 s (history_s); 7 of 864 rows, at the start of a recording,")
    assert scores.startswith("against Room_Occupancy_Count: mse ")
    assert snapshot(home.folder) == before


def imported(errors: str) -> set[str]:
    """Return the packages that `-X importtime` tells of."""
    lines = [line for line in errors.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "importtime", "-m", "occupancy.predict", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_help_answers_within_a_second_and_without_torch(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    asked = ask(tmp_path, "--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
    assert asked.returncode == 0
    assert "usage: occupancy predict" in asked.stdout
    for name in ("--run", "--model", "--fold", "--csv", "--format", "--out", "KEY=VALUE", "data.time_format"):
        assert name in asked.stdout
    assert "rich" in imported(asked.stderr), "the list of imports is empty"
    assert not imported(asked.stderr) & {"torch", "pytorch_lightning", "mlflow", "pandas", "numpy", "matplotlib"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["data.max_misssing=3"], "data.max_misssing is unknown; did you mean data.max_missing?"),
        (["--out", "room.txt"], "--out: got room.txt"),
        ([], "none.csv: cannot be read (No such file or directory)"),
    ],
    ids=["key", "ending", "log"],
)
def test_a_mistake_is_answered_without_waiting_for_torch(tmp_path: Path, arguments: list[str], text: str) -> None:
    asked = ask(tmp_path, "--run", NO_SUCH_RUN, "--csv", "none.csv", *arguments)
    said = [line for line in asked.stderr.splitlines() if not line.startswith("import time:")]
    assert asked.returncode == 2
    assert len(said) == 1
    assert text in said[0]
    assert not imported(asked.stderr) & {"torch", "pytorch_lightning", "mlflow"}


# What is counted, in this process.


def recorded(home: Home, fold: int) -> pd.DataFrame:
    return read(Path(home.client.download_artifacts(home.folds[fold], "predictions.csv")))


def read(table: Path | io.StringIO) -> pd.DataFrame:
    return pd.read_csv(table, float_precision="round_trip")


def counted(capsys: Capture, *arguments: str) -> tuple[pd.DataFrame, str]:
    """Return the table and what was said beside it."""
    capsys.readouterr()
    assert call(predict.main, *arguments) == 0
    printed, said = capsys.readouterr()
    return read(io.StringIO(printed)), said


@pytest.mark.parametrize("labelled", [True, False], ids=["with counts", "without counts"])
@pytest.mark.parametrize("fold", [1, 2])
def test_the_test_rows_of_a_fold_get_what_the_training_recorded_for_them(
    home: Home, desk: Path, capsys: Capture, fold: int, labelled: bool
) -> None:
    path = str(home.folder / "log.csv") if labelled else unlabelled(home)
    table, said = counted(capsys, "--run", home.folds[fold], "--csv", path, f"tracking.uri={home.uri}")
    expected = recorded(home, fold)
    same = table[table["time"].isin(expected["time"])].reset_index(drop=True)
    assert len(same) == 288
    pd.testing.assert_frame_equal(same, expected.drop(columns="truth"), atol=1e-5)
    assert ("against Room_Occupancy_Count" in said) == labelled
    assert len(said.splitlines()) == 1 + labelled


def test_the_scores_are_those_of_the_table_against_the_counts(home: Home, desk: Path, capsys: Capture) -> None:
    table, said = counted(capsys, "--model", str(home.models[1]), "--csv", str(home.folder / "log.csv"))
    truth = log_of(home)[UCI.count].astype(int)
    mse = ((table["count"] - truth) ** 2).mean()
    coverage = ((table["lower"] <= truth) & (truth <= table["upper"])).mean()
    assert f"mse {mse:.3f}, " in said
    assert f"coverage_90 {coverage:.3f} " in said


def test_the_last_fold_of_an_experiment_is_taken_and_another_where_it_is_named(
    home: Home, desk: Path, capsys: Capture
) -> None:
    path = unlabelled(home)
    here = ("--csv", path, f"tracking.uri={home.uri}")
    own = {fold: counted(capsys, "--run", run, *here)[0] for fold, run in home.folds.items()}
    assert not own[1].equals(own[2])
    last, said = counted(capsys, "--run", home.run, *here)
    pd.testing.assert_frame_equal(last, own[2], check_exact=True)
    assert f"that of fold 2, the last of run {home.run} in {home.uri}; --fold takes another" in said
    first, said = counted(capsys, "--run", home.run, "--fold", "1", *here)
    pd.testing.assert_frame_equal(first, own[1], check_exact=True)
    assert "the model is" not in said
    same, _ = counted(capsys, "--run", home.folds[1], "--fold", "1", *here)
    pd.testing.assert_frame_equal(same, own[1], check_exact=True)


def test_a_folder_gives_the_model_that_is_in_it_as_its_run_does(home: Home, desk: Path, capsys: Capture) -> None:
    path = unlabelled(home)
    expected, _ = counted(capsys, "--run", home.folds[1], "--csv", path, f"tracking.uri={home.uri}")
    (inner,) = (home.models[1] / "data").iterdir()
    for folder in (home.models[1], home.models[1].parent, inner):
        table, _ = counted(capsys, "--model", str(folder), "--csv", path)
        pd.testing.assert_frame_equal(table, expected, check_exact=True)


def test_an_unfinished_experiment_gives_its_last_fold_so_far_and_says_so(
    home: Home, desk: Path, capsys: Capture
) -> None:
    model = home.models[1].parent.name
    run = home.experiment("RUNNING", fold9=("FINISHED", model), fold10=("FINISHED", model))
    _, said = counted(capsys, "--run", run, "--csv", unlabelled(home), f"tracking.uri={home.uri}")
    assert f"that of fold 10, the last of run {run} (RUNNING) in" in said


def test_a_model_at_a_server_is_fetched(
    home: Home, desk: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is a copy, which goes when it has been read."""
    lookup = importlib.import_module("occupancy.tracking.models")
    copies = []

    def download(uri: str, dst_path: str | None, tracking_uri: str) -> str:
        assert (uri, tracking_uri) == ("mlflow-artifacts:/1/m-1", home.uri)
        assert dst_path is not None
        copies.append(Path(dst_path))
        return str(shutil.copytree(home.models[1], Path(dst_path) / "m-1"))

    monkeypatch.setattr(lookup, "_model_uri", lambda _client, _run: "mlflow-artifacts:/1/m-1")
    monkeypatch.setattr(lookup, "download_artifacts", download)
    path = unlabelled(home)
    table, _ = counted(capsys, "--run", home.run, "--csv", path, f"tracking.uri={home.uri}")
    monkeypatch.undo()
    monkeypatch.chdir(desk)
    expected, _ = counted(capsys, "--model", str(home.models[1]), "--csv", path)
    pd.testing.assert_frame_equal(table, expected, check_exact=True)
    assert [copy.exists() for copy in copies] == [False]


def test_settings_say_how_the_file_is_read(home: Home, desk: Path, capsys: Capture) -> None:
    log = log_of(home)
    log["S1_Temp"] = log["S1_Temp"].mask(log.index.isin([100, 101]))
    log.to_csv("gaps.csv", index=False)
    log.assign(S1_Temp=log["S1_Temp"].ffill()).to_csv("held.csv", index=False)
    log.assign(Date=pd.to_datetime(log["Date"]).dt.strftime("%m/%d/%Y")).to_csv("american.csv", index=False)
    model = ("--model", str(home.models[1]), "--csv")
    held, _ = counted(capsys, *model, "held.csv")
    settings = ("data.missing=interpolate", "data.max_missing=2")
    table, _ = counted(capsys, *model, "gaps.csv", *settings)
    pd.testing.assert_frame_equal(table, held, check_exact=True)
    table, _ = counted(capsys, *model, "american.csv", *settings, "data.time_format=%m/%d/%Y %H:%M:%S")
    pd.testing.assert_frame_equal(table, held, check_exact=True)


def test_light_is_needed_by_the_model_that_learned_from_it_alone(home: Home, desk: Path, capsys: Capture) -> None:
    whole, dark = unlabelled(home), log_as(home, lambda frame: frame.drop(columns=[*LIGHTS, UCI.count]), "dark.csv")
    by_run = (f"tracking.uri={home.uri}", "--run")
    one, _ = counted(capsys, *by_run, home.run, "--csv", whole)
    other, _ = counted(capsys, *by_run, home.run, "--csv", dark)
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    lit, _ = counted(capsys, *by_run, home.lit, "--csv", whole)
    assert list(lit.columns) == COLUMNS
    assert call(predict.main, *by_run, home.lit, "--csv", dark) == 2
    printed, said = capsys.readouterr()
    assert printed == ""
    assert said == (
        f"occupancy predict: dark.csv: missing column {', '.join(LIGHTS)}; the model was trained on it, so add it\n"
    )


# Where the result goes.


def test_json_lines_hold_what_the_table_holds(home: Home, desk: Path, capsys: Capture) -> None:
    arguments = ("--model", str(home.models[1]), "--csv", unlabelled(home))
    table, _ = counted(capsys, *arguments)
    assert call(predict.main, *arguments, "--format", "jsonl") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    pd.testing.assert_frame_equal(pd.DataFrame(rows), table, check_exact=True)


def test_files_get_the_result_by_their_endings_and_standard_output_nothing(
    home: Home, desk: Path, capsys: Capture
) -> None:
    arguments = ("--model", str(home.models[1]), "--csv", str(home.folder / "log.csv"))
    table, _ = counted(capsys, *arguments)
    names = ("counts.csv", "counts.jsonl", "counts.png", "counts.svg")
    assert call(predict.main, *arguments, *(part for name in names for part in ("--out", name))) == 0
    assert capsys.readouterr().out == ""
    assert sorted(path.name for path in desk.iterdir()) == sorted(names)
    pd.testing.assert_frame_equal(read(Path("counts.csv")), table, check_exact=True)
    rows = [json.loads(line) for line in Path("counts.jsonl").read_text().splitlines()]
    assert rows == table.to_dict("records")
    assert Path("counts.png").read_bytes().startswith(b"\x89PNG")
    assert Path("counts.svg").read_text().startswith("<?xml")


def test_with_a_time_to_explain_pictures_show_that_moment_and_tables_hold_what_they_do_without(
    home: Home, desk: Path, capsys: Capture
) -> None:
    arguments = ("--model", str(home.models[1]), "--csv", str(home.folder / "log.csv"))
    table, _ = counted(capsys, *arguments, "--out", "counts.svg", "--format", "csv")
    moment = ("--explain", "2024-01-02 12:00:00")
    told, _ = counted(capsys, *arguments, *moment, "--out", "moment.svg", "--out", "moment.png", "--format", "csv")
    pd.testing.assert_frame_equal(told, table, check_exact=True)
    assert "readings of this moment" in Path("moment.svg").read_text()
    assert "readings of this moment" not in Path("counts.svg").read_text()
    assert Path("moment.png").read_bytes().startswith(b"\x89PNG")


def test_both_are_had_where_both_are_asked_for(home: Home, desk: Path, capsys: Capture) -> None:
    arguments = ("--model", str(home.models[1]), "--csv", unlabelled(home))
    assert call(predict.main, *arguments, "--format", "csv", "--out", "counts.csv") == 0
    assert capsys.readouterr().out == Path("counts.csv").read_text()


def test_a_chain_is_decoded_in_another_way_on_request(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--run", trained("model={name: mlp_crf, hidden: [4]}"), "--csv", unlabelled(home), "--format", "csv"]
    said = {}
    for decoding in ([], ["model.decoding=filter"], ["model.decoding=viterbi"]):
        capsys.readouterr()
        assert call(predict.main, *arguments, *decoding) == 0
        said["".join(decoding)] = capsys.readouterr()
    assert said[""].out == said["model.decoding=filter"].out != said["model.decoding=viterbi"].out
    assert "each count rests on later rows too" in said["model.decoding=viterbi"].err
    assert "later rows" not in said[""].err


# Mistakes. Each makes what it needs in the working directory and returns the arguments; the text is in the answer.


def by_model(home: Home, *arguments: str) -> list[str]:
    return ["--model", str(home.models[1]), "--csv", str(home.folder / "log.csv"), *arguments]


def by_run(home: Home, run: str, *arguments: str) -> list[str]:
    return ["--run", run, "--csv", str(home.folder / "log.csv"), f"tracking.uri={home.uri}", *arguments]


def copied(home: Home, change: Callable[[Path], object]) -> list[str]:
    """Return the arguments for a copy of a model that something was done to."""
    (inner,) = (home.models[1] / "data").iterdir()
    change(Path(shutil.copytree(inner, "model")))
    return ["--model", "model", "--csv", str(home.folder / "log.csv")]


def edited(home: Home, change: Callable[[dict[str, Any]], object]) -> list[str]:
    def edit(folder: Path) -> None:
        tree = json.loads((folder / "settings.json").read_text())
        change(tree["config"]["model"])
        (folder / "settings.json").write_text(json.dumps(tree))

    return copied(home, edit)


def changed(home: Home, change: Callable[[pd.DataFrame], pd.DataFrame], *arguments: str) -> list[str]:
    return ["--model", str(home.models[1]), "--csv", log_as(home, change), *arguments]


def in_store(home: Home, uri: str) -> list[str]:
    return ["--run", home.run, "--csv", str(home.folder / "log.csv"), f"tracking.uri={uri}"]


def written(name: str, content: bytes = b"") -> str:
    Path(name).write_bytes(content)
    return name


def foreign_database() -> str:
    connection = sqlite3.connect("foreign.db")
    connection.execute("create table cats (name text)")
    connection.close()
    return "foreign.db"


def deleted(home: Home) -> str:
    run = home.ended("FINISHED")
    home.client.delete_run(run)
    return run


def pending(home: Home) -> str:
    model = home.client.create_logged_model("1")
    assert model.status == LoggedModelStatus.PENDING
    return str(model.model_id)


def gone(home: Home) -> str:
    model = home.client.create_logged_model("1")
    home.client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return str(model.model_id)


def forgotten(home: Home) -> str:
    model = gone(home)
    home.client.delete_logged_model(model)
    return model


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


MISTAKES: dict[str, tuple[Callable[[Home], list[str]], str]] = {
    "no model": (lambda _: ["--csv", "log.csv"], "one of the arguments --run --model is required"),
    "two models": (lambda home: by_model(home, "--run", home.run), "not allowed with argument"),
    "no log": (lambda home: ["--run", home.run], "required: --csv"),
    "fold that is no number": (lambda home: by_run(home, home.run, "--fold", "last"), "invalid int value: 'last'"),
    "fold of a folder": (lambda home: by_model(home, "--fold", "1"), "--fold goes with --run"),
    "store of a folder": (lambda home: by_model(home, "tracking.uri=x"), "tracking.uri goes with --run"),
    "no time to explain": (
        lambda home: by_model(home, "--explain", "noon", "--out", "moment.png"),
        "--explain: got 'noon', expected a local time of the log such as '2017-12-23 16:00:00'",
    ),
    "time in a zone": (
        lambda home: by_model(home, "--explain", "2024-01-02T12:00:00Z", "--out", "moment.png"),
        "--explain: got '2024-01-02T12:00:00Z', expected a local time",
    ),
    "explanation without a picture": (
        lambda home: by_model(home, "--explain", "2024-01-02 12:00:00", "--out", "counts.csv"),
        "--explain: draws a picture; name a file for it, such as --out moment.png",
    ),
    "time that the log lacks": (
        lambda home: by_model(home, "--explain", "2024-01-02 12:01:00", "--out", "moment.png", "--out", "counts.csv"),
        "--explain: log.csv has no row at 2024-01-02 12:01:00; the nearest is at 2024-01-02 12:00:00",
    ),
    "time without a past": (
        lambda home: by_model(home, "--explain", "2024-01-01", "--out", "moment.png"),
        "--explain: log.csv: at 2024-01-01 00:00:00 there are 0 earlier rows in the recording, and the model looks",
    ),
    "no key=value": (lambda home: by_model(home, "fast"), "got 'fast', expected key=value"),
    "setting that the model keeps": (
        lambda home: by_model(home, "data.max_gap=900"),
        "data.max_gap can't be set, for a fitted model keeps its own; allowed: tracking.uri, data.time_format, "
        "data.missing, data.max_missing",
    ),
    "setting that is none": (lambda home: by_model(home, "data.mising=x"), "unknown; did you mean data.missing?"),
    "value that is none": (
        lambda home: by_model(home, "data.missing=guess"),
        "command line: data.missing: got 'guess' (str), expected 'refuse' or 'interpolate'",
    ),
    "unknown run": (
        lambda home: by_run(home, NO_SUCH_RUN),
        f"--run: got '{NO_SUCH_RUN}', which is no run in sqlite:///",
    ),
    "run that can be none": (lambda home: by_run(home, "../x"), "--run: got '../x', which is no run in sqlite:///"),
    "deleted run": (lambda home: by_run(home, deleted(home)), "was deleted in sqlite:///"),
    "run of something else": (lambda home: by_run(home, home.ended("FAILED")), "(FAILED) in sqlite:///"),
    "run with a fold of something else": (
        lambda home: by_run(home, home.ended("FINISHED", fold="sheep")),
        "holds no model: it is no fold's and has no folds",
    ),
    "failed fold": (
        lambda home: by_run(home, home.ended("FAILED", fold="3")),
        "is FAILED without a model; give another, or train anew",
    ),
    "fold in training": (lambda home: by_run(home, home.ended("RUNNING", fold="3")), "is RUNNING without a model"),
    "fold whose model is being recorded": (
        lambda home: by_run(home, home.ended("RUNNING", pending(home), fold="3")),
        "fold 3 of run ",
    ),
    "experiment whose last fold failed": (
        lambda home: by_run(
            home,
            home.experiment("FAILED", fold1=("FINISHED", home.models[1].parent.name), fold2=("KILLED", None)),
        ),
        "is KILLED without a model; choose by --fold one that has: 1",
    ),
    "fold that is not there": (
        lambda home: by_run(home, home.run, "--fold", "3"),
        "--fold: got 3, but run ",
    ),
    "another fold than the run's": (lambda home: by_run(home, home.folds[1], "--fold", "2"), "is of fold 1"),
    "model that was thrown away": (
        lambda home: by_run(home, home.ended("FINISHED", gone(home), fold="1")),
        "--run: the model is not at file:///",
    ),
    "model that was deleted": (
        lambda home: by_run(home, home.ended("FINISHED", forgotten(home), fold="1")),
        "is FINISHED without a model",
    ),
    "store that is not there": (lambda home: in_store(home, "sqlite:///none/none.db"), "none.db is not there"),
    "store that is empty": (lambda home: in_store(home, f"sqlite:///{written('empty.db')}"), "empty.db is empty"),
    "store that is none": (
        lambda home: in_store(home, f"sqlite:///{written('notes.txt', b'some notes')}"),
        "notes.txt is no SQLite database",
    ),
    "store that is cut off": (
        lambda home: in_store(
            home, f"sqlite:///{written('half.db', (home.folder / 'mlflow.db').read_bytes()[: 9 * 4096])}"
        ),
        "half.db ",
    ),
    "store of something else": (
        lambda home: in_store(home, f"sqlite:///{foreign_database()}"),
        "foreign.db holds something else than an MLflow store",
    ),
    "store of no kind": (lambda home: in_store(home, "ftp://host/store"), "tracking.uri: got 'ftp://host/store'"),
    "server that is down": (
        lambda home: in_store(home, f"http://127.0.0.1:{closed_port()}"),
        "can't be reached (no connection)",
    ),
    "folder that is not there": (lambda _: ["--model", "none", "--csv", written("a.csv", b"a")], "holds a header"),
    "folder without a model": (
        lambda home: ["--model", ".", "--csv", str(home.folder / "log.csv")],
        ".: holds no model, neither settings.json nor MLmodel",
    ),
    "no chain to decode": (
        lambda home: by_model(home, "model.decoding=viterbi"),
        "model.decoding: got 'viterbi', but the model lstm has no chain to decode; drop it",
    ),
    "no such decoding": (
        lambda home: by_model(home, "model.decoding=best"),
        "decoding: got 'best' (str), expected 'filter', 'viterbi' or 'windows'",
    ),
    "no such folder": (lambda home: ["--model", "none", "--csv", str(home.folder / "log.csv")], "none: is no folder"),
    "model without weights": (
        lambda home: copied(home, lambda folder: (folder / "weights.pt").unlink()),
        "model: the model is not whole, weights.pt is missing",
    ),
    "model with broken settings": (
        lambda home: copied(home, lambda folder: (folder / "settings.json").write_text("{")),
        "model: the model is damaged (JSONDecodeError",
    ),
    "model with weights of another shape": (
        lambda home: edited(home, lambda settings: settings.update(hidden=9)),
        "size mismatch",
    ),
    "model of a newer version": (
        lambda home: edited(home, lambda settings: settings.update(name="oracle")),
        "model.name: got 'oracle' (str), expected 'lstm'",
    ),
    "log that is not there": (lambda home: ["--run", home.run, "--csv", "none.csv"], "none.csv: cannot be read"),
    "log with a bad cell": (
        lambda home: changed(home, lambda frame: frame.assign(S1_Temp="warm")),
        "room.csv: no number (864): row 2 S1_Temp 'warm'",
    ),
    "log without a column": (
        lambda home: changed(home, lambda frame: frame.drop(columns="S5_CO2")),
        "room.csv: missing column S5_CO2; add it, or describe the log by data.schema; a fitted model keeps its "
        "data.schema, so bring the log to what it was trained on",
    ),
    "log with a missing cell": (
        lambda home: changed(home, lambda frame: frame.replace({"S1_Temp": {frame["S1_Temp"][5]: ""}})),
        "set data.missing=interpolate to hold the last reading",
    ),
    "log at another step": (
        lambda home: changed(home, lambda frame: frame[::2]),
        "room.csv: got a row every 600 s, but the model was trained on one every 300 s",
    ),
    "log at a step beyond the largest gap": (
        lambda home: changed(home, lambda frame: frame[::3]),
        "a fitted model keeps its data.max_gap",
    ),
    "format that is none": (lambda home: by_model(home, "--format", "xml"), "invalid choice: 'xml'"),
    "ending that is none": (lambda home: by_model(home, "--out", "counts.xls"), "expected a name that ends in one of"),
    "no folder for the result": (lambda home: by_model(home, "--out", "none/a.csv"), "none is no folder"),
    "one result that can't be written": (
        lambda home: by_model(home, "--out", "a.csv", "--out", f"{'long' * 70}.csv"),
        "can't be written (File name too long)",
    ),
    "result over the log": (
        lambda home: changed(home, lambda frame: frame, "--out", "./room.csv"),
        "--out: room.csv is the log itself",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_exit_code_2_and_nothing_written(
    home: Home, desk: Path, capsys: Capture, mistake: str
) -> None:
    make, text = MISTAKES[mistake]
    arguments = make(home)
    before = snapshot(desk)
    assert call(predict.main, *arguments) == 2
    printed, said = capsys.readouterr()
    assert printed == ""
    assert said.count("\n") == 1
    assert said.startswith("occupancy predict: ")
    assert text in said
    assert snapshot(desk) == before


def test_the_store_is_never_written_to(home: Home, desk: Path, capsys: Capture) -> None:
    before = snapshot(home.folder)
    counted(capsys, "--run", home.run, "--csv", unlabelled(home), f"tracking.uri={home.uri}")
    assert call(predict.main, *by_run(home, NO_SUCH_RUN)) == 2
    assert snapshot(home.folder) == before


def test_what_was_there_stays_where_the_result_cannot_be_made(home: Home, desk: Path, capsys: Capture) -> None:
    written("counts.csv", b"of yesterday")
    assert call(predict.main, *changed(home, lambda frame: frame[::2], "--out", "counts.csv")) == 2
    assert Path("counts.csv").read_bytes() == b"of yesterday"
