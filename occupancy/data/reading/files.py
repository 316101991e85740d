"""The files of one log as one table of text cells, with a note for everything that was skipped or converted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.data.reading.cells import Cells
from occupancy.data.reading.content import read_content
from occupancy.data.reading.joining import join
from occupancy.data.reading.layout import HEAD, find_layout
from occupancy.data.reading.long_form import find_long_form, pivot
from occupancy.data.reading.number_forms import to_points
from occupancy.data.reading.odd_rows import leave_out, time_columns
from occupancy.data.reading.parsing import as_text, parse_rows
from occupancy.errors import InputError

_NAMES = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}


def read_files(paths: Sequence[Path], most: int, zone: str | None = None, time_format: str | None = None) -> Cells:
    """Return the cells of the files of one log.

    Args:
        paths: the files: rows of other times, or other sensors at the same times.
        most: largest size of a file in bytes, also after it is unpacked.
        zone: the zone of the room, by which rows of several sensors are put in order where clocks go back.
        time_format: the format of the times, where it is known; files that it does not read are recognised.

    Raises:
        InputError: if a file can't be read as a table, or the files do not fit together.
    """
    parts = [read_file(path, most, zone, time_format) for path in paths]
    return parts[0] if len(parts) == 1 else join(parts, zone, time_format)


def read_file(path: Path, most: int, zone: str | None = None, time_format: str | None = None) -> Cells:
    """Return the cells of one file.

    Raises:
        InputError: if it can't be read as a table.
    """
    content = read_content(path, most)
    if isinstance(content, pd.DataFrame):
        frame = as_text(content)
        cells = Cells(frame, np.arange(len(frame), dtype=np.int64) + 1, layout="Parquet")
    else:
        layout = find_layout(content[:HEAD].decode("utf-8-sig", errors="ignore"), path)
        frame, rows = parse_rows(content, layout, path)
        nameless = [name for name, given in zip(frame.columns, layout.names, strict=True) if not given]
        del content  # which may be as large as all that follows
        frame, rows, notes = leave_out(frame, rows, nameless)
        words = f"cells between {_NAMES.get(layout.separator, layout.separator)}, header in row {layout.header + 1}"
        cells = Cells(frame, rows, (*layout.notes, *notes), dict(layout.units), layout=words)
    cells = _in_columns(replace(cells, files=(path,)), zone, time_format)
    frame, units, notes = to_points(cells.frame, time_columns(cells.frame))
    return replace(cells, frame=frame, units={**cells.units, **units}, notes=(*cells.notes, *notes))


def _in_columns(cells: Cells, zone: str | None, time_format: str | None) -> Cells:
    """Return the cells with one column for each sensor."""
    form = find_long_form(cells.frame, time_columns(cells.frame))
    if form is None:
        return cells
    try:
        frame, rows, units, notes = pivot(cells.frame, cells.rows, form, zone, time_format)
    except InputError as error:
        raise InputError(f"{cells.files[0]}: {error}") from None
    return replace(cells, frame=frame, rows=rows, units=units, notes=(*cells.notes, *notes))
