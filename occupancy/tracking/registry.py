"""MLflow's registry: the model to use under its name, registered and found again."""

from __future__ import annotations

import difflib
import json
import warnings
from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from occupancy.config import Tracking
from occupancy.data.source import SIMULATED
from occupancy.errors import InputError, InputWarning, shortened
from occupancy.tracking.guard import RECORDED, store_errors
from occupancy.tracking.lookup import UNKNOWN, Recorded, logged_model, title_of
from occupancy.tracking.store import asked, check_there

CURRENT = "current"
"""The alias of a registered model's version to use; MLflow keeps ``latest`` for itself."""

_LOGGED = "models:/"  # what a version was made of begins so, if that was a logged model
_NAMED_AT_ONCE = 10


def find_registered(tracking: Tracking, given: str) -> Recorded:
    """Return a version of a registered model.

    Args:
        tracking: the store.
        given: ``name@alias``, ``name:version``, or the name alone, which means the alias `CURRENT`.

    Raises:
        InputError: there is no such store, model, alias or version.
    """
    sign = next((sign for sign in "@:" if sign in given), "")
    name, _, which = given.rpartition(sign) if sign else (given, "@", CURRENT)
    if not name.strip() or not which.strip():
        raise InputError(
            f"--model: got {shortened(given)}, expected NAME@ALIAS, NAME:VERSION or NAME of a registered model, "
            f"such as occupancy-best@{CURRENT}, or the folder of a saved model"
        )
    try:
        check_there(tracking.uri)
    except InputError as error:
        raise InputError(f"--model: {given} is not a folder here, so it is looked up in a store; {error}") from None
    with asked(tracking) as client:
        registered = _find(client, name, tracking.shown_uri)
        try:
            ask = client.get_model_version if sign == ":" else client.get_model_version_by_alias
            version = ask(name, which)
        except MlflowException as error:
            if error.error_code not in UNKNOWN:
                raise
            raise _no_version(registered, f"{'version' if sign == ':' else 'alias'} {which!r}") from None
        source = version.source or ""
        model = logged_model(client, source.removeprefix(_LOGGED)) if source.startswith(_LOGGED) else None
        title = title_of(name if sign == ":" else f"{name}@{which}", model, f"version {version.version}")
        return Recorded(title, client.get_model_version_download_uri(name, str(version.version)))


def _find(client: MlflowClient, name: str, shown: str) -> RegisteredModel:
    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code not in UNKNOWN:
            raise
    names = sorted(model.name for model in client.search_registered_models(max_results=1_000))
    unknown = f"--model: {name} is neither a folder here nor a registered model in {shown}"
    if not names:
        raise InputError(f"{unknown}, which has none yet; `occupancy train` registers one, or give a run by --run")
    near = difflib.get_close_matches(name, names, 1)
    raise InputError(f"{unknown};{f' did you mean {near[0]}?' if near else ''} there are {_listed(names)}")


def _no_version(registered: RegisteredModel, wanted: str) -> InputError:
    """Return what to tell of a registered model that lacks an alias or version."""
    name = registered.name
    known = [f"{name}@{alias}" for alias in sorted(registered.aliases)]
    known += [f"{name}:{newest.version}" for newest in registered.latest_versions or []]
    if not known:
        return InputError(f"--model: {name} is registered, but has no version; `occupancy train` makes one")
    return InputError(f"--model: {name} has no {wanted}; give one of {_listed(known)}")


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED_AT_ONCE
    return ", ".join(names[:_NAMED_AT_ONCE]) + (f" and {more:,} more" if more > 0 else "")


def register(client: MlflowClient, name: str, model_id: str, run_id: str, tags: Mapping[str, str]) -> str:
    """Make a logged model the current version of a registered one, and return what commands call it.

    A model of a simulated log does not take the alias from one of a real log.

    Args:
        client: of the store.
        name: of the registered model, which is made if there is none.
        model_id: the logged model.
        run_id: the run that it was logged to.
        tags: of the version; ``log`` is the name of its log.

    Raises:
        InputError: the store fails.

    Warns:
        InputWarning: if the alias stays where it was.
    """
    with store_errors(client.tracking_uri, RECORDED):
        return _register(client, name, model_id, run_id, tags)


def _register(client: MlflowClient, name: str, model_id: str, run_id: str, tags: Mapping[str, str]) -> str:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    model = client.get_logged_model(model_id)
    made = client.create_model_version(name, model.model_uri, run_id, dict(tags), model_id=model_id)
    # What MLflow's page of the model says it is registered as.
    versions = [*json.loads(model.tags.get(MLFLOW_MODEL_VERSIONS, "[]")), {"name": name, "version": made.version}]
    client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: json.dumps(versions)})
    if tags.get("log") == SIMULATED and (real := _current_of_a_real_log(client, name)) is not None:
        warnings.warn(
            f"{name}@{CURRENT} stays version {real}, which learned from a real log; the model of the simulated log is "
            f"{name}:{made.version}",
            InputWarning,
            stacklevel=3,
        )
        return f"{name}:{made.version}"
    try:
        client.set_registered_model_alias(name, CURRENT, made.version)
    except MlflowException:  # of two that set a new alias at once, the database refuses one; then the alias is there
        client.set_registered_model_alias(name, CURRENT, made.version)
    return f"{name}@{CURRENT}"


def _current_of_a_real_log(client: MlflowClient, name: str) -> str | None:
    """Return the version that is current, if it learned from a log that was not simulated."""
    version = client.get_registered_model(name).aliases.get(CURRENT)
    if version is None or client.get_model_version(name, version).tags.get("log") == SIMULATED:
        return None
    return str(version)
