"""The record of a search in MLflow: a parent run, under it the trials, and under each trial its folds.

It is what a search is taken up from: whatever was written before it was stopped is not done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from occupancy.errors import InputError
from occupancy.execution.unit import Failure, Outcome, Unit
from occupancy.search.plan import Plan
from occupancy.tracking import outcomes
from occupancy.tracking.outcomes import ERROR
from occupancy.tracking.run import (
    FAILED,
    FINISHED,
    RUNNING,
    code_tags,
    ending,
    find_runs,
    process_tags,
    resume,
    uninterrupted,
    write,
)
from occupancy.tracking.write import open_experiment

_KEY, _UNIT, _GROUP = "search_key", "unit_key", "group"


@dataclass(frozen=True)
class Job:
    """A unit, and where in the record it belongs.

    Attributes:
        group: the run that its run lies under: ``trial 7``, ``fold 2 trial 7``, ``nested`` or ``shared``.
        unit: what is to be carried out.
        setting: what is tried, values by dotted key.
    """

    group: str
    unit: Unit
    setting: Mapping[str, Any]


class Record:
    """The parent run of a search, open for writing unless the search was finished before.

    Attributes:
        run_id: its id in MLflow.
        is_finished: whether everything was recorded before.
        known: what is recorded of units, by their keys.
    """

    def __init__(
        self, client: MlflowClient, experiment_id: str, tags: Mapping[str, str], parent: Run, failures_stand: bool
    ) -> None:
        """Open it.

        Args:
            client: of the store.
            experiment_id: where it lies.
            tags: of each run.
            parent: the run of the search.
            failures_stand: whether what failed is not tried again when the search is taken up.
        """
        self.run_id = parent.info.run_id
        self.is_finished = parent.info.status == FINISHED
        self.known: dict[str, Outcome] = {}
        self._client = client
        self._experiment_id = experiment_id
        self._tags = dict(tags)
        self._groups: dict[str, str] = {}  # run ids
        self._open: set[str] = set()  # groups
        self._closed: set[str] = set()
        self._runs: dict[tuple[str, str], Run] = {}  # by group and unit
        self._failures_stand = failures_stand

    @uninterrupted()
    def read(self, runs: list[Run]) -> None:
        """Take over what the runs under the parent hold.

        Args:
            runs: what is recorded of the search.
        """
        failures_stand = self._failures_stand or self.is_finished
        for run in runs:
            if run.data.tags.get(MLFLOW_PARENT_RUN_ID) == self.run_id:
                self._groups[run.data.tags[_GROUP]] = run.info.run_id
                if run.info.status == FINISHED:
                    self._closed.add(run.data.tags[_GROUP])
                elif ERROR in run.data.tags and not failures_stand:  # it is tried again
                    self._client.delete_tag(run.info.run_id, ERROR)
        for run in runs:
            group, key = run.data.tags.get(_GROUP, ""), run.data.tags.get(_UNIT)
            if key is None or run.data.tags.get(MLFLOW_PARENT_RUN_ID) != self._groups.get(group):
                continue
            self._runs[group, key] = run
            if run.info.status == FINISHED:
                self.known[key] = outcomes.read(run)
            elif self.is_finished or (failures_stand and ERROR in run.data.tags):
                self.known[key] = Failure(run.data.tags.get(ERROR, "unknown"))

    @uninterrupted()
    def write(self, job: Job, outcome: Outcome) -> None:
        """Record what a unit gave, as a run of its own under that of its group.

        Raises:
            InputError: it failed for a reason that passes, in a search whose failures stand.
        """
        if self._failures_stand and isinstance(outcome, Failure) and outcome.passing:
            name = f"{job.group} on fold {job.unit.fold.number}"
            raise InputError(
                f"{name}: {outcome.error}, which is not recorded, for all that is tried next would rest on it; give "
                "the same command again, and if it dies again, leave out of search.over what may not fit into memory"
            )
        self.known[job.unit.key] = outcome
        if self.is_finished:
            return
        key = job.unit.key
        run = self._runs.get((job.group, key))
        if run is not None and run.info.status == FINISHED:
            return
        if run is None:
            tags = {_UNIT: key, _GROUP: job.group, "fold": str(job.unit.fold.number)}
            run = self._create(f"fold {job.unit.fold.number}", self._group(job.group), tags)
        outcomes.write(self._client, run, outcome, job.setting, job.unit.scored)

    @uninterrupted()
    def close(
        self, group: str, metrics: Mapping[str, float], setting: Mapping[str, Any], error: str | None, **tags: str
    ) -> None:
        """End the run of a group with what its folds gave together, or with why one of them failed."""
        if self.is_finished or group in self._closed:
            return
        run_id = self._group(group)
        if error is not None:
            tags[ERROR] = error
        write(self._client, run_id, metrics, setting, tags)
        self._end(run_id, FINISHED if error is None else FAILED)
        self._open.discard(group)

    @uninterrupted()
    def summarize(self, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Write what the whole search gave into the parent run."""
        if not self.is_finished:
            write(self._client, self.run_id, metrics, tags=tags)

    @uninterrupted()
    def draw(self, figures: Mapping[str, Figure]) -> None:
        """Keep figures beside the parent run, by their names."""
        if not self.is_finished:
            for name, figure in figures.items():
                self._client.log_figure(self.run_id, figure, f"figures/{name}.png")

    def end(self, status: str) -> None:
        """End the parent run, and what is open under it, with a status."""
        if not self.is_finished:
            for group in self._open:
                self._end(self._groups[group], status)
            self._end(self.run_id, status)

    def _group(self, name: str) -> str:
        if name not in self._groups:
            self._groups[name] = self._create(name, self.run_id, {_GROUP: name}).info.run_id
            self._open.add(name)
        return self._groups[name]

    def _create(self, name: str, parent: str, tags: Mapping[str, str]) -> Run:
        tags = {**self._tags, **tags, MLFLOW_PARENT_RUN_ID: parent}
        return self._client.create_run(self._experiment_id, tags=tags, run_name=name)

    def _end(self, run_id: str, status: str) -> None:
        self._client.set_terminated(run_id, status)


@contextmanager
def record_of(plan: Plan) -> Iterator[Record]:
    """Open the record of a search: a new one, one that was stopped, or one that is finished.

    It ends as FINISHED, as FAILED where an error passes through, as KILLED where the user stops it.

    Raises:
        InputError: the experiment was deleted in the store, or another process is at the same search.
    """
    client, experiment_id = open_experiment(plan.tracking)
    tags = {
        _KEY: plan.key,
        "dataset": plan.dataset["name"],
        "digest": plan.dataset["digest"],
        "folds": plan.config.data.folds,
    }
    tags |= {"protocol": plan.config.protocol, **process_tags(), **code_tags()}
    found = list(find_runs(client, experiment_id, f"tags.{_KEY} = '{plan.key}'"))
    parents = [run for run in found if MLFLOW_PARENT_RUN_ID not in run.data.tags]
    with ExitStack() as stack:
        with uninterrupted():
            parent = _parent(client, experiment_id, tags, plan, parents)
            # What was proposed after a failure rests on it.
            record = Record(client, experiment_id, tags, parent, failures_stand=plan.search.method == "adaptive")
            stack.enter_context(ending(record.end))
        record.read(found)
        yield record


def _parent(client: MlflowClient, experiment_id: str, tags: dict[str, str], plan: Plan, parents: list[Run]) -> Run:
    """Return the parent run to go on with, or a new one."""
    by_status = {run.info.status: run for run in parents}
    if FINISHED in by_status:
        return by_status[FINISHED]
    if parents:
        return resume(client, by_status.get(RUNNING, parents[0]), tags)
    run = client.create_run(experiment_id, tags=tags, run_name=plan.config.name)
    search = plan.search.model_dump()
    searched = {f"over.{key}": values for key, values in search.pop("over").items()}
    write(client, run.info.run_id, params={**plan.config.flat(), **searched, **search})
    client.log_text(run.info.run_id, plan.to_yaml(), "search.yaml")
    return run
