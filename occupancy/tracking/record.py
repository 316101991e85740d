"""The record of a command in MLflow: a parent run, under it groups where there are some, and a run for each unit.

It is also what an experiment is taken up from: a unit that was recorded before it was stopped is not run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import DatasetInput, InputTag, Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from occupancy.data.holes import counted
from occupancy.data.log import Log
from occupancy.errors import InputError
from occupancy.execution.unit import Failure, Outcome
from occupancy.tracking import outcomes
from occupancy.tracking.experiment import open_experiment
from occupancy.tracking.guard import RECORDED, store_errors
from occupancy.tracking.outcomes import ERROR
from occupancy.tracking.request import Job, Request
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

_KEY, _UNIT, _GROUP = "record_key", "unit_key", "group"
_CONTEXT = "training and testing"
HOLES = "holes.json"
"""The file of a parent run that counts the missing readings of its log, if there are any."""
EXPLANATION = "explanation"
"""The folder of a run's files that holds explanations."""

_Method = TypeVar("_Method", bound=Callable[..., None])


def _stored(method: _Method) -> _Method:
    """Make a method of a record hold back the wish to stop, and raise InputError where the store fails."""

    @wraps(method)
    def guarded(self: Record, *args: Any, **kwargs: Any) -> None:
        with uninterrupted(), store_errors(self._request.tracking.uri, RECORDED):
            method(self, *args, **kwargs)

    return cast(_Method, guarded)


class Record:
    """An open record; one that was finished before takes no more writing.

    Attributes:
        run_id: the parent run's id in MLflow.
        is_finished: whether everything was recorded before.
        known: what is recorded of units, by their keys.
        client: of the store.
    """

    def __init__(self, client: MlflowClient, experiment_id: str, request: Request, parent: Run) -> None:
        """Open it.

        Args:
            client: of the store.
            experiment_id: where it lies.
            request: what is recorded.
            parent: its run.
        """
        self.client = client
        self.run_id = parent.info.run_id
        self.is_finished = parent.info.status == FINISHED
        self.known: dict[str, Outcome] = {}
        self._experiment_id = experiment_id
        self._request = request
        self._groups: dict[str, str] = {}  # run ids
        self._open: set[str] = set()  # groups
        self._unended: set[str] = set()  # runs of units that something went wrong in
        self._closed: set[str] = set()
        self._runs: dict[tuple[str | None, str], Run] = {}  # by group and unit

    @_stored
    def begin(self) -> None:
        """Write into a new parent run what is known before the first unit: settings, files and the log."""
        write(self.client, self.run_id, params=self._request.params)
        for name, text in self._request.files.items():
            self.client.log_text(self.run_id, text, name)
        if (log := self._request.log) is not None:
            log_dataset(self.client, self.run_id, log)
            if missing := counted(log.missing, log.held):
                self.client.log_text(self.run_id, json.dumps(missing, indent=2), HOLES)

    @_stored
    def read(self, runs: list[Run]) -> None:
        """Take over what the runs under the parent hold.

        Args:
            runs: all runs with the key of the record.
        """
        failures_stand = self._request.failures_stand or self.is_finished
        for run in runs:
            if run.data.tags.get(MLFLOW_PARENT_RUN_ID) == self.run_id and _UNIT not in run.data.tags:
                self._groups[run.data.tags[_GROUP]] = run.info.run_id
                if run.info.status == FINISHED:
                    self._closed.add(run.data.tags[_GROUP])
                elif ERROR in run.data.tags and not failures_stand:  # it is tried again
                    self.client.delete_tag(run.info.run_id, ERROR)
        places = {self.run_id: None, **{run_id: group for group, run_id in self._groups.items()}}
        for run in runs:
            key, parent = run.data.tags.get(_UNIT), run.data.tags.get(MLFLOW_PARENT_RUN_ID)
            if key is None or parent not in places:
                continue
            self._runs[places[parent], key] = run
            if run.info.status == FINISHED:
                self.known[key] = outcomes.read(run)
            elif self.is_finished or (failures_stand and ERROR in run.data.tags):
                self.known[key] = Failure(run.data.tags.get(ERROR, "unknown"))

    @_stored
    def write(self, job: Job, outcome: Outcome, also: Callable[[str], object] | None = None) -> None:
        """Record what a unit gave, unless it is recorded already.

        Args:
            job: the unit and its place.
            outcome: what it gave.
            also: writes more into the run of that id, before it ends.

        Raises:
            InputError: if it failed for a reason that passes, in a record whose failures stand.
        """
        if self._request.failures_stand and isinstance(outcome, Failure) and outcome.passing:
            raise InputError(
                f"{job.group} on {job.name}: {outcome.error}; that is not recorded, since everything tried next would "
                "depend on it; give the same command again, and if it dies again, leave out of search.over what may "
                "not fit into memory"
            )
        key = job.unit.key
        self.known[key] = outcome
        run = self._runs.get((job.group, key))
        if self.is_finished or (run is not None and run.info.status == FINISHED):
            return
        if run is None:
            parent = self.run_id if job.group is None else self._group(job.group)
            tags = {**job.tags, _UNIT: key, **({} if job.group is None else {_GROUP: job.group})}
            run = self._create(job.name, parent, tags)
        self._unended.add(run.info.run_id)
        status = outcomes.write(self.client, run, outcome, job.params, job.unit.scored)
        if also is not None:
            also(run.info.run_id)
        self.client.set_terminated(run.info.run_id, status)
        self._unended.remove(run.info.run_id)

    @_stored
    def close(
        self, group: str, metrics: Mapping[str, float], params: Mapping[str, Any], error: str | None, **tags: str
    ) -> None:
        """End the run of a group with what its units gave together, or with why one of them failed."""
        if self.is_finished or group in self._closed:
            return
        run_id = self._group(group)
        if error is not None:
            tags[ERROR] = error
        write(self.client, run_id, metrics, params, tags)
        self.client.set_terminated(run_id, FINISHED if error is None else FAILED)
        self._open.discard(group)

    @_stored
    def summarize(
        self,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        figures: Mapping[str, Figure] | None = None,
        texts: Mapping[str, str] | None = None,
        description: str | None = None,
    ) -> None:
        """Write into the parent run what everything gave together.

        Args:
            metrics: by key; those that could not be computed are left out.
            tags: by name.
            figures: by path, without the ending.
            texts: by path.
            description: Markdown for the run's page.
        """
        if self.is_finished:
            return
        note = {} if description is None else {MLFLOW_RUN_NOTE: description}
        write(self.client, self.run_id, metrics, tags={**tags, **note})
        for path, figure in (figures or {}).items():
            self.client.log_figure(self.run_id, figure, f"{path}.png")
        for path, text in (texts or {}).items():
            self.client.log_text(self.run_id, text, path)

    @_stored
    def end(self, status: str) -> None:
        """End the parent run, and what is open under it, with a status."""
        if not self.is_finished:
            for run_id in [self.run_id, *(self._groups[group] for group in self._open), *self._unended]:
                self.client.set_terminated(run_id, status)

    def log_explanation(
        self, run_id: str, figures: Mapping[str, Figure], texts: Mapping[str, str], metrics: Mapping[str, float]
    ) -> None:
        """Write what a fold's model rests on into the run of the fold: figures by name, texts by file name."""
        for name, figure in figures.items():
            self.client.log_figure(run_id, figure, f"{EXPLANATION}/{name}.png")
        for name, text in texts.items():
            self.client.log_text(run_id, text, f"{EXPLANATION}/{name}")
        write(self.client, run_id, metrics)

    def _group(self, name: str) -> str:
        if name not in self._groups:
            self._groups[name] = self._create(name, self.run_id, {_GROUP: name}).info.run_id
            self._open.add(name)
        return self._groups[name]

    def _create(self, name: str, parent: str, tags: Mapping[str, str]) -> Run:
        return self.client.create_run(
            self._experiment_id, tags={**_all_tags(self._request), **tags, MLFLOW_PARENT_RUN_ID: parent}, run_name=name
        )


@contextmanager
def open_record(request: Request) -> Iterator[Record]:
    """Open a record: a new one, one that was stopped, or one that is finished; see `Request`.

    It ends as FINISHED, as FAILED where an error passes through, as KILLED where the user stops it.

    Raises:
        InputError: if the experiment was deleted in the store, another process writes the same record, or the store
            fails.
    """
    client, experiment_id = open_experiment(request.tracking)
    with store_errors(request.tracking.uri):
        query = f"tags.{_KEY} = '{request.key}'"
        found = [] if request.key is None else list(find_runs(client, experiment_id, query))
    with ExitStack() as stack:
        with uninterrupted(), store_errors(request.tracking.uri):
            known = _known_parent(client, request, found)
            parent = known or client.create_run(experiment_id, tags=_all_tags(request), run_name=request.name)
            record = Record(client, experiment_id, request, parent)
            stack.enter_context(ending(record.end))
            if known is None:
                record.begin()
        record.read(found)
        yield record


def _known_parent(client: MlflowClient, request: Request, found: Iterable[Run]) -> Run | None:
    """Return the parent run to give back or to go on with; None: a new one is needed."""
    parents = [run for run in found if MLFLOW_PARENT_RUN_ID not in run.data.tags]
    newest = max(parents, key=lambda run: run.info.start_time, default=None)
    by_status = {run.info.status: run for run in parents}
    if request.finished_stands and FINISHED in by_status:
        return by_status[FINISHED]
    if newest is not None and newest.info.status != FINISHED:
        return resume(client, by_status.get(RUNNING, newest), _all_tags(request))
    return None


def _all_tags(request: Request) -> dict[str, str]:
    key = {} if request.key is None else {_KEY: request.key}
    return {**request.tags, **key, **process_tags(), **code_tags()}


def log_dataset(client: MlflowClient, run_id: str, log: Log) -> None:
    """Name the log of a run, with its digest."""
    dataset = from_pandas(log.frame, name=log.name, digest=log.digest, targets=log.schema.count)
    inputs = [DatasetInput(dataset._to_mlflow_entity(), [InputTag(MLFLOW_DATASET_CONTEXT, _CONTEXT)])]
    try:
        client.log_inputs(run_id, inputs)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(BAD_REQUEST):
            raise
        # If two runs bring a new log to an experiment at once, the database refuses one; then it is no longer new.
        client.log_inputs(run_id, inputs)
