"""Which rows a model with memory runs over: a chain, which carries its state from row to row."""

from __future__ import annotations

import numpy as np
import pandas as pd

from occupancy.arrays import Ints, Rows
from occupancy.data.times import stretches


def runs(times: pd.DatetimeIndex, rows: Rows, past: Rows | None, max_gap: float, causal: bool) -> list[Ints]:
    """Return the positions of the rows that a chain runs over, an array for each run without a gap.

    Every run holds a row that is asked for, and begins where its recording does or where the permitted rows do.
    So where a run begins does not depend on which of the permitted rows are asked for.

    Args:
        times: (N,) sorted times.
        rows: (N,) rows asked for.
        past: (N,) rows that the chain may run over besides them; None for all.
        max_gap: seconds; a longer step between rows is a gap.
        causal: whether a run ends at the last row asked for, since later ones change nothing.
    """
    stretch = stretches(times, np.ones(len(rows), bool) if past is None else rows | past, max_gap)
    found = [np.flatnonzero(stretch == number) for number in np.unique(stretch[rows])]
    return [run[: np.flatnonzero(rows[run])[-1] + 1] for run in found] if causal else found
