"""What a model sees: sensor columns as a matrix, trailing ones computed anew, scaled on training rows."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import MinMaxScaler

from occupancy.arrays import OUTSIDE, Floats, Ints, Rows
from occupancy.config import PHYSICS, Kind
from occupancy.data import rolling
from occupancy.data.schema import Column, Schema
from occupancy.data.table import Log
from occupancy.data.times import step_of, stretches
from occupancy.errors import InputError

PHYSICS_KINDS: tuple[Kind, ...] = ("co2", "sound", "motion", "temperature")  # that `PHYSICS` is made of


@dataclass(frozen=True)
class Features:
    """The inputs of a model, with the scaling that was fitted on training rows.

    Attributes:
        columns: the sensor columns, in the order of the matrix (F).
        low: (F,) smallest value of each on the training rows, in the column's unit.
        high: (F,) largest.
        typical: median on the training rows of each column of the log that is read, by name; it stands in
            for a reading that is missing with none before it to hold.
        step_s: the training log's step, which turns spans in seconds into samples.
    """

    columns: tuple[Column, ...]
    low: Floats
    high: Floats
    typical: dict[str, float]
    step_s: float

    @classmethod
    def fit(cls, log: Log, rows: Rows, selection: str | Sequence[Kind]) -> Self:
        """Return the features that a selection means for a log, scaled on the given rows.

        Args:
            log: the log; of its rows only the given ones are read.
            rows: (N,) the training rows.
            selection: ``all``, ``no_light``, or kinds of columns.

        Raises:
            InputError: the log has no column of the kinds asked for.
        """
        columns = columns_of(log, selection)
        step_s = step_of(log.times[rows], log.max_gap)
        sources = sorted({column.slope_of or column.name for column in columns})
        frame = log.frame[sources].copy()
        typical = {name: float(frame.loc[rows, name].median()) for name in sources}
        for name in sources:
            # Only what the gate knows to be missing: a blank of another kind is a row that may not be looked at.
            frame.loc[log.missing[name] & frame[name].isna(), name] = typical[name]
        stretch = stretches(log.times, rows, log.max_gap)
        raw = [values[rows] for values in _unscaled(frame, columns, stretch, step_s)]
        low, high = (np.array([extreme(values) for values in raw]) for extreme in (np.min, np.max))
        return cls(columns, low, high, typical, step_s)

    def unscaled(self) -> Self:
        """Return the same features in the units of their sensors."""
        width = len(self.columns)
        return dataclasses.replace(self, low=np.zeros(width), high=np.ones(width))

    def transform(self, frame: pd.DataFrame, stretch: Ints) -> NDArray[np.float32]:
        """Return the scaled inputs (N, F): 0..1 on the training rows, possibly outside elsewhere.

        Rows outside every stretch are NaN.

        Args:
            frame: sensors on a time index, N rows.
            stretch: (N,) the stretch of each row, beyond whose start trailing columns don't look.

        Raises:
            InputError: the frame lacks a column that the model was trained on.
        """
        lacking = [column.name for column in self.columns if not _is_computable(column, set(frame.columns))]
        if lacking:
            raise InputError(f"missing column {', '.join(lacking)}; the model was trained on it, so add it")
        # A scaler fitted on the two extremes equals the one fitted on all training rows.
        scaler = MinMaxScaler().fit(np.stack([self.low, self.high]))
        readings = frame[list(self.typical)].fillna(self.typical)
        scaled = np.empty((len(frame), len(self.columns)), np.float32)
        for position, values in enumerate(_unscaled(readings, self.columns, stretch, self.step_s)):
            scaled[:, position] = values * scaler.scale_[position] + scaler.min_[position]
        return scaled

    @property
    def names(self) -> tuple[str, ...]:
        """What each input is called, (F,)."""
        return tuple(column.name for column in self.columns)

    @property
    def history_s(self) -> float:
        """How far back, in seconds, the inputs of one row look."""
        return max((column.slope_span_s or 0.0 for column in self.columns), default=0.0)

    def to_settings(self) -> dict[str, Any]:
        """Return what `from_settings` makes equal features from, as text can hold it."""
        return {
            "columns": [column.model_dump() for column in self.columns],
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "typical": self.typical,
            "step_s": self.step_s,
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the features that `to_settings` described."""
        columns = tuple(Column.model_validate(column) for column in settings["columns"])
        return cls(
            columns, np.array(settings["low"]), np.array(settings["high"]), settings["typical"], settings["step_s"]
        )


def columns_of(log: Log, selection: str | Sequence[Kind]) -> tuple[Column, ...]:
    """Return the columns of a log that a selection of features means.

    Raises:
        InputError: the log has no column of the kinds asked for.
    """
    present = set(log.frame.columns)
    columns = tuple(column for column in select(log.schema, selection) if _is_computable(column, present))
    if not columns:
        kinds = sorted({column.kind for column in log.schema.columns})
        raise InputError(f"features: got {selection!r}, but the log {log.name!r} has {', '.join(kinds)} only")
    return columns


def select(schema: Schema, selection: str | Sequence[Kind]) -> list[Column]:
    """Return the columns that a selection of features means: ``all``, ``no_light``, physics, or kinds."""
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
    """Yield the inputs (N,) of each column, NaN outside every stretch; one at a time, for a log may be long."""
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
