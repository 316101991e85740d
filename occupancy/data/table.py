"""The gate that every log passes: a CSV or a frame becomes a validated log, or one message lists all its problems."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from occupancy.config import Data
from occupancy.data.cells import TIME, hold, problems_of, time_text, usable
from occupancy.data.csv_file import in_each, read_cells
from occupancy.data.schema import Schema
from occupancy.data.times import parse_times, recordings, step_of
from occupancy.errors import InputError

FILE_FIRST_ROW = 2  # rows are numbered as in spreadsheets and editors: the header is row 1


@dataclass(frozen=True)
class Place:
    """The place of a room in a log of many rooms, which follow each other on one time axis.

    Attributes:
        name: name of the room.
        first: its first row.
        end: the row after its last row.
        shift: how much its times were moved to later: whole weeks, so that hour and weekday stay the same.
    """

    name: str
    first: int
    end: int
    shift: pd.Timedelta


@dataclass(frozen=True)
class Log:
    """A validated log.

    Attributes:
        name: ``uci``, ``simulated``, or the name of the file.
        family: the name that a fold scheme uses for the log: the name of the schema, or ``simulated``.
        schema: the meaning of its columns.
        frame: sensors as floats (N rows) on a naive, sorted index ``time``; the count as int64, if labelled.
        missing: (N, sensors) which cells were missing. Such a cell holds the last reading of its recording, or
            NaN if there is none before it.
        max_gap: longest time in seconds between two rows of one recording.
        rooms: the rooms of a log of many rooms, separated by gaps; empty for a log of one room.
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
        """The step of the log in seconds: the median between rows of one recording."""
        return step_of(self.times, self.max_gap)

    @cached_property
    def digest(self) -> str:
        """Hash of the names, times and values of the validated frame: equal digests mean equal logs."""
        digest = hashlib.sha256(",".join(map(str, self.frame.columns)).encode())
        digest.update(self.times.to_numpy("datetime64[ns]").tobytes())
        digest.update(np.ascontiguousarray(self.frame.to_numpy(np.float64)).tobytes())
        return digest.hexdigest()[:16]


def read_log(path: Path, schema: Schema, settings: Data, labelled: bool = True) -> Log:
    """Return the validated log from a CSV file.

    Raises:
        InputError: if anything is wrong with the file; all its problems in one line.
    """
    raw = read_cells(path, settings.max_csv_mb * 1_000_000)
    # The name with its suffix: a file called uci.csv is not the UCI log, whose checksum is known.
    return validate(raw, schema, settings, path.name, labelled, first_row=FILE_FIRST_ROW, where=str(path))


def validate(
    raw: pd.DataFrame,
    schema: Schema,
    settings: Data,
    name: str,
    labelled: bool = True,
    in_use: bool = False,
    first_row: int = 0,
    where: str | None = None,
) -> Log:
    """Return the validated log from a frame of raw cells (text or numbers, time in columns).

    Args:
        raw: the cells, with the columns of the file.
        schema: the meaning of the columns.
        settings: the format of times, what to do about missing cells, the largest count.
        name: name of the log.
        labelled: whether counts are required; if not, a count column is ignored.
        in_use: whether the log is for counting people, not for training: with ``missing: interpolate``, a reading that
            is infinite or too large to compute with is then taken for missing.
        first_row: the number of the first row in messages.
        where: how messages call the source; by default the name.

    Raises:
        InputError: if there are no rows, a column is there twice, or cells are wrong: all problems in one line,
            each kind with row, column, value and what to do.
    """
    where = where or name
    _check_shape(raw, where)
    raw = raw.loc[:, [not schema.ignores(str(name)) for name in raw.columns]].reset_index(drop=True)
    wanted = [*schema.sensors, *([schema.count] if labelled else [])]
    present = [column for column in wanted if column in raw.columns]
    table = raw[present].apply(_numbers)
    if set(schema.time) <= set(raw.columns):
        table[TIME] = parse_times(time_text(raw, schema), settings.time_format or schema.time_format)
    problems = problems_of(raw, table, schema, settings, labelled, in_use, first_row)
    if problems:
        raise InputError(f"{where}: {'; '.join(problems)}")
    return check_step(_build(table, schema, settings, name, labelled), where)


def _check_shape(raw: pd.DataFrame, where: str) -> None:
    if raw.empty:
        raise InputError(f"{where}: has no rows; expected one row for each sample")
    if twice := raw.columns[raw.columns.duplicated()].unique().tolist():
        named = ", ".join(map(repr, twice))
        raise InputError(f"{where}: got more than one column {named}, expected each name once; remove one of them")


def check_step(log: Log, where: str) -> Log:
    """Return the log if at least one step between its rows is not a gap.

    Raises:
        InputError: if ``data.max_gap`` is shorter than the step of the log, so that each recording has one row.
    """
    if len(log.frame) > 1 and np.isnan(log.step_s):
        shortest = np.diff(log.times.to_numpy()).min() / np.timedelta64(1, "s")
        raise InputError(
            f"{where}: every step between rows is a gap: the shortest step is {shortest:g} s and data.max_gap is "
            f"{log.max_gap:g} s; raise data.max_gap above the step of the log"
        )
    return log


def _numbers(cells: pd.Series[Any]) -> pd.Series[float]:
    """Return the cells as floats, NaN where a cell is not a number."""

    def read(values: pd.Series[Any]) -> pd.Series[float]:
        readable = pd.to_numeric(values, errors="coerce").notna()
        return values.where(readable).astype(np.float64)  # read by Python, which is exact to the last digit

    return pd.Series(in_each(cells, read), cells.index)


def _build(table: pd.DataFrame, schema: Schema, settings: Data, name: str, labelled: bool) -> Log:
    frame = table.set_index(TIME).rename_axis("time")
    sensors = [column for column in schema.sensors if column in frame.columns]
    readings = frame.reindex(columns=sensors)
    missing = ~readings.apply(usable)
    if missing.any(axis=None):
        readings = hold(readings.mask(missing), recordings(pd.DatetimeIndex(frame.index), settings.max_gap))
    if labelled:
        readings[schema.count] = frame[schema.count].astype(np.int64)
    return Log(name, schema.name, schema, readings, missing, settings.max_gap)
