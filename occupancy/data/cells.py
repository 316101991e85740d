"""The cells of a log as numbers and times, checked by pandera, with a message for every problem."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pandera.pandas as pa

from occupancy.arrays import Ints
from occupancy.config import Data
from occupancy.data.blanks import is_blank_text
from occupancy.data.clock import Clock
from occupancy.data.labels import on_words
from occupancy.data.numbers import OF_TWO_STATES, in_each
from occupancy.data.order import setback
from occupancy.data.schema import Schema
from occupancy.data.times import joined_text, suggest_format
from occupancy.errors import shortened

TIME = "\0time"  # the column of times; neither a CSV nor a schema can have a column of this name
LARGEST = float(np.sqrt(np.finfo(np.float32).max))  # of readings: models compute in single precision, squares too
LISTED_CELLS = 10  # problems of one kind that a message lists
_OFTEN = 0.1  # share of rows with the time of another, above which that is no slip
_SHOWN = 60  # characters of the name of an unknown column

REMEDIES = {
    "not a number": "write a number with a decimal point, or empty the cell",
    "no state": "write 1 or 0, or on or off, true or false, open or closed, detected or clear, or empty the cell",
    "not a count": "write the number of people, or say in the schema what each word means",
    "missing": "fill the cell, or set data.missing=keep to leave it missing",
    "infinite": "correct the cell, or empty it",
    "too large": "correct the cell, or empty it",
    "sensor without a reading": "give at least one reading, or take the column out of the file and of the schema",
    "no count": "give counts for some rows at least, in the column that the schema names",
    "negative count": "write a count of 0 or more",
    "fractional count": "write a whole number",
    "count above data.max_count": "correct the count, or raise data.max_count",
    "unreadable time": "set data.time_format",
    "duplicate time": "delete one of the rows",
    "unsorted time": "sort the rows by time",
}


def problems_of(
    raw: pd.DataFrame,
    table: pd.DataFrame,
    schema: Schema,
    settings: Data,
    labelled: bool,
    in_use: bool,
    label: Callable[[int], str],
    clock: Clock | None = None,
) -> list[str]:
    """Return a message for each kind of problem, with row, column and value of at most `LISTED_CELLS` cells.

    Args:
        raw: (N rows) the cells as given.
        table: (N rows) the same cells as numbers, NaN where a cell is not a number; times in the column ``time``.
        schema: the meaning of the columns.
        settings: what is allowed.
        labelled: whether counts are required.
        in_use: whether readings that models can't compute with may be taken for missing.
        label: how messages call the row of a position.
        clock: how the times stand to UTC, if that is known.
    """
    found = _cell_problems(raw, table, schema, settings, in_use)
    back = setback(table[TIME], label, clock) if TIME in table.columns else None
    if back is not None:  # the rows that are not in order need no word of their own
        found = found[~found["kind"].isin(["duplicate time", "unsorted time"])]
    return [
        *_column_problems(raw, schema, labelled, in_use),
        *([back] if back else []),
        *(
            _describe(str(kind), cells, raw, schema, settings, label)
            for kind, cells in found.groupby("kind", sort=False)
        ),
    ]


def is_blank(cells: pd.Series[str]) -> bool:
    """Return whether all cells of a column are blank."""
    return all(map(is_blank_text, cells.astype(str).unique()))


def _column_problems(raw: pd.DataFrame, schema: Schema, labelled: bool, in_use: bool) -> Iterator[str]:
    required = [*schema.time, *(column.name for column in schema.columns if not (column.optional or in_use))]
    if labelled:
        required.append(schema.count)
    known = [*schema.time, *schema.sensors, schema.count]
    missing = [column for column in required if column not in raw.columns]
    unknown = [str(column) for column in raw.columns if column not in known]
    if missing:
        yield f"missing column {', '.join(missing)}; add it, or describe the log in a schema file (data.schema)"
    if unknown:
        near = difflib.get_close_matches(unknown[0], missing or known, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        more = f" and {len(unknown) - LISTED_CELLS} more" if len(unknown) > LISTED_CELLS else ""
        shown = ", ".join(name[:_SHOWN] for name in unknown[:LISTED_CELLS]) + more
        yield f"unknown column {shown}; {hint}rename it, or list it under ignore in the schema file"


def _cell_problems(
    raw: pd.DataFrame, table: pd.DataFrame, schema: Schema, settings: Data, in_use: bool
) -> pd.DataFrame:
    """Return the cells with a problem: kind, column and index of the row."""
    order = {kind: rank for rank, kind in enumerate(REMEDIES)}
    tolerated = _tolerated(settings, in_use)
    cells = pd.concat([_failed(table, schema, settings), *_nulls(raw, table, schema, tolerated)], ignore_index=True)
    if (cells["kind"] == "not a count").any():  # words may be the counts
        tolerated = tolerated | {"no count"}
    cells = cells[~cells["kind"].isin(tolerated)]
    return cells.sort_values(["kind", "index"], key=lambda part: part.map(order) if part.name == "kind" else part)


def _tolerated(settings: Data, in_use: bool) -> set[str]:
    """Return the kinds of problems that are none under some settings."""
    tolerated = {"label missing"} | ({"missing"} if settings.missing != "refuse" else set())
    if in_use:
        tolerated |= {"count above data.max_count", "no count"}
        tolerated |= {"infinite", "too large"} if settings.missing != "refuse" else set()
    if settings.missing == "refuse" or in_use:
        tolerated |= {"sensor without a reading"}
    return tolerated


def _failed(table: pd.DataFrame, schema: Schema, settings: Data) -> pd.DataFrame:
    """Return the cells that fail a check, but for empty ones."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # pandera joins empty tables of problems
            _checks(table, schema, settings).validate(table, lazy=True, inplace=True)  # without a copy
    except pa.errors.SchemaErrors as errors:
        cases: pd.DataFrame = errors.failure_cases
        cells = cases[["column", "check", "index"]].rename(columns={"check": "kind"})
        cells["index"] = cells["index"].astype(int)
        return cells.replace({"kind": {"not_nullable": "unreadable time"}})
    return pd.DataFrame(
        {"column": pd.Series(dtype=object), "kind": pd.Series(dtype=object), "index": pd.Series(dtype=int)}
    )


def _nulls(raw: pd.DataFrame, table: pd.DataFrame, schema: Schema, tolerated: set[str]) -> Iterator[pd.DataFrame]:
    """Yield the cells of each column that hold no number: they are blank, or hold something else."""
    of_states = {column.name for column in schema.of_kind(*OF_TWO_STATES)}
    for column in (name for name in table if name != TIME):
        null = table[column].isna().to_numpy()
        if not null.any():
            continue
        texts = in_each(raw[column], lambda values: values.astype(str).map(is_blank_text))
        blank = null & texts.astype(bool)
        is_count = column == schema.count
        other = "not a count" if is_count else "no state" if column in of_states else "not a number"
        found = [(other, null & ~blank), ("label missing" if is_count else "missing", blank)]
        if not usable(table[column]).any():
            found.append(("no count" if is_count else "sensor without a reading", null))
        for kind, cells in found:
            if kind not in tolerated:  # a log may lack millions of readings
                yield pd.DataFrame({"column": column, "kind": kind, "index": table.index[cells]})


def _checks(table: pd.DataFrame, schema: Schema, settings: Data) -> pa.DataFrameSchema:
    finite = pa.Check(lambda cells: ~np.isinf(cells), error="infinite")
    moderate = pa.Check(lambda cells: (cells.abs() <= LARGEST) | np.isinf(cells), error="too large")
    columns = {
        column: pa.Column(float, nullable=True, checks=[finite, moderate])
        for column in schema.sensors
        if column in table.columns
    }
    columns[schema.count] = pa.Column(
        float,
        nullable=True,
        required=False,
        checks=[  # an infinite count is negative or too large
            pa.Check(lambda cells: cells >= 0, error="negative count"),
            pa.Check(lambda cells: (cells == np.floor(cells)) | np.isinf(cells), error="fractional count"),
            pa.Check(lambda cells: cells <= settings.max_count, error="count above data.max_count"),
        ],
    )
    columns[TIME] = pa.Column(
        "datetime64[ns]",
        nullable=False,
        required=False,
        checks=[
            pa.Check(
                lambda times: ~(times.duplicated() if settings.step is None else _contradictions(table)),
                error="duplicate time",
            ),
            pa.Check(lambda times: times >= times.cummax(), error="unsorted time"),
        ],
    )
    return pa.DataFrameSchema(columns)


def _contradictions(table: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows (N,) fill a cell in another way than one of the same time before them."""
    again = table[TIME].duplicated()
    shared = table[table[TIME].duplicated(keep=False) & table[TIME].notna()]
    if shared.empty:
        return again & False
    other = (shared.groupby(TIME).transform("nunique") > 1).any(axis=1)
    return again & other.reindex(table.index, fill_value=False)


def usable(cells: pd.Series[float]) -> pd.Series[bool]:
    """Return whether each cell (N,) holds a reading that models can compute with."""
    return cells.abs() <= LARGEST


def hold(readings: pd.DataFrame, groups: Ints, most: int | None = None) -> pd.DataFrame:
    """Return the readings with each missing one replaced by the last reading before it in its group.

    To hold the last reading needs no later row; a straight line between two readings would use the future.
    Without an earlier reading in the group, a reading stays missing.

    Args:
        readings: (N, columns), NaN where a reading is missing.
        groups: (N,) the group of each row.
        most: the most rows on end for which a reading is held; None for all.
    """
    return readings.groupby(groups).ffill(limit=most)


def _describe(
    kind: str, cells: pd.DataFrame, raw: pd.DataFrame, schema: Schema, settings: Data, label: Callable[[int], str]
) -> str:
    shown = []
    for column, index in cells[["column", "index"]].head(LISTED_CELLS).to_numpy():
        columns = schema.time if column == TIME else [column]
        value = " ".join(str(raw.at[index, part]) for part in columns)
        shown.append(f"{label(index)} {' '.join(columns)} {shortened(value)}")
    more = f" and {len(cells) - LISTED_CELLS} more" if len(cells) > LISTED_CELLS else ""
    remedy = REMEDIES[kind]
    if kind == "unreadable time":
        few = len(cells) < len(raw) / 2
        remedy = (
            "correct the time, or delete the row" if few else remedy + suggest_format(joined_text(raw, schema.time))
        )
    if kind == "duplicate time" and len(cells) > len(raw) * _OFTEN:
        remedy = "keep the rows of one place or sensor, or write the seconds of each time"
    if kind == "not a count":
        remedy += on_words(raw.loc[cells["index"], schema.count], settings)
    return f"{kind} ({len(cells)}): {', '.join(shown)}{more}; {remedy}"
