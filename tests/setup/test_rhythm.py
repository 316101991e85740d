"""The step of a log."""

from __future__ import annotations

import numpy as np
import pandas as pd

from occupancy.setup.rhythm import Rhythm, rhythm_of

START = pd.Timestamp("2024-01-01")


def times(steps_s: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(START + pd.to_timedelta(np.concatenate([[0], np.cumsum(steps_s)]), unit="s"))


def rhythm(steps_s: np.ndarray, asked_s: float | None = None) -> Rhythm:
    index = times(steps_s)
    return rhythm_of(index, [np.ones(len(index), bool)], np.zeros(len(index)), asked_s)


def test_a_regular_log_needs_no_grid_and_a_gap_of_one_row_does_not_break_it() -> None:
    found = rhythm(np.full(500, 300.0))
    assert (found.grid_s, found.max_gap_s, found.why) == (None, 750.0, "regular, a row every 300 s")


def test_a_second_more_or_less_and_missing_rows_are_no_reason_for_a_grid() -> None:
    steps = np.resize([59.0, 60.0, 61.0], 900)
    steps[::90] = 120
    steps[400] = 86_400
    assert rhythm(steps).grid_s is None


def test_event_driven_rows_are_put_on_a_grid() -> None:
    steps = np.random.default_rng(0).exponential(40, 3000).round() + 1
    found = rhythm(steps)
    assert found.grid_s in (30, 60)
    assert "not regular" in found.why


def test_a_stretch_at_another_step_is_named() -> None:
    found = rhythm(np.concatenate([np.full(2000, 60.0), np.full(90, 20.0), np.full(500, 60.0)]))
    assert found.grid_s == 60
    assert "every 20 s, not every 60 s" in found.why


def test_sensors_with_rhythms_of_their_own_are_put_on_the_grid_of_the_fastest() -> None:
    index = times(np.full(3000, 30.0))
    every = np.arange(len(index))
    found = rhythm_of(index, [every % 4 == 0, every % 10 == 3], np.zeros(len(index)), None)
    assert found.grid_s == 120
    assert "120 to 300 s" in found.why


def test_the_step_that_is_asked_for_is_taken() -> None:
    assert rhythm(np.full(500, 10.0), asked_s=60).grid_s == 60


def test_counts_that_are_written_on_change_hold_until_the_next_one() -> None:
    index = times(np.random.default_rng(0).exponential(40, 3000).round() + 1)
    counts = np.where(np.arange(len(index)) % 50 == 0, np.arange(len(index)) // 50 % 3, np.nan)
    found = rhythm_of(index, [np.ones(len(index), bool)], counts, None)
    assert found.hold_counts_s == 86_400
    assert "each holds until the next" in found.check


def test_counts_that_are_coarser_than_the_sensors_are_named_with_the_remedy_and_not_held() -> None:
    index = times(np.full(900, 60.0))
    counts = np.where(np.arange(len(index)) % 15 == 0, 1.0, np.nan)
    found = rhythm_of(index, [np.ones(len(index), bool)], counts, None)
    assert found.hold_counts_s is None
    assert "hold_counts=900s" in found.check
