"""The one gate: a CSV or a frame in, a validated log out, or one message with every problem in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occupancy.config import Data
from occupancy.data.cells import TIME, hold, in_each, problems_of, read_cells, time_text
from occupancy.data.schema import Schema
from occupancy.data.times import parse_times, recordings, step_of
from occupancy.errors import InputError

FILE_FIRST_ROW = 2  # rows are numbered as spreadsheets and editors do: the header is row 1


@dataclass(frozen=True)
class Place:
    """Where a room lies in a log of many rooms, which follow one another on one time axis.

    Attributes:
        name: what people call the room.
        first: its first row.
        end: the row after its last one.
        shift: how much later its times are than they were: whole weeks, so that hour and weekday are true.
    """

    name: str
    first: int
    end: int
    shift: pd.Timedelta


@dataclass(frozen=True)
class Log:
    """A validated log.

    Attributes:
        name: what people call it: ``uci``, ``simulated`` or the file's name.
        family: the log that a fold scheme names: the schema's name, or ``simulated``.
        schema: the meaning of its columns.
        frame: sensors as floats (N rows) on a naive, sorted index ``time``; the count as int64, if labelled.
        missing: (N, sensors) which cells were missing. They hold the last reading of their recording, and
            are NaN where it begins without one.
        max_gap: seconds between two rows from which on they belong to different recordings.
        rooms: the rooms of a log of many, one after another with such a gap between; empty for that of one room.
    """

    name: str
    family: str
    schema: Schema
    frame: pd.DataFrame
    missing: pd.DataFrame
    max_gap: float
    rooms: tuple[Place, ...] = ()

    @property
    def times(self) -> pd.DatetimeIndex:
        """Time of each row, (N,)."""
        return pd.DatetimeIndex(self.frame.index)

    @cached_property
    def step_s(self) -> float:
        """The log's own step in seconds: the median between rows of one recording."""
        return step_of(self.times, self.max_gap)

    @cached_property
    def digest(self) -> str:
        """Hash of names, times and values of the validated frame: equal digests, equal logs."""
        digest = hashlib.sha256(",".join(map(str, self.frame.columns)).encode())
        digest.update(self.times.to_numpy("datetime64[ns]").tobytes())
        digest.update(np.ascontiguousarray(self.frame.to_numpy(np.float64)).tobytes())
        return digest.hexdigest()[:16]


def read_log(path: Path, schema: Schema, settings: Data, labelled: bool = True) -> Log:
    """Return the validated log that a CSV file holds.

    Raises:
        InputError: for anything wrong with the file; all its problems in one line.
    """
    raw = read_cells(path)
    # With its ending: a file called uci.csv is not the UCI log, whose checksum is known.
    return validate(raw, schema, settings, path.name, labelled, FILE_FIRST_ROW, str(path))


def validate(
    raw: pd.DataFrame,
    schema: Schema,
    settings: Data,
    name: str,
    labelled: bool = True,
    first_row: int = 0,
    where: str | None = None,
) -> Log:
    """Return the log that a frame of raw cells (text or numbers, time in columns) holds.

    Args:
        raw: the cells, columns as in the file.
        schema: the meaning of the columns.
        settings: how times are written, what to do about missing cells, the largest count.
        name: what people call the log.
        labelled: whether counts are required; if not, a count column is ignored.
        first_row: the number of the first row in messages.
        where: what messages call the source, if not its name.

    Raises:
        InputError: there are no rows, a column is there twice, or cells are wrong: all their problems in one line,
            each kind with row, column, value and remedy.
    """
    where = where or name
    if raw.empty:
        raise InputError(f"{where}: holds no rows; expected one row a sample")
    if twice := raw.columns[raw.columns.duplicated()].unique().tolist():
        named = ", ".join(map(repr, twice))
        raise InputError(f"{where}: got more than one column {named}, expected each name once; drop one of them")
    raw = raw.reset_index(drop=True)
    wanted = [*schema.sensors, *([schema.count] if labelled else [])]
    present = [column for column in wanted if column in raw.columns]
    table = raw[present].apply(_numbers)
    if set(schema.time) <= set(raw.columns):
        table[TIME] = parse_times(time_text(raw, schema), settings.time_format or schema.time_format)
    problems = problems_of(raw, table, schema, settings, labelled, first_row)
    if problems:
        raise InputError(f"{where}: {'; '.join(problems)}")
    return check_step(_build(table, schema, settings, name, labelled), where)


def check_step(log: Log, where: str) -> Log:
    """Return the log if not every step between its rows is a gap.

    Raises:
        InputError: ``data.max_gap`` is shorter than the log's step, so that no row would follow another.
    """
    if len(log.frame) > 1 and np.isnan(log.step_s):
        shortest = np.diff(log.times.to_numpy()).min() / np.timedelta64(1, "s")
        raise InputError(
            f"{where}: every step between rows is a gap: the shortest is {shortest:g} s and data.max_gap is "
            f"{log.max_gap:g} s; raise data.max_gap above the log's step"
        )
    return log


def _numbers(cells: pd.Series[Any]) -> pd.Series[float]:
    """Return the cells as floats, NaN where one is no number."""

    def read(values: pd.Series[Any]) -> pd.Series[float]:
        readable = pd.to_numeric(values, errors="coerce").notna()
        return values.where(readable).astype(np.float64)  # pandas decides, Python reads: to the last digit

    return pd.Series(in_each(cells, read), cells.index)


def _build(table: pd.DataFrame, schema: Schema, settings: Data, name: str, labelled: bool) -> Log:
    frame = table.set_index(TIME)
    sensors = [column for column in schema.sensors if column in frame.columns]
    readings = frame.reindex(columns=sensors)
    missing = ~readings.apply(np.isfinite)
    if missing.any(axis=None):
        readings = hold(readings.mask(missing), recordings(pd.DatetimeIndex(frame.index), settings.max_gap))
    if labelled:
        readings[schema.count] = frame[schema.count].astype(np.int64)
    return Log(name, schema.name, schema, readings, missing, settings.max_gap)
