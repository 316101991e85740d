"""A fitted model as MLflow serves it: a raw sensor frame in, counts with probabilities out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occupancy.data.schema import Schema
from occupancy.data.table import validate
from occupancy.models import load_estimator
from occupancy.models.estimator import Estimator

SCHEMA_FILE = "schema.json"
"""The columns of the log beside the model, since the file that described them may not travel with it."""


class ServedModel:
    """Takes sensor columns as the log's file has them and returns one row of predictions for each."""

    def __init__(self, folder: Path) -> None:
        """Load what `save` wrote."""
        self.estimator = load_estimator(folder)
        self.schema = Schema.model_validate_json((folder / SCHEMA_FILE).read_text(encoding="utf-8"))

    def predict(self, frame: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return time, count, mean, std, lower, upper and p0..p{C-1} for every row of a raw frame.

        Raises:
            InputError: the frame does not pass the gate.
        """
        log = validate(frame, self.schema, self.estimator.config.data, "the frame", labelled=False)
        return self.estimator.predict(log.frame, np.ones(len(log.frame), bool)).to_frame()


def _load_pyfunc(folder: str) -> ServedModel:
    """Return the served model; the name is MLflow's."""
    return ServedModel(Path(folder))


def save(estimator: Estimator, schema: Schema, folder: Path) -> None:
    """Write a fitted model and its log's schema into a folder that `ServedModel` reads."""
    estimator.save(folder)
    (folder / SCHEMA_FILE).write_text(schema.model_dump_json(indent=2), encoding="utf-8")
