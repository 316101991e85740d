"""What the recursion reads of rows: steps that are rounded for each row alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.random import default_rng

from occupancy.models.room_model.record import Record


def lengths_h(seconds: list[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    times = pd.DatetimeIndex(pd.Timestamp("2024-01-01") + pd.to_timedelta(np.cumsum([0.0, *seconds]), unit="s"))
    rows, nothing = len(times), np.full(len(times), np.nan)
    record = Record.of([np.arange(rows)], times, times, nothing, {}, np.ones(rows), np.full(rows, -1))
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = record.lengths_h[record.pace]
    return found


def test_the_steps_of_later_rows_do_not_change_those_of_earlier_ones() -> None:
    first = [61.0, 62.0, 63.0, 64.0, 65.0, 66.0]
    later = default_rng(0).uniform(20.0, 5000.0, 500).tolist()
    np.testing.assert_array_equal(lengths_h([*first, *later])[:7], lengths_h(first))


def test_steps_keep_two_digits() -> None:
    np.testing.assert_allclose(lengths_h([30.0, 31.0, 149.0, 3605.0])[1:] * 3600, [30.0, 31.0, 150.0, 3600.0])
