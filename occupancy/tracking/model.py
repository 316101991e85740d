"""Fitted models in MLflow, logged to a run."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, TensorSpec
from mlflow.types import Schema as Signature
from mlflow.types.schema import AnyType

from occupancy import serving
from occupancy.config import Config
from occupancy.data.log import Log
from occupancy.data.schema import Schema
from occupancy.prediction import COLUMNS
from occupancy.tracking.guard import RECORDED, store_errors

_NOT_IN_A_NAME = re.compile(r"[/:.%\"']")  # MLflow refuses a model's name with one of these
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


def log_model(run_id: str, config: Config, log: Log, part: str, rows: int, files: Mapping[str, bytes]) -> str:
    """Log a saved model to a run under the name of its config, such as ``best-fold-2``, and return its id.

    Its tags say what it was fitted on: the ``dataset``, its ``digest`` and how many labelled ``rows`` of it.

    Args:
        run_id: the run.
        config: the experiment.
        log: the log that holds the rows.
        part: what of the experiment the model is: ``fold-2``, or ``final``.
        rows: how many labelled rows the model was fitted on.
        files: the saved model, by path.

    Raises:
        InputError: the store fails.
    """
    with store_errors(config.tracking.uri, RECORDED), tempfile.TemporaryDirectory() as folder:
        _unpack(files, Path(folder))
        client = MlflowClient()
        run = client.get_run(run_id)
        # Made here: MLflow would put it into the experiment of an open run, and else into one of its own, whose files
        # lie in the working directory.
        made = client.create_logged_model(
            run.info.experiment_id,
            _NOT_IN_A_NAME.sub("-", f"{config.name}-{part}"),
            run_id,
            {"dataset": log.name, "digest": log.digest, "rows": str(rows)},
            run.data.params,
        )
        Model.log(  # not pyfunc.log_model, which logs to the open run only
            None,
            mlflow.pyfunc,
            model_id=made.model_id,
            run_id=run_id,
            loader_module=serving.__name__,
            data_path=folder,
            signature=signature(config, log.schema),
            pip_requirements=_requirements(),
        )
    return str(made.model_id)


def _requirements() -> list[str]:
    """Return what the model needs; naming the versions spares MLflow from finding them out in a process of its own."""
    return [f"{package}=={version(package).partition('+')[0]}" for package in _REQUIRED]


def _unpack(files: Mapping[str, bytes], folder: Path) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


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
