"""Where a recorded model is: from the id of a run, of an experiment or of one of its folds, to the model's folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import LifecycleStage, LoggedModel, LoggedModelStatus, Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from occupancy.config import EACH_ROOM, Tracking
from occupancy.config.address import Address
from occupancy.errors import InputError
from occupancy.tracking.sqlite import mlflow_address
from occupancy.tracking.store import asked, check_there

UNKNOWN = {ErrorCode.Name(code) for code in (RESOURCE_DOES_NOT_EXIST, INVALID_PARAMETER_VALUE)}
"""What MLflow answers where it has nothing of that name or id."""
_FOLD = "fold"
_FINAL = "-final"  # the end of the name of a model that was fitted on all labelled rows
_UNNAMED = "model"  # what every model was called by the version before


@dataclass(frozen=True)
class Recorded:
    """A model in a store.

    Attributes:
        title: what people call it, and what it was trained on if the store knows.
        uri: where MLflow keeps the MLflow model.
        remark: why this one of a run's models was taken; empty where there was no choice.
    """

    title: str
    uri: str
    remark: str = ""


def find_in_run(tracking: Tracking, run_id: str, fold: int | None = None) -> Recorded:
    """Return the model of a fold, or the final model of an experiment: that of its last fold, if it has none.

    Args:
        tracking: the store.
        run_id: the run of an experiment, or of one of its folds.
        fold: the number of the fold whose model is wanted; None: the final model.

    Raises:
        InputError: there is no such store, run, fold or model.
    """
    shown = tracking.shown_uri
    with asked(tracking) as client:
        try:
            run = client.get_run(run_id)
        except MlflowException as error:
            if error.error_code not in UNKNOWN:
                raise
            raise InputError(f"--run: got {run_id!r}, which is not a run in {shown}; train prints its id") from None
        if run.info.lifecycle_stage != LifecycleStage.ACTIVE:
            raise InputError(f"--run: run {run_id} was deleted in {shown}; restore it there or give another")
        own = _by_fold([run])
        if fold is None and not own and (model := _model_of(client, run)) is not None:
            return Recorded(title_of(model.name, model), model.artifact_location)
        return _in_fold(client, run, own or _folds_of(client, run), fold, shown)


@contextmanager
def fetched(tracking: Tracking, recorded: Recorded) -> Iterator[Path]:
    """Yield the folder of a recorded MLflow model: the store's own, or a copy for as long as it is needed.

    Raises:
        InputError: the store knows the model, but can't hand it over.
    """
    is_local = recorded.uri.startswith(("file:", "/"))
    with tempfile.TemporaryDirectory() as scratch:
        try:
            place = download_artifacts(
                recorded.uri, dst_path=None if is_local else scratch, tracking_uri=mlflow_address(tracking.uri)
            )
        except (MlflowException, OSError) as error:
            check_there(tracking.uri)
            said, where = " ".join(tracking.uri.scrub(str(error)).split())[:200], Address(recorded.uri)
            if "No space left" in said:
                raise InputError(f"{recorded.title}: no space left to copy it to {scratch}; free some") from None
            raise InputError(f"{recorded.title}: its files are not at {where}, where they were put: {said}") from None
        yield Path(place)


def logged_model(client: MlflowClient, model_id: str) -> LoggedModel | None:
    """Return what the store knows of a logged model, or None if it was deleted."""
    try:
        return client.get_logged_model(model_id)
    except MlflowException as error:
        if error.error_code not in UNKNOWN:
            raise
        return None


def title_of(name: str, model: LoggedModel | None, version: str = "") -> str:
    """Return a model's name with its version, if it has one, and what it was trained on, if that is known."""
    trained = ""
    if model is not None and model.tags.get("rows", "").isdecimal():
        every = "all " if model.name.endswith(_FINAL) else ""
        trained = f"trained on {every}{int(model.tags['rows']):,} labelled rows of {model.tags.get('dataset')}"
    about = ", ".join(filter(None, [version, trained]))
    return f"{name} ({about})" if about else name


def _folds_of(client: MlflowClient, run: Run) -> dict[int, Run]:
    query = f"tags.{MLFLOW_PARENT_RUN_ID} = '{run.info.run_id}'"
    return _by_fold(client.search_runs([run.info.experiment_id], query, max_results=10_000))


def _by_fold(runs: Iterable[Run]) -> dict[int, Run]:
    numbered = ((run.data.tags.get(_FOLD, ""), run) for run in runs)
    return {int(fold): run for fold, run in numbered if fold.isdecimal()}


def _in_fold(client: MlflowClient, run: Run, runs: dict[int, Run], fold: int | None, shown: str) -> Recorded:
    """Return the model of one of the folds of a run, by number, or of the last one."""
    run_id, state = run.info.run_id, "" if run.info.status == "FINISHED" else f" ({run.info.status})"
    if run.data.tags.get("folds") == EACH_ROOM:
        raise InputError(
            f"--run: run {run_id}{state} in {shown} holds no model: of a model per room, scores alone are kept, in "
            f"rooms.csv of run {run.data.tags.get(MLFLOW_PARENT_RUN_ID, run_id)}; for a model, train a room by "
            "data.source and a fold file"
        )
    if not runs:
        raise InputError(f"--run: run {run_id}{state} in {shown} holds no model: it is neither a fold nor has folds")
    number = max(runs) if fold is None else fold
    if number not in runs:
        has = ", ".join(map(str, sorted(runs)))
        raise InputError(f"--fold: got {number}, but run {run_id} is of fold {has}")
    if (model := _model_of(client, runs[number])) is None:
        raise _no_model(client, run_id, runs, number)
    name = f"fold {number}, run {runs[number].info.run_id}" if model.name == _UNNAMED else model.name
    remark = ""
    if fold is None and runs[number] is not run:
        remark = f"run {run_id}{state} in {shown} has no final model; this is the one of its last fold, {number}"
        remark += "; --fold takes another"
    return Recorded(title_of(name, model), model.artifact_location, remark)


def _no_model(client: MlflowClient, run_id: str, runs: dict[int, Run], number: int) -> InputError:
    """Return what to tell of a fold whose run has no model."""
    others = [str(each) for each, run in sorted(runs.items()) if _model_of(client, run) is not None]
    remedy = f"choose by --fold one that has: {', '.join(others)}" if others else "give another, or train again"
    return InputError(f"--run: fold {number} of run {run_id} is {runs[number].info.status} without a model; {remedy}")


def _model_of(client: MlflowClient, run: Run) -> LoggedModel | None:
    """Return the model that a run gave, if it got as far as one that was not deleted since."""
    outputs = run.outputs.model_outputs if run.outputs is not None else []
    models = (logged_model(client, output.model_id) for output in outputs)
    return next((model for model in models if model is not None and model.status == LoggedModelStatus.READY), None)
