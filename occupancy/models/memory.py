"""The rows that a model with memory, such as a decoder, runs over."""

from __future__ import annotations

import numpy as np
import pandas as pd

from occupancy.arrays import Ints, Rows
from occupancy.data.times import stretches


def runs(times: pd.DatetimeIndex, rows: Rows, past: Rows | None, max_gap: float, causal: bool) -> list[Ints]:
    """Return the positions of the rows that a chain runs over, an array for each run without a gap.

    Every run holds a row that is asked for. It begins where its recording begins, or where the permitted rows in the
    recording begin, whichever of them are asked for.

    Args:
        times: (N,) sorted times.
        rows: (N,) rows asked for.
        past: (N,) rows that are permitted besides them; None for all rows.
        max_gap: seconds; a longer step between rows is a gap.
        causal: whether a run ends at the last row asked for, because later rows change nothing.
    """
    stretch = stretches(times, np.ones(len(rows), bool) if past is None else rows | past, max_gap)
    found = [np.flatnonzero(stretch == number) for number in np.unique(stretch[rows])]
    return [run[: np.flatnonzero(rows[run])[-1] + 1] for run in found] if causal else found
