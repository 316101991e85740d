"""A working directory with a log and with models that were trained on it, for the tests of ``occupancy predict``."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus

from occupancy import predict, train
from occupancy.config.keys import known_keys
from occupancy.config.parsing import load_config
from occupancy.data.schema import UCI
from occupancy.data.source import open_log
from tests.places import ROOT
from tests.undrawn import undrawn

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

    def logged(self, model: Path, name: str, run: str | None = None, **tags: str) -> str:
        """Return the id of a new logged model with the files of another, the output of a run if one is named."""
        made = self.client.create_logged_model("1", name, run, tags)
        shutil.copytree(model, made.artifact_location.removeprefix("file://"))
        self.client.finalize_logged_model(made.model_id, LoggedModelStatus.READY)
        if run is not None:
            self.client.log_outputs(run, [LoggedModelOutput(made.model_id, 0)])
        return str(made.model_id)

    def register(self, name: str, model: str, alias: str | None = None) -> None:
        """Make a logged model the newest version of a registered one."""
        if name not in {known.name for known in self.client.search_registered_models()}:
            self.client.create_registered_model(name)
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(self.uri)  # where MLflow looks the model up
        version = self.client.create_model_version(name, f"models:/{model}", model_id=model)
        mlflow.set_tracking_uri(before)
        if alias is not None:
            self.client.set_registered_model_alias(name, alias, version.version)


def trained(*overrides: str) -> str:
    """Return the experiment that the training recorded in the working directory, without a final model, by its id."""
    final = ["train.final=false"] if "train.final" in set(known_keys()) else []
    printed = io.StringIO()
    store = f"tracking.uri=sqlite:///{Path('mlflow.db').absolute()}"  # MLflow keeps what a relative one first meant
    with contextlib.redirect_stdout(printed), undrawn():
        assert call(train.main, "--config", str(SMOKE), *TINY, *final, store, *overrides, "--json") == 0
    return str(json.loads(printed.getvalue())["run_id"])


def write_log(path: Path) -> None:
    """Write the log that the models were trained on, as a room's own logger would have."""
    log = open_log(load_config(SMOKE, TINY).data)[0]
    frame = log.frame.reset_index()
    times = frame.pop("time").dt
    frame.insert(0, "Date", times.strftime("%Y/%m/%d"))
    frame.insert(1, "Time", times.strftime("%H:%M:%S"))
    frame.to_csv(path, index=False)


def log_of(home: Home) -> pd.DataFrame:
    return pd.read_csv(home.folder / "log.csv", dtype=str)


def log_as(home: Home, change: Callable[[pd.DataFrame], pd.DataFrame], name: str = "room.csv") -> str:
    """Write the log, changed, into the working directory."""
    change(log_of(home)).to_csv(name, index=False)
    return name


def unlabelled(home: Home) -> str:
    return log_as(home, lambda frame: frame.drop(columns=UCI.count))


def read(table: Path | io.StringIO) -> pd.DataFrame:
    cells = pd.read_csv(table, float_precision="round_trip")
    return cells.fillna({"health": ""}).astype({"health": object}) if "health" in cells else cells


def counted(capsys: Capture, *arguments: str) -> tuple[pd.DataFrame, str]:
    """Return the table and what was said beside it."""
    capsys.readouterr()
    assert call(predict.main, *arguments) == 0
    printed, said = capsys.readouterr()
    return read(io.StringIO(printed)), said


def check_refused(arguments: Sequence[str], text: str, desk: Path, capsys: Capture) -> None:
    """Fail unless the command refuses the arguments in one line with a text, and writes nothing."""
    capsys.readouterr()  # what was said while the arguments were made
    before = snapshot(desk)
    assert call(predict.main, *arguments) == 2
    printed, said = capsys.readouterr()
    assert printed == ""
    assert said.count("\n") == 1
    assert said.startswith("occupancy predict: ")
    assert text in said
    assert snapshot(desk) == before


def by_model(home: Home, *arguments: str) -> list[str]:
    return ["--model", str(home.models[1]), "--csv", str(home.folder / "log.csv"), *arguments]


def by_run(home: Home, run: str, *arguments: str) -> list[str]:
    return ["--run", run, "--csv", str(home.folder / "log.csv"), f"tracking.uri={home.uri}", *arguments]


def written(name: str, content: bytes = b"") -> str:
    Path(name).write_bytes(content)
    return name
