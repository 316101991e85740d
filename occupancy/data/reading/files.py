"""The files of one log as one table of text cells, with a note for everything that was skipped or converted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.arrays import Ints
from occupancy.data.csv_file import read_cells


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
    frame = read_cells(path, most)
    return Cells(frame, np.arange(len(frame)) + 2, files=(path,))
