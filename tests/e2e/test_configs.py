"""Every config that is shipped: it is complete, it runs, and several of them run through one pool."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest
import yaml

from occupancy.config import Mixture, Network
from occupancy.config.parsing import load_config
from tests.e2e.trainings import CONFIGS, SMALL_LOG, TINY, call, read_runs, write_brief
from tests.undrawn import undrawn

pytestmark = [
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]

SHIPPED = sorted(path for path in CONFIGS.rglob("*.yaml") if "grids" not in path.relative_to(CONFIGS).parts)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[Path], str]) -> Iterator[str]:
    tracked_in = mlflow.get_tracking_uri()
    yield new_store(tmp_path_factory.mktemp("shared") / "mlflow.db")
    mlflow.set_tracking_uri(tracked_in)


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_config_runs(config: Path, shared_store: str, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    brief = write_brief(config, desk)
    drawing = contextlib.nullcontext() if config.stem in {"best", "mlp_crf"} else undrawn()
    with drawing:
        assert call("--config", str(brief), *TINY, f"tracking.uri={shared_store}", "--json", "--workers", "1") == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    tree = json.loads(output)
    assert [fold["rows"] for fold in tree["folds"]] == [288] * 2
    assert 0 < tree["metrics"]["mse_avg"] < 9
    runs = read_runs(Path(shared_store.removeprefix("sqlite:///")))
    assert runs.names[tree["run_id"]] == config.stem
    assert runs.statuses[tree["run_id"]] == "FINISHED"
    is_report = "report" in config.relative_to(CONFIGS).parts
    assert tree["protocol"] == ("report" if is_report else "honest")
    assert tree["model"] == (None if is_report else f"occupancy-{config.stem}@current")


def test_the_configs_are_found() -> None:
    assert {path.name for path in SHIPPED} >= {"lstm_regression.yaml", "lstm_classification.yaml", "smoke.yaml"}


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_config_is_complete_in_itself(config: Path) -> None:
    """A key that a file leaves out would change its meaning with the program's defaults."""
    given = yaml.safe_load(config.read_text())
    loaded = load_config(config)
    trained = ["train"] if isinstance(loaded.model, Network) else []
    refined = ["decoding", "calibration"] if isinstance(loaded.model, Mixture) else []
    assert {*given} == {"seed", "protocol", "features", "data", "model", "tracking", *trained, *refined}
    resolved = loaded.model_dump()
    assert {*given["model"]} == {*resolved["model"]}
    for section in trained:
        assert {*given[section]} == {*resolved[section]}


@pytest.mark.usefixtures("no_drawing")
def test_seeds_and_configs_go_through_one_pool_and_are_told_together(
    desk: Path, new_store: Callable[[Path], str], capsys: pytest.CaptureFixture[str]
) -> None:
    uri = new_store(desk / "mlflow.db")
    configs = [str(CONFIGS / f"{name}.yaml") for name in ("majority", "clock")]
    given = ["--config", *configs, "--seeds", "0", "1", "--workers", "1", *SMALL_LOG, f"tracking.uri={uri}"]
    assert call(*given, "train.final=false") == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    assert output.startswith("training majority, clock: loading the log\n4 experiments on ")
    rows = [line.split() for line in output.splitlines()]
    named = [row for row in rows if row[:1] in (["majority"], ["clock"])]
    assert [row[1] for row in named if row[1].isdigit()] == ["2", "2"]
    assert call(*given, "--json") == 0
    tree = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["seed"]) for one in tree["experiments"]] == [
        ("majority", 0), ("majority", 1), ("clock", 0), ("clock", 1)
    ]  # fmt: skip
    clock = [one["metrics"]["mse_avg"] for one in tree["experiments"][2:]]
    assert tree["configs"][1]["mean"]["mse"] == pytest.approx(sum(clock) / 2)
    assert {tree["experiments"][0]["model"]} == {"occupancy-majority@current"}
