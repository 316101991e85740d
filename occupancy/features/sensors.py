"""Sensor columns as inputs of a model: slopes are computed again, and all are scaled on training rows."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
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
from occupancy.data.kinds import in_usual_unit
from occupancy.data.log import Log
from occupancy.data.schema import Column, Schema
from occupancy.data.times import step_of, stretches
from occupancy.errors import InputError, InputWarning
from occupancy.features.holes import NoSensorError, extremes, fill_by_others
from occupancy.features.learned import STEPS_S, Learned

PHYSICS_KINDS: tuple[Kind, ...] = ("co2", "sound", "motion", "temperature")
"""The kinds of sensors that `PHYSICS` has formulas for."""
NOT_PHYSICS: tuple[Kind, ...] = ("light", "co2_slope")
"""The kinds that `PHYSICS` does not read: light gives the answer away, and slopes are computed again."""

ALIKE: tuple[Kind, ...] = ("temperature", "humidity", "pressure", "co2", "voc", "sound", "light", "motion")
"""Kinds of which the sensors of a room read much the same, so that one stands in for another that has no reading."""


@dataclass(frozen=True)
class Features:
    """Sensor columns as inputs of a model, with the scaling of training rows.

    Attributes:
        columns: the sensor columns, in the order of the matrix (F).
        low: (F,) smallest value of each column on the training rows, in its unit.
        high: (F,) largest value of each column on the training rows, in its unit.
        typical: median on the training rows of each column that is read, by name.
        step_s: the step of the training log in seconds, to convert spans to samples.
        converts: whether `readings` are in the usual units of their kinds; those of earlier versions are not.
    """

    columns: tuple[Column, ...]
    low: Floats
    high: Floats
    typical: dict[str, float]
    step_s: float
    converts: bool = True

    @classmethod
    def fit(cls, log: Log, rows: Rows, selection: str | Sequence[Kind], seen: Rows | None = None) -> Self:
        """Return the selected columns of a log, scaled on the given rows.

        Args:
            log: the log; only the given rows are read.
            rows: (N,) the training rows.
            selection: ``all``, ``no_light``, or kinds of columns.
            seen: (N,) the training rows and the rows without a count among them; None for the training rows.

        Warns:
            InputWarning: if a column has no reading in the training rows, and is left out.

        Raises:
            InputError: if the log has no column of the selection, or none with a reading.
        """
        seen = rows if seen is None else seen
        columns = _with_readings(columns_of(log, selection), log, rows)
        step_s = step_of(log.times[seen], log.max_gap)
        sources = sorted({_source(column) for column in columns})
        typical = {name: float(log.frame.loc[rows, name].median()) for name in sources}
        stretch = stretches(log.times, seen, log.max_gap)
        found = [
            extremes(values[rows], holed=bool(log.missing[_source(column)].to_numpy()[seen].any()))
            for column, values in zip(columns, _unscaled(log.frame, columns, stretch, step_s), strict=True)
        ]
        low, high = np.array(found).T
        return cls(columns, low, high, typical, step_s)

    def unscaled(self) -> Self:
        """Return the same features without scaling, in the units of the sensors."""
        width = len(self.columns)
        return dataclasses.replace(self, low=np.zeros(width), high=np.ones(width))

    def transform(self, frame: pd.DataFrame, stretch: Ints) -> NDArray[np.float32]:
        """Return the scaled inputs (N, F): 0 to 1 on the training rows; other rows can be outside of it.

        Rows outside every stretch are NaN. In a stretch, an input is NaN if its reading is missing and, of the kinds
        in `ALIKE`, no other sensor of its kind has one: it is then the median of theirs, each in its own scale.

        Args:
            frame: sensors on a time index, N rows; a column that it lacks has no reading.
            stretch: (N,) the stretch of each row; slopes do not reach past its start.

        Raises:
            InputError: if the frame has none of the columns that the model was trained on, or a reading is so large
                that an input is not finite.
        """
        scaled = self._scaled(frame, stretch)
        for kind in ALIKE:
            own = [place for place, each in enumerate(self.columns) if each.kind == kind and each.slope_of is None]
            if len(own) > 1:
                scaled[:, own] = fill_by_others(scaled[:, own])
        return scaled

    def readings(self, frame: pd.DataFrame, stretch: Ints) -> NDArray[np.float32]:
        """Return what `unscaled` features read, (N, F) as `in_usual_unit` has it; NaN where a reading is missing.

        Raises:
            InputError: as `transform` does.
        """
        return self._converted(self._scaled(frame, stretch))

    @property
    def usual(self) -> Floats:
        """The median of each column on the training rows, (F,) as `in_usual_unit` has it."""
        return np.asarray(self._converted(np.array([[self.typical[_source(column)] for column in self.columns]]))[0])

    def _converted(self, values: NDArray[Any]) -> NDArray[Any]:
        for place, column in enumerate(self.columns if self.converts else ()):
            values[:, place] = in_usual_unit(column.kind, column.unit, values[:, place])
        return values

    def _scaled(self, frame: pd.DataFrame, stretch: Ints) -> NDArray[np.float32]:
        assert not np.isnan(self.low).any(), "NaN in the scale: it was fitted on rows that may not be read"
        if not set(self.typical) & set(frame.columns):
            named = ", ".join(sorted(self.typical))
            raise NoSensorError(f"missing column {named}, which the model was trained with; add one of them")
        # A scaler fitted on the two extremes equals a scaler fitted on all training rows.
        scaler = MinMaxScaler().fit(np.stack([self.low, self.high]))
        readings = frame.reindex(columns=list(self.typical))
        scaled = np.empty((len(frame), len(self.columns)), np.float32)
        for position, values in enumerate(_unscaled(readings, self.columns, stretch, self.step_s)):
            with np.errstate(over="ignore", invalid="ignore"):  # which the check names by column and time
                scaled[:, position] = values * scaler.scale_[position] + scaler.min_[position]
        check_inputs(scaled, self.names, stretch, frame.index)
        return scaled

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kind of sensors that each input depends on, (F,); a slope has that of its source, if that is an input."""
        own = {column.name: column.kind for column in self.columns}
        return tuple(own.get(_source(column), column.kind) for column in self.columns)

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
            "converts": self.converts,
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
        usual = {name: typical.number(name) for name in sources}
        converts = "converts" in learned and learned.flag("converts")
        return cls(columns, low, high, usual, learned.number("step_s", *STEPS_S), converts)


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
    """Check that inputs (N, F) are finite or missing in every stretch.

    Raises:
        InputError: one is not, because a reading is too large for it; it is named by its input and time.
    """
    wrong = np.isinf(inputs)
    if not wrong.any():
        return
    wrong[stretch == OUTSIDE] = False
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"the readings at {times[row]} or just before it are too large for the input {names[column]} "
            f"(float32); correct them, or empty the cells"
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
        return [column for column in schema.columns if column.kind not in NOT_PHYSICS]
    return schema.of_kind(*selection)


def _source(column: Column) -> str:
    """Return the name of the column of the log that an input is computed from."""
    return column.slope_of or column.name


def _with_readings(columns: tuple[Column, ...], log: Log, rows: Rows) -> tuple[Column, ...]:
    """Return the columns that have a reading at the given rows (N,), with a warning about others."""
    # Only cells that the gate has marked as missing: in any other NaN is a row that may not be read.
    gone = (log.missing.to_numpy() & log.frame[log.missing.columns].isna().to_numpy())[rows].all(axis=0)
    empty = set(log.missing.columns[gone])
    silent = [column.name for column in columns if _source(column) in empty]
    if len(silent) == len(columns):
        raise InputError(
            f"features: the training rows have no reading of {', '.join(silent)}, expected one sensor with readings at "
            "least; choose other features (features=all), or other training rows (data.folds)"
        )
    if silent:
        warnings.warn(
            f"features: the training rows have no reading of {', '.join(silent)}, which is left out",
            InputWarning,
            stacklevel=4,
        )
    return tuple(column for column in columns if _source(column) not in empty)


def _is_computable(column: Column, present: set[str]) -> bool:
    return _source(column) in present


def _unscaled(frame: pd.DataFrame, columns: Sequence[Column], stretch: Ints, step_s: float) -> Iterator[Floats]:
    """Yield the inputs (N,) of each column, NaN outside every stretch; one by one, since a log may be long."""
    outside = stretch == OUTSIDE
    bounds = np.flatnonzero(np.diff(stretch, prepend=OUTSIDE - 1, append=OUTSIDE - 1))
    for column in columns:
        values = frame[_source(column)].to_numpy(np.float64, copy=True)
        if column.slope_of is not None and column.slope_span_s is not None:
            samples = rolling.samples_of(column.slope_span_s, step_s, fewest=2)
            for start, end in itertools.pairwise(bounds):
                if not outside[start]:
                    values[start:end] = rolling.slope(values[start:end], samples)
        values[outside] = np.nan
        yield values
