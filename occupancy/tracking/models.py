"""Where a recorded model is: from the id of a run, of a fold or of an experiment, to the model's folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import LifecycleStage, LoggedModelStatus, Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from occupancy.config import EACH_ROOM, Tracking
from occupancy.errors import InputError
from occupancy.tracking.store import check_there, impatient, no_answer

_UNKNOWN = {ErrorCode.Name(code) for code in (RESOURCE_DOES_NOT_EXIST, INVALID_PARAMETER_VALUE)}
_FOLD = "fold"


@dataclass(frozen=True)
class Recorded:
    """A model in a store.

    Attributes:
        fold: the number of the fold that it was trained on.
        uri: where MLflow keeps the MLflow model.
        remarks: which of an experiment's models this is, for people; none where there was no choice.
    """

    fold: int
    uri: str
    remarks: list[str]


def find_model(tracking: Tracking, run_id: str, fold: int | None = None) -> Recorded:
    """Return the model of a fold's run, or of one fold of an experiment: the last one, if not told which.

    Raises:
        InputError: there is no such store, run, fold or model.
    """
    check_there(tracking.uri)
    client, shown = MlflowClient(tracking.uri), tracking.shown_uri
    try:
        with impatient():
            run = client.get_run(run_id)
            if run.info.lifecycle_stage != LifecycleStage.ACTIVE:
                raise InputError(f"--run: run {run_id} was deleted in {shown}; restore it there or give another")
            return _choose(client, run, _by_fold([run]) or _folds_of(client, run), fold, shown)
    except MlflowException as error:
        if error.error_code in _UNKNOWN:
            raise InputError(f"--run: got {run_id!r}, which is no run in {shown}; train prints its id") from None
        raise no_answer(tracking, error) from None


@contextmanager
def fetched(tracking: Tracking, recorded: Recorded) -> Iterator[Path]:
    """Give the folder of a recorded MLflow model: the store's own, or a copy for as long as it is needed.

    Raises:
        InputError: the store knows the model, but can't hand it over.
    """
    is_local = recorded.uri.startswith(("file:", "/"))
    with tempfile.TemporaryDirectory() as scratch:
        try:
            place = download_artifacts(recorded.uri, dst_path=None if is_local else scratch, tracking_uri=tracking.uri)
        except (MlflowException, OSError) as error:
            said = " ".join(str(error).split())[:200]
            raise InputError(f"--run: the model is not at {recorded.uri}, where it was put: {said}") from None
        yield Path(place)


def _folds_of(client: MlflowClient, run: Run) -> dict[int, Run]:
    query = f"tags.{MLFLOW_PARENT_RUN_ID} = '{run.info.run_id}'"
    return _by_fold(client.search_runs([run.info.experiment_id], query, max_results=10_000))


def _by_fold(runs: Iterable[Run]) -> dict[int, Run]:
    numbered = ((run.data.tags.get(_FOLD, ""), run) for run in runs)
    return {int(fold): run for fold, run in numbered if fold.isdecimal()}


def _choose(client: MlflowClient, run: Run, runs: dict[int, Run], fold: int | None, shown: str) -> Recorded:
    run_id, state = run.info.run_id, "" if run.info.status == "FINISHED" else f" ({run.info.status})"
    if run.data.tags.get("folds") == EACH_ROOM:
        raise InputError(
            f"--run: run {run_id}{state} in {shown} holds no model: of a model per room, scores alone are kept, in "
            f"rooms.csv of run {run.data.tags.get(MLFLOW_PARENT_RUN_ID, run_id)}; for a model, train a room by "
            "data.source and a fold file"
        )
    if not runs:
        raise InputError(f"--run: run {run_id}{state} in {shown} holds no model: it is no fold's and has no folds")
    number = max(runs) if fold is None else fold
    if number not in runs:
        has = ", ".join(map(str, sorted(runs)))
        raise InputError(f"--fold: got {number}, but run {run_id} is of fold {has}")
    models = {each: uri for each, child in runs.items() if (uri := _model_uri(client, child)) is not None}
    if number not in models:
        others = ", ".join(map(str, sorted(models)))
        remedy = f"choose by --fold one that has: {others}" if others else "give another, or train anew"
        status = runs[number].info.status
        raise InputError(f"--run: fold {number} of run {run_id} is {status} without a model; {remedy}")
    chosen = fold is None and runs[number] is not run
    remark = f"the model is that of fold {number}, the last of run {run_id}{state} in {shown}; --fold takes another"
    return Recorded(number, models[number], [remark] if chosen else [])


def _model_uri(client: MlflowClient, run: Run) -> str | None:
    """Return where the model of a fold's run is, if it got as far as one that was not deleted since."""
    for output in run.outputs.model_outputs if run.outputs is not None else []:
        try:
            model = client.get_logged_model(output.model_id)
        except MlflowException as error:
            if error.error_code not in _UNKNOWN:
                raise
        else:
            if model.status == LoggedModelStatus.READY:
                return str(model.artifact_location)
    return None
