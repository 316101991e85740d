from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest

from occupancy.tracking import store
from tests.e2e.predict.home import Home, trained, write_log


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, new_store: Callable[[Path], str]) -> Iterator[Home]:
    tracked_in = mlflow.get_tracking_uri()
    folder = tmp_path_factory.mktemp("home")
    new_store(folder / "mlflow.db")
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
