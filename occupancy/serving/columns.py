"""The columns of a log that counting needs: those that the model reads, and those that show if its sensors work."""

from __future__ import annotations

import difflib
from collections.abc import Collection

import pandas as pd

from occupancy.config import Data, Kind
from occupancy.data.blanks import is_blank_text
from occupancy.data.cells import usable
from occupancy.data.numbers import in_each, to_numbers
from occupancy.data.schema import Column, Schema

SIGNS: tuple[Kind, ...] = ("co2", "motion", "sound")
"""What shows people, so that sensors that the model reads are held to it."""


def needed(
    frame: pd.DataFrame, schema: Schema, read: Collection[str], settings: Data
) -> tuple[pd.DataFrame, list[str]]:
    """Return a log's cells without the columns that counting does not need, and the names of these.

    A sensor that shows people is kept, even if the model does not read it, as long as all its cells are good. An
    unknown column stays if it may be one that the model reads under a wrong name; the gate then asks.

    Args:
        frame: the cells of N rows.
        schema: the columns of the log.
        read: the names of the sensors that the model reads.
        settings: what is to be done about missing readings.
    """
    known = {column.name: column for column in schema.columns}
    absent = [name for name in (*schema.time, *read) if name not in frame.columns]
    needless = []
    for name in map(str, frame.columns):
        if name in (*schema.time, *read, schema.count) or schema.ignores(name):
            continue
        if name not in known:
            is_needless = not difflib.get_close_matches(name, absent, 1)
        else:
            is_needless = known[name].kind not in SIGNS or not _is_good(frame[name], known[name], settings)
        if is_needless:
            needless.append(name)
    return (frame.drop(columns=needless) if needless else frame), needless


def _is_good(cells: pd.Series | pd.DataFrame, column: Column, settings: Data) -> bool:
    if isinstance(cells, pd.DataFrame):  # the column is there twice
        return False
    if cells.map(lambda cell: isinstance(cell, str | int | float) and not isinstance(cell, bool)).all():
        bad = ~usable(to_numbers(cells, column.kind))
        blank = in_each(cells, lambda values: values.astype(str).map(is_blank_text)).astype(bool)
        return not (bad if settings.missing == "refuse" else bad & ~blank).any()
    return False
