"""A small office whose sensors work, what a model would learn of them, and ways to break them."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pandas as pd

from occupancy.config import Room, Simulation
from occupancy.data.log import Log
from occupancy.data.schema import Column, Schema
from occupancy.data.simulation import simulate
from occupancy.health.examine import examine
from occupancy.health.finding import Finding
from occupancy.health.profile import Profile, learn

NAMES = {
    "S1_Temp": "temperature",
    "S5_CO2": "co2",
    "S6_PIR": "motion",
    "S1_Sound": "sound",
    "Room_Occupancy_Count": "people",
}
SCHEMA = Schema(
    name="office",
    time=["when"],
    columns=[
        Column(name="temperature", kind="temperature", unit="degC"),
        Column(name="co2", kind="co2", unit="ppm"),
        Column(name="motion", kind="motion", unit="0 or 1"),
        Column(name="sound", kind="sound", unit="V"),
    ],
    count="people",
)
TEST = "2024-01-03 09:00"
"""The rows from here on are not learned from."""


@cache
def office() -> Log:
    """Return three days of an office, a row a minute."""
    frame = simulate(Simulation(days=3, seed=0, room=Room(step_s=60, max_people=2))).rename(columns=NAMES)
    return log_of(frame[[*NAMES.values()]])


@cache
def profile() -> Profile:
    """Return what is learned of the first two days."""
    return learn(office(), np.asarray(office().times < pd.Timestamp("2024-01-03")), SCHEMA.sensors)


def log_of(frame: pd.DataFrame, schema: Schema = SCHEMA, max_gap: float = 120.0) -> Log:
    """Return a log of readings, NaN where one is missing."""
    sensors = [name for name in schema.sensors if name in frame.columns]
    return Log("office.csv", schema.name, schema, frame, frame[sensors].isna(), max_gap)


def third_day(labels: bool = False) -> pd.DataFrame:
    """Return the readings of the third day from nine on."""
    frame = office().frame.loc[TEST:]
    return frame if labels else frame.drop(columns="people")


def found(frame: pd.DataFrame, profile: Profile | None = None) -> list[Finding]:
    """Return what is wrong with the sensors of an office."""
    return examine(log_of(frame), profile)


def changed(frame: pd.DataFrame, sensor: str, values: object, start: int = 0, end: int | None = None) -> pd.DataFrame:
    """Return readings of which those of a sensor, in some rows, are others."""
    column = frame[sensor].to_numpy(np.float64, copy=True)
    column[start:end] = values
    return frame.assign(**{sensor: column})


def alone(**readings: np.ndarray) -> Log:
    """Return a log of some sensors, a row a minute."""
    rows = len(next(iter(readings.values())))
    index = pd.date_range("2024-01-08", periods=rows, freq="60s", name="time")
    columns = [column for column in SCHEMA.columns if column.name in readings]
    schema = SCHEMA.model_copy(update={"columns": columns})
    return log_of(pd.DataFrame(readings, index).astype(np.float64), schema)


def with_unit(log: Log, unit: str) -> Log:
    """Return a log of one sensor in another unit."""
    (column,) = log.schema.columns
    schema = log.schema.model_copy(update={"columns": [column.model_copy(update={"unit": unit})]})
    return dataclasses.replace(log, schema=schema)
