"""Sensor columns as inputs of a model: slopes are computed again, and all are scaled on training rows."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.preprocessing import MinMaxScaler

from occupancy.arrays import OUTSIDE, Floats, Ints, Rows
from occupancy.config import PHYSICS, Kind
from occupancy.data import rolling
from occupancy.data.schema import Column, Schema
from occupancy.data.table import Log
from occupancy.data.times import step_of, stretches
from occupancy.errors import InputError
from occupancy.features.learned import STEPS_S, Learned

PHYSICS_KINDS: tuple[Kind, ...] = ("co2", "sound", "motion", "temperature")
"""The kinds of sensors that `PHYSICS` is computed from."""


@dataclass(frozen=True)
class Features:
    """Sensor columns as inputs of a model, with the scaling of training rows.

    Attributes:
        columns: the sensor columns, in the order of the matrix (F).
        low: (F,) smallest value of each column on the training rows, in its unit.
        high: (F,) largest value of each column on the training rows, in its unit.
        typical: median on the training rows of each column that is read, by name; it replaces a missing reading
            that has no earlier reading to hold.
        step_s: the step of the training log in seconds, to convert spans to samples.
    """

    columns: tuple[Column, ...]
    low: Floats
    high: Floats
    typical: dict[str, float]
    step_s: float

    @classmethod
    def fit(cls, log: Log, rows: Rows, selection: str | Sequence[Kind]) -> Self:
        """Return the selected columns of a log, scaled on the given rows.

        Args:
            log: the log; only the given rows are read.
            rows: (N,) the training rows.
            selection: ``all``, ``no_light``, or kinds of columns.

        Raises:
            InputError: if the log has no column of the selection.
        """
        columns = columns_of(log, selection)
        step_s = step_of(log.times[rows], log.max_gap)
        sources = sorted({column.slope_of or column.name for column in columns})
        frame = log.frame[sources].copy()
        typical = {name: float(frame.loc[rows, name].median()) for name in sources}
        for name in sources:
            # Only cells that the gate has marked as missing: any other NaN is in a row that may not be read.
            frame.loc[log.missing[name] & frame[name].isna(), name] = typical[name]
        stretch = stretches(log.times, rows, log.max_gap)
        raw = [values[rows] for values in _unscaled(frame, columns, stretch, step_s)]
        low, high = (np.array([extreme(values) for values in raw]) for extreme in (np.min, np.max))
        return cls(columns, low, high, typical, step_s)

    def unscaled(self) -> Self:
        """Return the same features without scaling, in the units of the sensors."""
        width = len(self.columns)
        return dataclasses.replace(self, low=np.zeros(width), high=np.ones(width))

    def transform(self, frame: pd.DataFrame, stretch: Ints) -> NDArray[np.float32]:
        """Return the scaled inputs (N, F): 0 to 1 on the training rows; other rows can be outside of it.

        Rows outside every stretch are NaN.

        Args:
            frame: sensors on a time index, N rows.
            stretch: (N,) the stretch of each row; slopes do not reach past its start.

        Raises:
            InputError: if the frame lacks a column that the model was trained on, or a reading is so large that an
                input is not finite.
        """
        lacking = [column.name for column in self.columns if not _is_computable(column, set(frame.columns))]
        if lacking:
            raise InputError(f"missing column {', '.join(lacking)}, which the model was trained with; add it")
        # A scaler fitted on the two extremes equals a scaler fitted on all training rows.
        scaler = MinMaxScaler().fit(np.stack([self.low, self.high]))
        readings = frame[list(self.typical)].fillna(self.typical)
        scaled = np.empty((len(frame), len(self.columns)), np.float32)
        for position, values in enumerate(_unscaled(readings, self.columns, stretch, self.step_s)):
            with np.errstate(over="ignore", invalid="ignore"):  # which the check names by column and time
                scaled[:, position] = values * scaler.scale_[position] + scaler.min_[position]
        check_inputs(scaled, self.names, stretch, frame.index)
        return scaled

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each input, (F,)."""
        return tuple(column.name for column in self.columns)

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that the inputs of one row need."""
        return max((column.slope_span_s or 0.0 for column in self.columns), default=0.0)

    def to_settings(self) -> dict[str, Any]:
        """Return plain values from which `from_settings` makes equal features."""
        return {
            "columns": [column.model_dump() for column in self.columns],
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "typical": self.typical,
            "step_s": self.step_s,
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the features from the settings that `to_settings` gave.

        Raises:
            InputError: they are not as it gives them.
        """
        learned = Learned(settings, "features")
        columns = _read_columns(learned)
        typical, sources = learned.part("typical"), sorted({column.slope_of or column.name for column in columns})
        low, high = (learned.numbers(name, (len(columns),)) for name in ("low", "high"))
        if (low > high).any():
            raise learned.wrong("low", "numbers that are not above those of features.high")
        return cls(
            columns, low, high, {name: typical.number(name) for name in sources}, learned.number("step_s", *STEPS_S)
        )


def _read_columns(learned: Learned) -> tuple[Column, ...]:
    """Return the columns of saved features. Raise InputError if they are none."""
    columns = learned.value("columns")
    try:
        found = tuple(Column.model_validate(column) for column in columns)
    except (TypeError, ValidationError):
        found = ()
    if not found or len({column.name for column in found}) < len(found):
        raise learned.wrong("columns", "sensors, each with a name of its own, a kind and a unit")
    return found


def check_inputs(inputs: NDArray[np.float32], names: Sequence[str], stretch: Ints, times: pd.Index[Any]) -> None:
    """Check that inputs (N, F) are finite in every stretch.

    Raises:
        InputError: one is not, because a reading is too large for it; it is named by its input and time.
    """
    wrong = ~np.isfinite(inputs)
    if not wrong.any():
        return
    wrong[stretch == OUTSIDE] = False
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"the readings at {times[row]} or just before it are too large for the input {names[column]} "
            f"(float32); correct them, or empty the cells and set data.missing=interpolate"
        )


def columns_of(log: Log, selection: str | Sequence[Kind]) -> tuple[Column, ...]:
    """Return the columns of a log that are in a selection of features.

    Raises:
        InputError: if the log has no column of the selection.
    """
    present = set(log.frame.columns)
    columns = tuple(column for column in select(log.schema, selection) if _is_computable(column, present))
    if not columns:
        kinds = sorted({column.kind for column in log.schema.columns})
        raise InputError(f"features: got {selection!r}, but the log {log.name!r} has only {', '.join(kinds)}")
    return columns


def select(schema: Schema, selection: str | Sequence[Kind]) -> list[Column]:
    """Return the columns of a schema that are in a selection: ``all``, ``no_light``, physics, or kinds."""
    if selection == "all":
        return list(schema.columns)
    if selection == "no_light":
        return [column for column in schema.columns if column.kind != "light"]
    if selection in PHYSICS:
        return schema.of_kind(*PHYSICS_KINDS)
    return schema.of_kind(*selection)


def _is_computable(column: Column, present: set[str]) -> bool:
    return (column.slope_of or column.name) in present


def _unscaled(frame: pd.DataFrame, columns: Sequence[Column], stretch: Ints, step_s: float) -> Iterator[Floats]:
    """Yield the inputs (N,) of each column, NaN outside every stretch; one by one, since a log may be long."""
    outside = stretch == OUTSIDE
    bounds = np.flatnonzero(np.diff(stretch, prepend=OUTSIDE - 1, append=OUTSIDE - 1))
    for column in columns:
        values = frame[column.slope_of or column.name].to_numpy(np.float64, copy=True)
        if column.slope_of is not None and column.slope_span_s is not None:
            samples = rolling.samples_of(column.slope_span_s, step_s, fewest=2)
            for start, end in itertools.pairwise(bounds):
                if not outside[start]:
                    values[start:end] = rolling.slope(values[start:end], samples)
        values[outside] = np.nan
        yield values
