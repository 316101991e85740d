"""A pooled, decoded and calibrated model as a user trains, loads and uses it."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from occupancy import predict, train
from occupancy.config.parsing import load_config
from occupancy.data.schema import UCI
from occupancy.data.source import open_log
from occupancy.serving.model import ServedModel, find_saved
from tests.e2e.trainings import CONFIGS, write_brief
from tests.places import ROOT

pytestmark = [
    pytest.mark.usefixtures("no_drawing"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

TINY = (
    "data.source=simulated",
    f"data.folds={ROOT / 'tests' / 'e2e' / 'two_folds.yaml'}",
    "data.simulation.days=3",
    "data.simulation.room.step_s=300",
    "data.max_gap=600",
)
NUMBERS = ["mean", "std", "lower", "upper", "epistemic", "aleatoric", "p0", "p1", "p2", "p3"]
COLUMNS = ["time", "count", *NUMBERS, "answered"]


@pytest.fixture(scope="module", params=["best", "best_offline"])
def name(request: pytest.FixtureRequest) -> str:
    """The name of a shipped experiment."""
    return str(request.param)


@pytest.fixture(scope="module")
def home(name: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a store and a log, and the run of the experiment that was trained there."""
    tracked_in, folder = mlflow.get_tracking_uri(), tmp_path_factory.mktemp(name)
    config = write_brief(CONFIGS / f"{name}.yaml", folder)
    printed = io.StringIO()
    uri = f"tracking.uri=sqlite:///{folder / 'mlflow.db'}"  # MLflow knows a store by its address alone
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        assert train.main(("--config", str(config), *TINY, uri, "train.final=false", "--json")) == 0
    frame = open_log(load_config(config, TINY).data)[0].frame.reset_index()
    times = frame.pop("time").dt
    frame.insert(0, "Date", times.strftime("%Y/%m/%d"))
    frame.insert(1, "Time", times.strftime("%H:%M:%S"))
    frame.to_csv(folder / "log.csv", index=False)
    mlflow.set_tracking_uri(tracked_in)
    return folder, json.loads(printed.getvalue())["run_id"]


def store_of(home: tuple[Path, str]) -> str:
    return f"sqlite:///{home[0] / 'mlflow.db'}"


@pytest.fixture(autouse=True)
def _in_the_store(home: tuple[Path, str]) -> Iterator[None]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store_of(home))
    yield
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def fold(home: tuple[Path, str]) -> str:
    """The run of the experiment's second fold."""
    found = mlflow.MlflowClient(store_of(home)).search_runs(
        ["1"], f"tags.mlflow.parentRunId = '{home[1]}' and tags.fold = '2'"
    )
    return str(found[0].info.run_id)


@pytest.fixture(scope="module")
def recorded(home: tuple[Path, str], fold: str) -> pd.DataFrame:
    path = mlflow.artifacts.download_artifacts(
        run_id=fold, artifact_path="predictions.csv", tracking_uri=store_of(home)
    )
    return pd.read_csv(path, parse_dates=["time"])


def test_the_table_that_a_fold_records_says_which_rows_are_answered(recorded: pd.DataFrame) -> None:
    assert set(COLUMNS) <= set(recorded.columns)
    assert recorded["answered"].dtype == bool


def test_the_command_gives_what_the_fold_recorded_for_the_same_rows(
    home: tuple[Path, str], fold: str, recorded: pd.DataFrame, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log = str(home[0] / "log.csv")
    assert predict.main(("--run", fold, "--csv", log, f"tracking.uri={store_of(home)}")) == 0
    printed, _ = capsys.readouterr()
    table = pd.read_csv(io.StringIO(printed), parse_dates=["time"])
    assert list(table.columns) == [*COLUMNS, "health"]
    assert table["answered"].dtype == bool
    same = table[table["time"].isin(recorded["time"])].reset_index(drop=True)
    assert len(same) == 288
    # A decoder begins where the rows asked for do: at the fold's test rows there, a day earlier here.
    begun = 0 if name == "best" else 60
    np.testing.assert_allclose(same[NUMBERS][begun:], recorded[NUMBERS][begun:], atol=1e-5)
    np.testing.assert_array_equal(same["answered"][begun:], recorded["answered"][begun:])


def test_json_lines_say_it_too(home: tuple[Path, str], tmp_path: Path) -> None:
    folder, run = home
    target, uri = tmp_path / "counts.jsonl", f"tracking.uri={store_of(home)}"
    assert predict.main(("--run", run, "--csv", str(folder / "log.csv"), "--out", str(target), uri)) == 0
    lines = target.read_text().splitlines()
    assert {json.loads(line)["answered"] for line in lines} <= {True, False}
    assert len(lines) == 3 * 288


def test_the_served_models_signature_and_table_have_the_same_columns(
    home: tuple[Path, str], fold: str, name: str
) -> None:
    served: Any = mlflow.pyfunc.load_model(f"runs:/{fold}/{name}-fold-2")
    outputs = served.metadata.signature.outputs
    raw = pd.read_csv(home[0] / "log.csv")
    table = served.predict(raw.drop(columns=UCI.count))
    assert outputs.input_names() == list(table.columns) == COLUMNS
    assert [kind.name for kind in outputs.input_types()] == ["datetime", "long", *["double"] * 10, "boolean"]
    assert table["answered"].dtype == bool
    path = Path(mlflow.artifacts.download_artifacts(f"runs:/{fold}/{name}-fold-2"))
    alone = ServedModel(find_saved(path)).predict(raw)
    pd.testing.assert_frame_equal(alone, table, check_exact=True)


def test_a_run_says_whether_its_counts_rest_on_later_rows(home: tuple[Path, str], name: str) -> None:
    tags = mlflow.MlflowClient(store_of(home)).get_run(home[1]).data.tags
    assert tags["causal"] == str(name == "best")
