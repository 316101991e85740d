"""The record of an experiment in MLflow: a parent run, and under it one run for each fold."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.protos.databricks_pb2 import BAD_REQUEST, RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.types import ColSpec, DataType, TensorSpec
from mlflow.types import Schema as Signature
from mlflow.types.schema import AnyType
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from occupancy import serving
from occupancy.config import Config, Tracking
from occupancy.data.folds import Fold, digest_of
from occupancy.data.schema import Schema
from occupancy.data.table import Log
from occupancy.errors import InputError
from occupancy.execution.fold import FoldResult, costs
from occupancy.models.estimator import Estimator
from occupancy.plots.prediction import confusion, predictions
from occupancy.plots.training import learning_curves, transitions
from occupancy.prediction import COLUMNS
from occupancy.serving import model
from occupancy.tracking import view
from occupancy.tracking.run import active_run_id, code_tags, defined, end_orphans, open_run, process_tags
from occupancy.tracking.store import impatient, is_made, no_answer, prepare_store, refuse_deleted, sqlite_path

_REQUIRED = (
    "numpy",
    "pandas",
    "pandera",
    "pydantic",
    "pyro-ppl",
    "pytorch-crf",
    "pytorch-lightning",
    "scikit-learn",
    "scipy",
    "skops",
    "torch",
)
_DRAWN_ROOMS = 3
_CONTEXT = "training and testing"
_NOT_IN_A_NAME = re.compile(r"[/:.%\"']")  # MLflow refuses a model's name with one of these
_METRICS_AT_ONCE = 1000  # MLflow takes no more


class Record:
    """The open parent run of an experiment.

    Attributes:
        run_id: its id in MLflow.
    """

    def __init__(self, config: Config, log: Log, run_id: str, experiment_id: str, tags: Mapping[str, str]) -> None:
        self.run_id = run_id
        self._experiment_id = experiment_id
        self._config = config
        self._log = log
        self._tags = dict(tags)

    @contextmanager
    def fold(self, number: int) -> Iterator[None]:
        """Keep the run of a fold open; `log_fold` writes into it."""
        with open_run(f"fold {number}", {**self._tags, "fold": str(number)}, self._experiment_id, nested=True):
            _log_dataset(self._log)
            yield

    def log_fold(self, result: FoldResult) -> None:
        """Record what a fold gave, in its open run: scores, curves, figures, predictions and the model."""
        run_id = active_run_id()
        mlflow.log_params({"chosen_epochs": result.estimator.chosen_epochs, "test_rows": len(result.truth)})
        mlflow.log_metrics({**defined(result.metrics), **costs([result])})
        _log_history(run_id, result)
        for name, figure in _figures(result, self._config).items():
            mlflow.log_figure(figure, f"figures/{name}.png")
        table = result.prediction.to_frame()
        table.insert(1, "truth", result.truth)
        if rooms := self._log.rooms:  # whose times are shifted
            place = np.searchsorted([each.end for each in rooms], np.flatnonzero(result.fold.test), side="right")
            table.insert(2, "room", [rooms[each].name for each in place])
            table.insert(3, "room_time", table["time"] - pd.Series([rooms[each].shift for each in place]))
        mlflow.log_text(table.to_csv(index=False), "predictions.csv")
        learned = result.fold.train | result.fold.validation if self._config.learns_validation else result.fold.train
        log_model(result.estimator, self._config, self._log, f"fold-{result.fold.number}", int(learned.sum()))

    def log_summary(
        self, metrics: Mapping[str, float], description: str, timeline: Figure, causal: bool = True
    ) -> None:
        """Record the averaged and pooled scores and costs, the table of the folds, and the folds in time.

        Args:
            metrics: by key; what is undefined is left out.
            description: Markdown for the run's page.
            timeline: the figure of the folds.
            causal: whether every prediction rests on rows up to its own alone.
        """
        mlflow.log_metrics(defined(metrics))
        mlflow.set_tags({MLFLOW_RUN_NOTE: description, "causal": str(causal)})
        mlflow.log_figure(timeline, "figures/folds.png")

    def log_rooms(self, table: pd.DataFrame, figure: Figure) -> None:
        """Record how each of many rooms did that were tested without having been seen."""
        mlflow.log_text(table.to_csv(index=False), "rooms.csv")
        mlflow.log_figure(figure, "figures/rooms.png")


def check_experiment(config: Config) -> None:
    """Find out whether a store that `check_store` accepts can take the experiment, without creating anything.

    Raises:
        InputError: the experiment was deleted in the store, or the store does not answer as MLflow does.
    """
    name, uri = config.tracking.experiment, config.tracking.uri
    path = sqlite_path(uri)
    if path is not None and not is_made(path):
        return
    try:
        with impatient():
            found = MlflowClient(uri).get_experiment_by_name(name)
    except MlflowException as error:
        raise no_answer(config.tracking, error) from None
    if found is not None:
        refuse_deleted(found, config.tracking)


def open_experiment(tracking: Tracking) -> tuple[MlflowClient, str]:
    """Return a client of the store and the id of the MLflow experiment, made if there was none.

    Runs that an outright killed process of this machine left open are marked KILLED.

    Raises:
        InputError: the experiment was deleted in the store.
    """
    prepare_store(tracking.uri)
    mlflow.set_tracking_uri(tracking.uri)
    client = MlflowClient()
    experiment_id = make_experiment(client, tracking)
    end_orphans(client)
    return client, experiment_id


@contextmanager
def experiment(config: Config, log: Log, folds: Sequence[Fold]) -> Iterator[Record]:
    """Open the parent run of an experiment on the folds of a log.

    It ends as FINISHED, as FAILED where an error passes through, as KILLED where the user stops it.
    Runs that an outright killed process of this machine left open are marked KILLED first.

    Raises:
        InputError: the experiment was deleted in the store, or a run of the caller's own is open.
    """
    if (found := mlflow.active_run()) is not None:
        raise InputError(f"MLflow run {found.info.run_id} is open in this process; end it by mlflow.end_run() first")
    _, experiment_id = open_experiment(config.tracking)
    tags = {
        "protocol": config.protocol,
        "dataset": log.name,
        "digest": log.digest,
        "folds": config.data.folds,
        "folds_digest": digest_of(folds),
        "model": config.model.name,
        "config_key": config.key,
        # One setting for all folds was chosen in sight of rows that are some other fold's test.
        "selection": "shared",
        **process_tags(),
        **code_tags(),
    }
    with open_run(config.name, tags, experiment_id) as run_id:
        mlflow.log_params(config.flat())
        mlflow.log_text(config.to_yaml(), "config.yaml")
        _log_dataset(log)
        yield Record(config, log, run_id, experiment_id, tags)


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


def _log_dataset(log: Log) -> None:
    dataset = from_pandas(log.frame, name=log.name, digest=log.digest, targets=log.schema.count)
    try:
        mlflow.log_input(dataset, context=_CONTEXT)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(BAD_REQUEST):
            raise
        # Of two runs that bring a new log to an experiment at once, the database refuses one; then it is no longer new.
        mlflow.log_input(dataset, context=_CONTEXT)


def _log_history(run_id: str, result: FoldResult) -> None:
    history = result.estimator.history
    if history.empty:
        return
    now = int(time.time() * 1000)
    # Trainings of several lengths to choose from are told apart by their length: search_8, search_12.
    lengths = history.groupby("stage")["epochs"].transform("nunique")
    stage = history["stage"].where(lengths == 1, history["stage"] + "_" + history["epochs"].astype(str))
    means = history.groupby([stage, "epoch"])[["train_loss", "stop_loss"]].mean().reset_index()
    losses = means.melt(["stage", "epoch"]).dropna()
    metrics = [
        Metric(f"{row['stage']}/{row['variable']}", row["value"], now, row["epoch"])
        for row in losses.to_dict("records")
    ]
    client = MlflowClient()
    for start in range(0, len(metrics), _METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + _METRICS_AT_ONCE])
    client.log_text(run_id, history.to_csv(index=False), "history.csv")


def _figures(result: FoldResult, config: Config) -> dict[str, Figure]:
    where = f"{config.name}, fold {result.fold.number} of {config.data.folds}"
    history = result.estimator.history
    prediction, truth, title = result.prediction, result.truth, f"{where}: predicted against true count"
    if result.fold.log.rooms:
        first, names = _first_rooms(result)
        prediction, truth, title = prediction.at(first), truth[first], f"{title}; {names}, their times shifted"
    figures = {
        "predictions": predictions(prediction, truth, title, result.fold.log.max_gap),
        "confusion": confusion(
            result.prediction.label, result.truth, config.data.max_count + 1, f"{where}: which count is taken for which"
        ),
    }
    if not history.empty:
        figures["learning_curves"] = learning_curves(history, result.estimator.chosen_epochs)
    chain = transitions(history, config.data.max_count + 1, f"{where}: what the chain gives up by changing its label")
    return figures if chain is None else {**figures, "transitions": chain}


def _first_rooms(result: FoldResult) -> tuple[slice, str]:
    """Return the rows and names of the first rooms that a fold tested: of all, nobody could see any in one figure."""
    tested = [place for place in result.fold.log.rooms if result.fold.test[place.first]][:_DRAWN_ROOMS]
    return slice(0, sum(place.end - place.first for place in tested)), ", ".join(place.name for place in tested)


def log_model(estimator: Estimator, config: Config, log: Log, part: str, rows: int) -> None:
    """Record a fitted model in the open run, under the name of its config, such as ``best-fold-2``.

    Its tags say what it was fitted on: the ``dataset``, its ``digest`` and how many labelled ``rows`` of it.

    Args:
        estimator: the fitted model.
        config: the experiment.
        log: the log that holds the rows.
        part: what of the experiment the model is: ``fold-2``, or ``final``.
        rows: how many labelled rows the model was fitted on.
    """
    with tempfile.TemporaryDirectory() as folder:
        model.save(estimator, log.schema, Path(folder))
        mlflow.pyfunc.log_model(
            name=_NOT_IN_A_NAME.sub("-", f"{config.name}-{part}"),
            tags={"dataset": log.name, "digest": log.digest, "rows": str(rows)},
            loader_module=serving.__name__,
            data_path=folder,
            signature=signature(config, log.schema),
            # Naming the versions spares MLflow from finding them out in a process of its own.
            pip_requirements=[f"{package}=={version(package).partition('+')[0]}" for package in _REQUIRED],
        )


def signature(config: Config, schema: Schema) -> ModelSignature:
    """Return the columns that the served model takes and gives, by name and type.

    Inputs have any type, for the gate behind them says better what is wrong with a cell: MLflow
    refuses whole numbers in a column of type ``double``, and a CSV holds a sensor's whole readings so.
    """
    cell = AnyType()  # type: ignore[no-untyped-call]
    inputs: list[ColSpec | TensorSpec] = [ColSpec(cell, column) for column in schema.time]
    inputs += [ColSpec(cell, column.name, required=not column.optional) for column in schema.columns]
    numbers = [*COLUMNS[2:], *(f"p{c}" for c in range(config.data.max_count + 1))]
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.datetime, "time"),
        ColSpec(DataType.long, "count"),
        *(ColSpec(DataType.double, name) for name in numbers),
        *([ColSpec(DataType.boolean, "answered")] if config.calibration is not None else []),
    ]
    return ModelSignature(Signature(inputs), Signature(outputs))
