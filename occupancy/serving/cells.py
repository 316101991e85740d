"""The types of the cells of a frame: what a program sends may be neither a number nor text."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd

from occupancy.data.cells import LISTED_CELLS
from occupancy.data.schema import Schema
from occupancy.errors import InputError, typed

_NUMBERS = (int, float, np.integer, np.floating)
_TEXT = (str, type(None), type(pd.NA))  # a cell may be missing; the gate says what is to be done about it
_TIMES = (datetime.date, datetime.time, np.datetime64, type(pd.NaT))


def check_types(frame: pd.DataFrame, schema: Schema) -> None:
    """Check that the cells of sensors are numbers or text, and those of time columns times, numbers or text.

    A truth value is neither: Python would count it as 0 or 1.

    Args:
        frame: the cells of N rows; columns that the schema does not know are not looked at.
        schema: the columns of the log.

    Raises:
        InputError: some are not; it names the first by row, column and type.
    """
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"the frame: got a {type(frame).__name__}, expected a pandas DataFrame with named columns")
    found = []
    for columns, allowed in ((schema.sensors, _NUMBERS + _TEXT), (schema.time, _NUMBERS + _TEXT + _TIMES)):
        for column in columns:
            cells = frame[column] if column in frame.columns else pd.Series(dtype=float)
            if isinstance(cells, pd.Series):  # of a column that is there twice, the gate says so
                found += [f"row {row} {column} {typed(cell)}" for row, cell in _wrong(cells, allowed)]
    if found:
        more = f" and {len(found) - LISTED_CELLS} more" if len(found) > LISTED_CELLS else ""
        told = ", ".join(found[:LISTED_CELLS]) + more
        raise InputError(f"the frame: wrong type ({len(found)}): {told}; give a number or text in every cell")


def _wrong(cells: pd.Series[Any], allowed: tuple[type, ...]) -> list[tuple[int, Any]]:
    """Return position and value of the cells of other types, or of numbers that no float holds."""
    if cells.dtype.kind in "iuf":
        return []
    values = list(cells.cat.categories) if isinstance(cells.dtype, pd.CategoricalDtype) else list(cells)
    if all(kind in {str, float, type(None)} for kind in set(map(type, values))):
        return []
    return [(row, cell) for row, cell in enumerate(list(cells)) if not _fits(cell, allowed)]


def _fits(cell: Any, allowed: tuple[type, ...]) -> bool:
    if isinstance(cell, bool) or not isinstance(cell, allowed):
        return False
    try:
        return not isinstance(cell, int) or float(cell) == float(cell)
    except OverflowError:
        return False
