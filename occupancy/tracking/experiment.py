"""The MLflow experiment that runs belong to: checked, made, and opened for writing."""

from __future__ import annotations

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

from occupancy.config import Tracking
from occupancy.errors import InputError
from occupancy.tracking import view
from occupancy.tracking.guard import store_errors
from occupancy.tracking.run import end_orphans
from occupancy.tracking.sqlite import is_made, mlflow_address, sqlite_path
from occupancy.tracking.store import impatient, prepare_store, refuse_deleted


def check_experiment(tracking: Tracking) -> None:
    """Check that a store that `check_store` accepts can take the experiment, without creating anything.

    Raises:
        InputError: if the experiment was deleted in the store, or the store does not answer as MLflow does.
    """
    path = sqlite_path(tracking.uri)
    if path is not None and not is_made(path):
        return
    with store_errors(tracking.uri), impatient():
        found = MlflowClient(mlflow_address(tracking.uri)).get_experiment_by_name(tracking.experiment)
    if found is not None:
        refuse_deleted(found, tracking)


def open_experiment(tracking: Tracking) -> tuple[MlflowClient, str]:
    """Return a client of the store and the id of the MLflow experiment, made if there was none.

    Runs that a killed process of this machine left open are marked KILLED.

    Raises:
        InputError: if the experiment was deleted in the store, the store fails, or a run of the caller's own is open.
    """
    if (found := mlflow.active_run()) is not None:
        raise InputError(f"MLflow run {found.info.run_id} is open in this process; end it by mlflow.end_run() first")
    prepare_store(tracking.uri)
    with store_errors(tracking.uri):
        mlflow.set_tracking_uri(mlflow_address(tracking.uri))  # what MLflow's models are logged and registered by
        client = MlflowClient()
        experiment_id = make_experiment(client, tracking)
        end_orphans(client)
        return client, experiment_id


def make_experiment(client: MlflowClient, tracking: Tracking) -> str:
    """Return the id of the experiment, which is created where it is not there.

    Raises:
        InputError: it was deleted in the store.
    """
    name, uri = tracking.experiment, tracking.uri
    # A server keeps the artifacts itself; beside an SQLite file they lie where the file lies.
    path = sqlite_path(uri)
    location = None if path is None else (path.parent / "mlruns").as_uri()
    if client.get_experiment_by_name(name) is None:
        try:
            client.create_experiment(name, location, view.tags())
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):  # then another process was quicker
                raise
    found = client.get_experiment_by_name(name)
    assert found is not None
    refuse_deleted(found, tracking)
    return str(found.experiment_id)
