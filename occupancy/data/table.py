"""The gate that every log passes: a CSV or a frame becomes a validated log, or one message lists all its problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.config import Data
from occupancy.data import holes
from occupancy.data.blanks import STATELESS
from occupancy.data.cells import TIME, hold, problems_of, usable
from occupancy.data.kinds import scale_of
from occupancy.data.labels import hold_counts, read_counts
from occupancy.data.log import Log
from occupancy.data.numbers import in_each, to_numbers
from occupancy.data.order import repeated
from occupancy.data.reading import Cells, read_files
from occupancy.data.rhythm import irregular, on_grid
from occupancy.data.schema import Schema
from occupancy.data.times import Times, joined_text, read_times, recordings
from occupancy.errors import InputError


def read_log(path: Path | Sequence[Path], schema: Schema, settings: Data, labelled: bool = True) -> Log:
    """Return the validated log from a file, or from several files of one room.

    Raises:
        InputError: if anything is wrong with a file; all its problems in one line.
    """
    paths = [path] if isinstance(path, Path) else list(path)
    # The name with its suffix: a file called uci.csv is not the UCI log, whose checksum is known.
    return validate_cells(read_settled(paths, schema, settings), schema, settings, labelled)


def read_settled(paths: Sequence[Path], schema: Schema, settings: Data) -> Cells:
    """Return the cells of the files of one log, as the settings say that they are to be read.

    Raises:
        InputError: if a file can't be read as a table, or the files do not fit together.
    """
    time_format = settings.time_format or schema.time_format
    return read_files(paths, settings.max_csv_mb * 1_000_000, settings.time_zone, time_format)


def validate_cells(cells: Cells, schema: Schema, settings: Data, labelled: bool = True, in_use: bool = False) -> Log:
    """Return the validated log from the cells of its files; see `validate`.

    Raises:
        InputError: as `validate`; the message also says how the file was read, where that was not as it stands.
    """
    name, where = ", ".join(file.name for file in cells.files), cells.where
    _check_units(cells, schema)
    try:
        log = validate(cells.frame, schema, settings, name, labelled, in_use, where=where, label=cells.label)
    except InputError as error:
        if not cells.notes:
            raise
        raise InputError(f"{error} (how the file was read: {'; '.join(cells.notes)})") from None
    lines = None if log.lines is None or cells.of is not None else cells.rows[log.lines]
    return replace(log, notes=(*cells.notes, *log.notes), lines=lines)


def _check_units(cells: Cells, schema: Schema) -> None:
    for column in schema.columns:
        written = cells.units.get(column.name, "")
        said, meant = scale_of(column.kind, written), scale_of(column.kind, column.unit)
        if said and meant and said != meant:
            raise InputError(
                f"{cells.where}: column {column.name} is in {written}, but the schema says {column.unit}; set "
                f"unit: {said.unit} for it in the schema, or write its readings in {column.unit}"
            )


def validate(
    raw: pd.DataFrame,
    schema: Schema,
    settings: Data,
    name: str,
    labelled: bool = True,
    in_use: bool = False,
    where: str | None = None,
    label: Callable[[int], str] | None = None,
) -> Log:
    """Return the validated log from a frame of raw cells (text or numbers, time in columns).

    Args:
        raw: the cells, with the columns of the file.
        schema: the meaning of the columns.
        settings: the format of times, what to do about missing cells, the largest count.
        name: name of the log.
        labelled: whether counts are required; if not, a count column is ignored.
        in_use: whether the log is for counting people, not for training: unless missing readings are refused, one that
            is infinite or too large to compute with is then taken for missing.
        where: how messages call the source; by default the name.
        label: how messages call the row of a position, for rows of a file. These are put in order where that is
            certain; the rows of a frame, by default called by their positions, are each answered where they stand.

    Raises:
        InputError: if there are no rows, a column is there twice, or cells are wrong: all problems in one line.
    """
    where = where or name
    _check_shape(raw, where)
    raw = raw.loc[:, [not schema.ignores(str(name)) for name in raw.columns]].reset_index(drop=True)
    raw, times = _with_times(raw, schema, settings, where, label)
    table, capped = _in_numbers(raw, times, schema, settings, labelled)
    clock = None if times is None else times.clock
    if problems := problems_of(raw, table, schema, settings, labelled, in_use, label or "row {}".format, clock):
        raise InputError(f"{where}: {'; '.join(problems)}")
    log = check_step(_build(raw, table, schema, settings, name, labelled, in_use), where)
    said = () if in_use else filter(None, (capped, *_notes(log, settings)))  # in use, the model's sensors decide
    notes = (*(() if times is None else times.notes), *said)
    lines = table.index.to_numpy() if label is not None and settings.step is None else None
    return replace(log, clock=clock, notes=notes, lines=lines)


def _in_numbers(
    raw: pd.DataFrame, times: Times | None, schema: Schema, settings: Data, labelled: bool
) -> tuple[pd.DataFrame, str]:
    """Return the cells as numbers and times, and what is to be said of counts."""
    said, kinds = "", {column.name: column.kind for column in schema.columns}
    present = [name for name in schema.sensors if name in raw.columns]
    table = pd.DataFrame({name: to_numbers(raw[name], kinds[name]) for name in present}, index=raw.index)
    if labelled and schema.count in raw.columns:
        table[schema.count], said = read_counts(raw[schema.count], schema, settings)
    if times is not None:
        table[TIME] = times.times
    return table, said


def _with_times(
    raw: pd.DataFrame, schema: Schema, settings: Data, where: str, label: Callable[[int], str] | None
) -> tuple[pd.DataFrame, Times | None]:
    """Return the rows, in order where that is certain, and their times."""
    if not set(schema.time) <= set(raw.columns):
        return raw, None
    try:
        times = read_times(joined_text(raw, schema.time), settings.time_format, schema.time_format, settings.time_zone)
    except InputError as error:
        if str(error).startswith(("time_format:", "data.")):  # it is about a setting
            raise
        raise InputError(f"{where}: {error}") from None
    if label is None:
        return raw, times
    notes = list(times.notes)
    if times.falling:
        raw, times = raw[::-1], replace(times, times=times.times[::-1])
        notes.append("the newest row is the first: the rows are turned round")
    again = repeated(raw, times.times)
    if again.any():
        notes.append(f"rows that repeat another ({again.sum():,}, the first is {label(raw.index[again][0])}): skipped")
        raw, times = raw[~again], replace(times, times=times.times[~again])
    return raw, replace(times, notes=tuple(notes))


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


def _gone(raw: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return at which cells of a table a device says that it has no reading any more."""
    told = {}
    for name in table.columns.intersection(raw.columns):
        said = in_each(raw[name], lambda cells: cells.map(lambda cell: str(cell).strip().lower() in STATELESS))
        told[name] = said.astype(bool)
    return pd.DataFrame(told, table.index)


def _build(
    raw: pd.DataFrame, table: pd.DataFrame, schema: Schema, settings: Data, name: str, labelled: bool, in_use: bool
) -> Log:
    frame = table.set_index(TIME).rename_axis("time")
    needed = [column.name for column in schema.columns if in_use and not column.optional]
    sensors = [column for column in schema.sensors if column in frame.columns or column in needed]
    readings = frame.reindex(columns=sensors)
    readings = readings.where(readings.apply(usable))
    if labelled:
        readings[schema.count] = frame[schema.count]
    carried = None
    if settings.step is not None:
        readings, carried = on_grid(readings, schema, settings, _gone(raw, table))
    missing = readings[sensors].isna()
    if settings.missing == "hold" and missing.any(axis=None):
        recording = recordings(pd.DatetimeIndex(readings.index), settings.max_gap)
        readings[sensors] = hold(readings[sensors], recording, settings.max_missing)
    if labelled:
        counts = readings[schema.count]
        readings[schema.count] = hold_counts(counts, settings.max_gap, settings.hold_counts)
        if settings.hold_counts is not None:
            held = (counts.isna() & readings[schema.count].notna()).to_frame(schema.count)
            carried = pd.concat([held] if carried is None else [carried, held], axis=1)
        if readings[schema.count].notna().all():
            readings[schema.count] = readings[schema.count].astype(np.int64)
    return Log(name, schema.name, schema, readings, missing, settings.max_gap, carried=carried)


def _notes(log: Log, settings: Data) -> Iterator[str]:
    """Yield what is to be said of missing readings and counts, and of an irregular rhythm."""
    yield from holes.told(log.missing, log.held, log.step_s, settings.max_missing)
    if log.schema.count in log.frame and (blank := int(log.frame[log.schema.count].isna().sum())):
        yield f"{blank:,} of {len(log.frame):,} rows have no count: they serve as history, unlearned and unscored"
    if settings.step is None and (said := irregular(log.times, settings.max_gap)):
        yield said
