"""The files of one log as one table of text cells, with a note for everything that was skipped or converted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.arrays import Ints
from occupancy.data.reading.content import read_content
from occupancy.data.reading.layout import HEAD, find_layout
from occupancy.data.reading.number_forms import to_points
from occupancy.data.reading.odd_rows import leave_out, time_columns
from occupancy.data.reading.parsing import as_text, parse_rows

_NAMES = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}


@dataclass
class Cells:
    """The cells of the files of one log.

    Attributes:
        frame: (N rows) cells as text; each column is a categorical. Cells of sensors are numbers with a decimal point
            where they are numbers.
        rows: (N,) the line of each row in its file, from 1; the header of a clean file is line 1.
        notes: what was skipped, converted or put in another shape, a line each.
        units: the unit of a column, where the file names one.
        files: the files that were read, in the order of their rows.
        layout: how the cells stand in the file, in words.
    """

    frame: pd.DataFrame
    rows: Ints
    notes: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    layout: str = ""


def read_files(paths: Sequence[Path], most: int) -> Cells:
    """Return the cells of the files of one log.

    Args:
        paths: the files: rows of other times, or other sensors at the same times.
        most: largest size of a file in bytes, also after it is unpacked.

    Raises:
        InputError: if a file can't be read as a table, or the files do not fit together.
    """
    (path,) = paths
    return read_file(path, most)


def read_file(path: Path, most: int) -> Cells:
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
    frame, units, notes = to_points(cells.frame, time_columns(cells.frame))
    return replace(cells, frame=frame, units={**cells.units, **units}, notes=(*cells.notes, *notes), files=(path,))
