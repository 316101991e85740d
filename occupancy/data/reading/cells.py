"""The cells of a log's files, before anybody asks what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from occupancy.arrays import Ints


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
        of: (N,) the position in `files` of the file of each row; None if there is one file.
    """

    frame: pd.DataFrame
    rows: Ints
    notes: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    layout: str = ""
    of: Ints | None = None

    def label(self, position: int) -> str:
        """Return how messages call a row: by its line, and its file where there are several."""
        row = f"row {self.rows[position]}"
        return row if self.of is None else f"{row} of {self.files[self.of[position]].name}"

    @property
    def where(self) -> str:
        """How messages call the files."""
        more = f" and {len(self.files) - 3} more" if len(self.files) > 3 else ""
        return ", ".join(map(str, self.files[:3])) + more
