"""Missing readings of a log, told in a line or counted: of which sensors, how many, and how long on end."""

from __future__ import annotations

import numpy as np
import pandas as pd

from occupancy.arrays import Rows

LISTED = 6  # sensors that the line lists


def told(missing: pd.DataFrame, held: pd.DataFrame, step_s: float, limit: int) -> list[str]:
    """Return what is to be said of missing readings, in at most two lines.

    Args:
        missing: (N, sensors) which readings are missing.
        held: (N, sensors) which of them hold an earlier one.
        step_s: seconds between rows; NaN if it is not known.
        limit: the most rows for which a reading is held.
    """
    lines = []
    if (stays := _listed(missing & ~held.to_numpy(bool), step_s)) is not None:
        lines.append(f"missing readings, which stay missing: {stays}")
    if (holds := _listed(held, step_s)) is not None:
        lines.append(f"missing readings that hold the last one, for {limit:,} rows at most: {holds}")
    return lines


def counted(missing: pd.DataFrame, held: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return by sensor with missing readings: the rows, how many are missing, the most on end, and how many are held.

    Args:
        missing: (N, sensors) which readings are missing.
        held: (N, sensors) which of them hold an earlier one.
    """
    return {
        str(name): {
            "rows": len(cells),
            "missing": int(cells.sum()),
            "longest": longest_run(cells.to_numpy()),
            "held": int(held[name].sum()),
        }
        for name, cells in missing.items()
        if cells.any()
    }


def _listed(cells: pd.DataFrame, step_s: float) -> str | None:
    counts = cells.sum()
    counts = counts[counts > 0].sort_values(ascending=False, kind="stable")
    if counts.empty:
        return None
    named = []
    for name, count in counts.head(LISTED).items():
        longest = longest_run(cells[name].to_numpy())
        lasting = "" if np.isnan(step_s) else f", {longest * step_s:g} s"
        named.append(f"{name} {count:,} of {len(cells):,} (the longest {longest:,} rows on end{lasting})")
    more = f" and {len(counts) - LISTED} more sensors" if len(counts) > LISTED else ""
    return ", ".join(named) + more


def longest_run(flags: Rows) -> int:
    """Return the length of the longest run of true flags (N,)."""
    return int(runs(flags).max(initial=0))


def runs(flags: Rows) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return for each row how many flags have been true on end up to it, (N,)."""
    row = np.arange(1, len(flags) + 1)
    return np.asarray(row - np.maximum.accumulate(np.where(flags, 0, row)))
