"""What the MLflow store holds about finished experiments: their scores, settings and predictions."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.entities import Run as Found
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from occupancy.config import EACH_ROOM, LEAVE_ROOMS_OUT, Tracking
from occupancy.errors import InputError
from occupancy.tracking import store
from occupancy.tracking.sqlite import mlflow_address
from occupancy.tracking.stored_runs import FoldRows, FoldRun, Run, Unusable

PREDICTIONS = "predictions.csv"
_PAGE = 1_000


def find_experiment(tracking: Tracking) -> Experiment:
    """Return the experiment as MLflow knows it.

    Raises:
        InputError: there is no store, it holds no such experiment, or it does not answer as MLflow does.
    """
    with store.asked(tracking) as client:
        return _experiment(client, tracking)


def read_runs(tracking: Tracking) -> list[Run]:
    """Return the experiments that a store recorded, finished or not, the latest first.

    Raises:
        InputError: there is no store, it holds no such experiment, or it does not answer as MLflow does.
    """
    with store.asked(tracking) as client:
        found = list(_all_runs(client, _experiment(client, tracking).experiment_id))
    folds: dict[str, list[Found]] = {}
    for run in found:
        if (parent := run.data.tags.get(MLFLOW_PARENT_RUN_ID)) is not None:
            folds.setdefault(parent, []).append(run)
    return [_run(run, folds.get(run.info.run_id, [])) for run in found if MLFLOW_PARENT_RUN_ID not in run.data.tags]


def read_predictions(uri: str, run: Run) -> list[FoldRows]:
    """Return the test rows of each of a run's folds, the first fold's first.

    Args:
        uri: the store's address.
        run: a run of that store.

    Raises:
        Unusable: the run has no folds, or the predictions of one are not there or no such table.
        InputError: the store does not answer any more.
    """
    if run.tags.get("folds") == EACH_ROOM:
        raise Unusable(
            "has a model per room, of which scores alone are kept, in the run's rooms.csv",
            f"to compare models over rooms, train and compare them with data.folds={LEAVE_ROOMS_OUT}",
        )
    if not run.folds:
        raise Unusable("the runs of its folds are gone")
    return [_rows(uri, fold) for fold in run.folds]


def _experiment(client: MlflowClient, tracking: Tracking) -> Experiment:
    found = client.get_experiment_by_name(tracking.experiment)
    if found is None:
        others = [other.name for other in client.search_experiments()]
        got = f"got {tracking.experiment!r}, which {tracking.shown_uri} does not hold"
        raise InputError(f"tracking.experiment: {got}; there are {', '.join(sorted(others))}")
    store.refuse_deleted(found, tracking)
    return found


def _all_runs(client: MlflowClient, experiment_id: str) -> Iterator[Found]:
    token = None
    while True:
        page = client.search_runs(
            [experiment_id], max_results=_PAGE, order_by=["attributes.end_time DESC"], page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def _run(run: Found, folds: Sequence[Found]) -> Run:
    numbered = [
        FoldRun(int(fold.data.tags["fold"]), fold.data.metrics, fold.info.artifact_uri)
        for fold in folds
        if fold.data.tags.get("fold", "").isdigit()
    ]
    return Run(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        status=run.info.status,
        ended=run.info.end_time or 0,
        tags=run.data.tags,
        params=run.data.params,
        metrics=run.data.metrics,
        folds=sorted(numbered, key=lambda fold: fold.number),
    )


def _rows(uri: str, fold: FoldRun) -> FoldRows:
    where = f"{PREDICTIONS} of fold {fold.number}"
    try:
        text = _text(fold.artifact_uri, PREDICTIONS, uri)
        table = pd.read_csv(io.StringIO(text), float_precision="round_trip")
        if table.isna().any(axis=None):  # a file that was cut off; numpy would make numbers of it
            raise ValueError
        # The probabilities p0..p{C-1} are the last columns but one that not every model has.
        return FoldRows(
            number=fold.number,
            times=pd.to_datetime(table["time"], format="ISO8601").to_numpy("datetime64[ns]"),
            truth=table["truth"].to_numpy(np.int64),
            label=table["count"].to_numpy(np.int64),
            probs=table.loc[:, "p0":].drop(columns="answered", errors="ignore").to_numpy(np.float64),
            mean=table["mean"].to_numpy(np.float64),
            std=table["std"].to_numpy(np.float64),
            epistemic=table.get("epistemic", table["std"] * np.nan).to_numpy(np.float64),
        )
    except (OSError, MlflowException):
        store.check_store(uri)
        raise Unusable(f"{where} is gone") from None
    except (ValueError, KeyError):  # pandas's own errors are ValueErrors
        raise Unusable(f"{where} can't be read") from None


def _text(artifact_uri: str, name: str, tracking_uri: str) -> str:
    if urlsplit(artifact_uri).scheme in {"", "file"}:  # MLflow would first copy the file
        path = Path(local_file_uri_to_path(artifact_uri)) / name  # type: ignore[no-untyped-call]
        return path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        there = f"{artifact_uri.rstrip('/')}/{name}"
        copy = mlflow.artifacts.download_artifacts(there, dst_path=folder, tracking_uri=mlflow_address(tracking_uri))
        return Path(copy).read_text(encoding="utf-8")
