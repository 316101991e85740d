"""The record of a model per room in MLflow: a parent run, and under it a run for each room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from occupancy.data.rooms import StoredRoom
from occupancy.execution.unit import Outcome
from occupancy.tracking import outcomes
from occupancy.tracking.run import FINISHED, code_tags, ending, find_runs, process_tags, resume, uninterrupted, write
from occupancy.tracking.write import open_experiment

if TYPE_CHECKING:
    from occupancy.experiments.rooms import Plan

_KEY, _ROOM = "rooms_key", "room"


class Record:
    """The open parent run.

    Attributes:
        run_id: its id in MLflow.
        known: what rooms gave before the experiment was stopped, by name; a room that failed is tried again.
    """

    def __init__(self, client: MlflowClient, tags: Mapping[str, str], parent: Run, runs: Iterable[Run]) -> None:
        self.run_id = parent.info.run_id
        children = {run.data.tags[_ROOM]: run for run in runs if _parent_id(run) == self.run_id}
        self._left = {name: run for name, run in children.items() if run.info.status != FINISHED}
        done = {name: run for name, run in children.items() if name not in self._left}
        self.known: Mapping[str, Outcome] = {name: outcomes.read(run) for name, run in done.items()}
        self._client = client
        self._experiment_id = parent.info.experiment_id
        self._tags = dict(tags)

    @uninterrupted()
    def write(self, room: StoredRoom, outcome: Outcome) -> None:
        """Record what a room gave, as a run of its own: the one that it failed in, if it was tried before."""
        run = self._left.get(room.name) or self._create(room.name)
        told = {_ROOM: room.name, "file": str(room.path), "file_digest": room.digest}
        outcomes.write(self._client, run, outcome, told)

    @uninterrupted()
    def summarize(
        self, metrics: Mapping[str, float], table: pd.DataFrame, description: str, figure: Figure, failed: int
    ) -> None:
        """Record what the rooms gave together: scores over them, their table and their figure."""
        tags = {MLFLOW_RUN_NOTE: description, "failed_rooms": str(failed)}
        write(self._client, self.run_id, metrics, tags=tags)
        self._client.log_text(self.run_id, table.to_csv(index=False), "rooms.csv")
        self._client.log_figure(self.run_id, figure, "figures/rooms.png")

    def _create(self, room: str) -> Run:
        tags = {**self._tags, MLFLOW_PARENT_RUN_ID: self.run_id, _ROOM: room}
        return self._client.create_run(self._experiment_id, tags=tags, run_name=room)


@contextmanager
def record_of(plan: Plan) -> Iterator[Record]:
    """Open the record of a model per room: a new one, or one of the same key that was stopped.

    It ends as FINISHED, as FAILED where an error passes through, as KILLED where the user stops it.

    Raises:
        InputError: the experiment was deleted in the store, or another process is at the same one.
    """
    config = plan.config
    client, experiment_id = open_experiment(config.tracking)
    tags = {
        _KEY: plan.key,
        "protocol": config.protocol,
        "dataset": plan.name,
        "digest": plan.digest,
        "folds": config.data.folds,
        "folds_digest": plan.digest,  # how a room is cut depends on nothing but its rows
        "model": config.model.name,
        "config_key": config.key,
        "selection": "shared",  # one setting for all rooms
        **process_tags(),
        **code_tags(),
    }
    found = list(find_runs(client, experiment_id, f"tags.{_KEY} = '{plan.key}'"))
    record = Record(client, tags, _parent(client, experiment_id, tags, plan, found), found)
    with ending(partial(client.set_terminated, record.run_id)):
        yield record


def _parent(client: MlflowClient, experiment_id: str, tags: Mapping[str, str], plan: Plan, found: list[Run]) -> Run:
    """Return the parent run to go on with, the newest if it was stopped, or a new one: what is finished is run anew."""
    parents = [run for run in found if _parent_id(run) is None]
    newest = max(parents, key=lambda run: run.info.start_time, default=None)
    if newest is not None and newest.info.status != FINISHED:
        return resume(client, newest, tags)
    run = client.create_run(experiment_id, tags=dict(tags), run_name=plan.config.name)
    write(client, run.info.run_id, params=plan.config.flat())
    client.log_text(run.info.run_id, plan.config.to_yaml(), "config.yaml")
    return run


def _parent_id(run: Run) -> str | None:
    found: str | None = run.data.tags.get(MLFLOW_PARENT_RUN_ID)
    return found
