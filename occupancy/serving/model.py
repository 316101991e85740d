"""A fitted model as MLflow serves it: a raw sensor frame in, counts with probabilities out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occupancy.config import Config, RoomModel
from occupancy.config.parsing import resolve
from occupancy.config.yaml_file import read_yaml
from occupancy.data.log import Log
from occupancy.data.schema import Schema
from occupancy.data.table import validate
from occupancy.errors import InputError
from occupancy.health.effects import answerable, believed
from occupancy.health.examine import examine
from occupancy.health.finding import Finding
from occupancy.health.profile import FILE, Profile, read_profile
from occupancy.models import load_estimator
from occupancy.models.estimator import SETTINGS, Estimator, read_settings
from occupancy.models.inputs import columns_read
from occupancy.models.rooms import predict_by_room
from occupancy.prediction import Prediction
from occupancy.serving.cells import check_types
from occupancy.serving.checksums import check_sums, seal
from occupancy.serving.columns import needed
from occupancy.serving.evidence import check_readings, held_for_long, without

SCHEMA_FILE = "schema.json"
"""The columns of the log beside the model, since the file that described them may not travel with it."""
_KEPT = ("data.schema", "data.max_count", "data.max_gap")  # what a fitted model can't do without
_MLMODEL = "MLmodel"


class ServedModel:
    """Takes sensor columns as the log's file has them and returns one row of predictions for each."""

    profile: Profile | None = None
    """What working sensors read in training; None if an earlier version of this package saved the model."""

    def __init__(self, folder: Path) -> None:
        """Load what `save` wrote.

        Warns:
            InputWarning: an earlier version of this package saved the model, without checksums.

        Raises:
            InputError: the model is damaged, altered, not whole, or of another version of this package.
        """
        try:
            _check_settings(folder)  # first: what a newer version saved is not called damaged
            check_sums(folder)
            self.estimator = load_estimator(folder)
            self.profile = read_profile(folder)
            self.schema = Schema.model_validate_json((folder / SCHEMA_FILE).read_text(encoding="utf-8"))
        except InputError as error:
            if str(error).startswith(str(folder)):
                raise
            raise InputError(f"{folder}: the model is damaged ({str(error)[:300]}); save it again") from None
        except FileNotFoundError as error:
            missing = Path(error.filename or SETTINGS).name
            raise InputError(f"{folder}: the model is not whole, {missing} is missing; save it again") from None
        except Exception as error:  # a damaged file breaks its reader in any way
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
            raise InputError(f"{folder}: the model is damaged ({said}); save it again") from error

    @property
    def most(self) -> int:
        """The largest count that the model tells."""
        return self.estimator.config.data.max_count

    @property
    def learned_counts(self) -> bool:
        """Whether the model learned from counts."""
        model = self.estimator.config.model
        return not (isinstance(model, RoomModel) and model.labels == "none")

    @property
    def read(self) -> list[str]:
        """The names of the sensors that the model reads; features of earlier versions may have read others."""
        if self.profile is not None:
            return list(self.profile.read)
        return [column.name for column in columns_read(self.estimator.config, self.schema)]

    def count(self, log: Log) -> tuple[Log, Prediction, list[Finding]]:
        """Return the people in a log by the readings that are believed, that log, and what is wrong with its sensors.

        Raises:
            InputError: the log is none that the model can read.
        """
        estimator, read = self.estimator, self.read
        # Counts that the log brings are for comparison alone: what is said of its sensors may not rest on them.
        unlabelled = replace(log, frame=log.frame.drop(columns=self.schema.count, errors="ignore"))
        findings, held = examine(unlabelled, self.profile, read), held_for_long(log, read)
        log = believed(log, findings)
        sensors = log.frame.drop(columns=self.schema.count, errors="ignore")
        prediction = without(predict_by_room(estimator, sensors, np.ones(len(sensors), bool), log), held)
        # Both say how sure they are of a row that lacks a sensor.
        knows_doubt = estimator.config.calibration is not None or isinstance(estimator.config.model, RoomModel)
        return log, answerable(prediction, findings, log, read, knows_doubt, estimator.history_s), findings

    def decode_by(self, decoding: str) -> None:
        """Let labels come from the model's chain in another way than it was trained for; see ``model.decoding``.

        Raises:
            InputError: the model has no chain.
        """
        from occupancy.models.neural.mlp_crf import ChainEstimator  # noqa: PLC0415 (late: other models need no torch)

        if not isinstance(self.estimator, ChainEstimator):
            config = self.estimator.config
            name = config.model.name
            if any(part is not None for part in (config.decoding, config.calibration, config.decision)):
                raise InputError(
                    f"model.decoding: got {decoding!r}, but what the model learned of its decoding, calibration or "
                    "decision is for the one it was trained with; drop it"
                )
            raise InputError(f"model.decoding: got {decoding!r}, but the model {name} has no chain to decode; drop it")
        self.estimator.settings = self.estimator.settings.model_copy(update={"decoding": decoding})

    def predict(self, frame: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return a table of predictions, as `Prediction.to_frame` has it, for every row of a raw frame.

        Of a model that was trained on a grid (``data.step``) they are for the rows of the grid: how many there are,
        and their times, are not those of the frame; the column ``time`` tells.

        Raises:
            RequestError: the frame does not pass the gate, or the model can't count its rows. It is an `InputError`,
                and MLflow's server answers it with 400.
        """
        from occupancy.serving.request_error import RequestError  # noqa: PLC0415 (late: training saves models without MLflow)

        try:
            return self._count(frame)
        except InputError as error:
            raise RequestError(str(error)) from None

    def _count(self, frame: pd.DataFrame) -> pd.DataFrame:
        settings = self.estimator.config.data
        if isinstance(frame, pd.DataFrame):  # what is none is refused by its type
            frame, _ = needed(frame, self.schema, self.read, settings)
        check_types(frame, self.schema)
        try:
            log = validate(frame, self.schema, settings, "the frame", labelled=False, in_use=True)
        except InputError as error:
            raise explain(error, "only `python -m occupancy.predict` takes {} for a fitted model") from None
        check_readings(log, self.read, "the frame")
        try:
            return self.count(log)[1].to_frame()
        except InputError as error:
            raise InputError(f"the frame: {error}") from None


def save(estimator: Estimator, schema: Schema, folder: Path, profile: Profile | None = None) -> None:
    """Write a fitted model, its log's schema and checksums of all files into a folder that `ServedModel` reads.

    Args:
        estimator: the fitted model.
        schema: the columns of its log.
        folder: an empty folder.
        profile: what working sensors read where it learned; without one, their health is hardly checked.
    """
    estimator.save(folder)
    (folder / SCHEMA_FILE).write_text(schema.model_dump_json(indent=2), encoding="utf-8")
    if profile is not None:
        (folder / FILE).write_text(profile.model_dump_json(indent=2), encoding="utf-8")
    seal(folder)


def find_saved(folder: Path) -> Path:
    """Return the folder that `save` wrote: the one given, or the one in an MLflow model.

    Raises:
        InputError: there is no such folder, or no model of this package in it.
    """
    try:
        if not folder.is_dir():
            raise InputError(f"{folder}: is not a folder; give one that a model was saved into")
        if (folder / SETTINGS).is_file():
            return folder
        for place in (folder, folder / "artifacts"):  # the second as MLflow's store has it
            if (place / _MLMODEL).is_file():
                return place / _data_of(place / _MLMODEL)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); give another folder") from None
    raise InputError(f"{folder}: holds no model, neither {SETTINGS} nor {_MLMODEL}; give one that has been saved into")


def explain(error: InputError, how: str = "") -> InputError:
    """Return the gate's mistake with what holds for a fitted model, which keeps some settings that the gate names.

    Args:
        error: what the gate said; it names settings under which the log would pass.
        how: where those that are not kept can be given, with ``{}`` for their names; empty: where the gate says.
    """
    named = list(dict.fromkeys(re.findall(r"\bdata\.\w+", str(error))))
    kept = [key for key in named if key in _KEPT]
    free = [key for key in named if key not in _KEPT]
    said = [how.format(", ".join(free))] if how and free else []
    if kept:
        said.append(f"a fitted model keeps its {', '.join(kept)}, so bring the log to what it was trained on")
    return InputError("; ".join([str(error), *said]))


def _check_settings(folder: Path) -> None:
    """Check that this version can read the settings; a newer version may have saved others."""
    tree = read_settings(folder).value("config")
    if not isinstance(tree, dict):
        raise InputError(f"config: got a {type(tree).__name__}, expected keys with values")
    try:
        resolve(Config, tree, str(folder / SETTINGS))
    except InputError as error:
        raise InputError(f"{error}; another version of this package saved the model, load it with that one") from None


def _data_of(path: Path) -> str:
    try:
        flavor = read_yaml(path)["flavors"]["python_function"]
        loader, data = flavor["loader_module"], flavor["data"]
    except (KeyError, TypeError):
        loader = None
    if loader != __package__:
        raise InputError(f"{path}: describes a model of another package; give one that {__package__} saved")
    return str(data)
