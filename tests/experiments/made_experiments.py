"""Small experiments that are carried out in this process, and what a store holds of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Run

from occupancy.config import Config, Data, Majority, Room, Simulation, Tracking
from occupancy.data.folds import Fold
from occupancy.execution.in_process import InProcess
from occupancy.execution.unit import OnShare, Outcome, Scores, Unit, ignore
from tests.places import ROOT

FOLDS = ROOT / "tests" / "e2e" / "two_folds.yaml"
DATA = Data(source="simulated", folds=str(FOLDS), simulation=Simulation(days=3, room=Room(step_s=120.0)))
"""A log of three days in two folds."""

MLFLOW_WARNS = [
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*An input example was not provided:UserWarning"),
]
"""Marks of tests that log models."""


class Recording(InProcess):
    """Carries units out in this process and keeps what each gave.

    Attributes:
        outcomes: what each unit gave, in the order in which they ended.
    """

    def __init__(self, change: Callable[[Unit, Outcome], Outcome] | None = None) -> None:
        """Describe the workers.

        Args:
            change: returns what a unit is said to have given instead of what it gave.
        """
        self.outcomes: dict[Unit, Outcome] = {}
        self._change = change

    def execute(self, units: Sequence[Unit], on_share: OnShare = ignore) -> Generator[tuple[Unit, Outcome]]:
        """Yield each unit with what it gave, in their order."""
        for unit, outcome in super().execute(units, on_share):
            self.outcomes[unit] = outcome if self._change is None else self._change(unit, outcome)
            yield unit, self.outcomes[unit]

    @property
    def folds(self) -> list[tuple[Fold, Scores]]:
        """The folds that were tested, with what they gave."""
        tested = [(unit.source.load(), outcome) for unit, outcome in self.outcomes.items() if unit.scored == "test"]
        return [(fold, outcome) for fold, outcome in tested if isinstance(outcome, Scores)]


def majority(folder: Path, name: str = "small", **changes: Any) -> Config:
    """Return an experiment that takes no time, whose store lies in a folder."""
    tracking = Tracking(uri=f"sqlite:///{folder / 'mlflow.db'}")
    return Config(**{"name": name, "data": DATA, "model": Majority(), "tracking": tracking, **changes})


@contextmanager
def tracking_apart() -> Iterator[None]:
    """Give MLflow back the store that it had before."""
    before = mlflow.get_tracking_uri()
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def runs_of(config: Config) -> list[Run]:
    """Return all runs of the experiment in MLflow that a config names."""
    client = MlflowClient(config.tracking.uri)
    found = client.get_experiment_by_name(config.tracking.experiment)
    assert found is not None
    return list(client.search_runs([found.experiment_id]))


def children_of(config: Config, run_id: str) -> list[Run]:
    """Return the runs of an experiment's folds, the first fold's first."""
    children = [run for run in runs_of(config) if run.data.tags.get("mlflow.parentRunId") == run_id]
    return sorted(children, key=lambda run: str(run.info.run_name))


def models_of(config: Config, run_id: str) -> list[LoggedModel]:
    """Return the models that are outputs of a run."""
    client = MlflowClient(config.tracking.uri)
    outputs = client.get_run(run_id).outputs
    found = [] if outputs is None else outputs.model_outputs
    return [client.get_logged_model(output.model_id) for output in found]


def artifacts(config: Config, run_id: str, folder: str | None = None) -> list[str]:
    """Return the paths of a run's files, or of those in a folder of them."""
    return sorted(str(found.path) for found in MlflowClient(config.tracking.uri).list_artifacts(run_id, folder))


def artifact(run: Run, path: str) -> bytes:
    """Return the content of one of a run's files, which lie beside the store."""
    return Path(mlflow.artifacts.download_artifacts(f"{run.info.artifact_uri}/{path}")).read_bytes()
