"""A model that learns from the sensors of the very log that it counts: no counts, and no training before."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np

from occupancy.config import Config, RoomModel
from occupancy.data.folds import Fold
from occupancy.data.reading import Cells
from occupancy.data.schema import Schema
from occupancy.data.table import validate_cells
from occupancy.errors import InputError
from occupancy.health.effects import believed
from occupancy.health.examine import examine
from occupancy.models.estimator import NO_STEPS
from occupancy.models.inputs import columns_read
from occupancy.models.room_model.estimator import RoomModelEstimator
from occupancy.serving.columns import needed
from occupancy.serving.model import save

OUTDOORS_PPM = 380.0, 500.0  # what a calibrated sensor reads outdoors, in the country and in a town
FEW_HOURS = 23.0  # of sensors: a day of rows ends a step before the next one


def check_unlabelled(config: Config) -> RoomModel:
    """Return the settings of a model that can count a log without a label.

    Raises:
        InputError: the experiment asks for another model.
    """
    if isinstance(config.model, RoomModel):
        for key in ("decoding", "calibration", "decision"):
            if getattr(config, key) is not None:
                raise InputError(f"--config: {key} is learned from labels, and none is used here; set {key}=null")
        return config.model.model_copy(update={"labels": "none"})
    raise InputError(
        f"--config: the model {config.model.name} has to be trained first, by occupancy train --config; only "
        "room_model counts a log that nobody labelled, for example configs/room.yaml"
    )


def learn_unlabelled(config: Config, schema: Schema, cells: Cells, folder: Path) -> list[str]:
    """Write a model that learned from the sensors of a log into an empty folder, and return what to say of it.

    Args:
        config: the experiment, with the settings with which the log is read.
        schema: the meaning of the columns of the log; counts that it has are not used.
        cells: what its files hold.
        folder: for the model, see `ServedModel`.

    Raises:
        InputError: the log does not pass the gate, or has no sensor that the model reads.
    """
    settings = check_unlabelled(config)
    config = config.model_copy(update={"model": settings})
    read = [column.name for column in columns_read(config, schema)]
    frame = needed(cells.frame, schema, read, config.data)[0].drop(columns=schema.count, errors="ignore")
    log = validate_cells(dataclasses.replace(cells, frame=frame), schema, config.data, labelled=False, in_use=True)
    estimator = RoomModelEstimator(config, settings)
    estimator.check(log)
    log = believed(log, examine(log, None, read))
    everything = np.ones(len(log.frame), bool)
    estimator.fit(Fold(1, log, everything, ~everything, ~everything), NO_STEPS)
    save(estimator, schema, folder)
    return [_assumed(settings, estimator), _found(estimator)]


def _assumed(settings: RoomModel, estimator: RoomModelEstimator) -> str:
    """Return that no count was used, and what stands in for them."""
    volume_m3 = estimator.volume_m3
    room = f"a room of {volume_m3:g} m3"
    if math.isnan(volume_m3):
        room = "a room of 15 to 300 m3, so counts are wide; give model.volume_m3=... if you know it"
    most = estimator.classes - 1
    people = f"{most:,} {'person' if most == 1 else 'people'} (data.max_count)"
    breath = f"{settings.generation_l_per_h:g} l of CO2 an hour from each (model.generation_l_per_h)"
    return f"no count was used; assumed: at most {people}, {breath}, and {room}"


def _found(estimator: RoomModelEstimator) -> str:
    """Return what the sensors told of the room."""
    found = estimator.found()
    hours = f"found in {found['seen_h']:,.1f} hours of sensors"
    if found["seen_h"] < FEW_HOURS:
        hours += " (less than a day: what is assumed decides more than what was seen)"
    if all(column.kind != "co2" for column in estimator.features.columns):
        return f"{hours}: nothing of the air, for there is no CO2 sensor; counts rest on motion and sound"
    outdoors = f"{found['outdoor_ppm']:.0f} ppm of CO2 outdoors"
    if not OUTDOORS_PPM[0] <= found["outdoor_ppm"] <= OUTDOORS_PPM[1]:
        outdoors += " (there are about 420; is the sensor off, or the room never empty?)"
    air = f"{found['air_changes_per_h']:.2g} air changes an hour"
    return f"{hours}: {air}, {outdoors}; one person adds {found['person_ppm']:.0f} ppm in the end"
