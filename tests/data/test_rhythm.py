"""Readings of any rhythm on a grid, by the rule of each kind, and what is said of rows that are not regular."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from occupancy.config import Data
from occupancy.data.rhythm import irregular, off_rhythm, on_grid
from occupancy.data.schema import Column, Schema
from occupancy.errors import InputError

ROOM = Schema(
    name="room",
    time=["time"],
    columns=[
        Column(name="warm", kind="temperature", unit="degC"),
        Column(name="moved", kind="motion", unit="0 or 1"),
        Column(name="loud", kind="sound", unit="V"),
    ],
    count="people",
)
START = pd.Timestamp("2024-01-01 10:00:00")
NONE = float("nan")


def gridded(seconds: Any, settings: Any = None, **columns: Any) -> pd.DataFrame:
    index = pd.DatetimeIndex(START + pd.to_timedelta(list(seconds), unit="s"), name="time")
    readings = pd.DataFrame({name: np.asarray(values, float) for name, values in columns.items()}, index)
    return on_grid(readings, ROOM, Data(source="room.csv", **{"step": 60, **(settings or {})}))[0]


def seconds_of(frame: pd.DataFrame) -> list[float]:
    return [float(each) for each in (pd.DatetimeIndex(frame.index) - START).total_seconds()]


def test_a_row_uses_readings_up_to_its_time_and_none_after() -> None:
    frame = gridded([0, 59, 60, 61, 119], warm=[1, 2, 3, 4, 5])
    assert seconds_of(frame) == [0, 60, 120]
    assert frame["warm"].tolist() == [1, 3, 5]


def test_a_temperature_holds_up_to_the_largest_age() -> None:
    seconds = [0, 300, 600]
    frame = gridded(seconds, {"max_age": 120}, warm=[20, NONE, 22], loud=[1, 1, 1])
    assert seconds_of(frame) == [0, 60, 120, 300, 360, 420, 600], "rows without any reading are left out"
    np.testing.assert_array_equal(frame["warm"], [20, 20, 20, NONE, NONE, NONE, 22])


def test_without_a_largest_age_that_of_the_kind_holds() -> None:
    frame = gridded([0, 4000], warm=[20, NONE], loud=[NONE, 1])
    assert frame["warm"].last_valid_index() == START + pd.Timedelta(hours=1)


def test_motion_is_any_in_the_step_and_sound_the_mean() -> None:
    frame = gridded([0, 10, 20, 60, 70, 130], moved=[0, 1, 0, 0, 0, 0], loud=[1, 1, 3, 5, NONE, 4])
    assert seconds_of(frame) == [0, 60, 120, 180]
    assert frame["moved"].tolist() == [0, 1, 0, 0]
    assert frame["loud"].tolist() == [1, 3, 5, 4], "(1 + 3 + 5) / 3, none and then the last one"


@pytest.mark.parametrize("spans", [[300.0, 5400.0, 900.0, 9000.0], [3000.0]])
def test_a_sensor_that_is_written_on_change_holds_for_hours(spans: list[float]) -> None:
    changes = np.cumsum(spans * 20)
    seconds = np.arange(0, changes[-1] + 1, 300.0)
    state = np.searchsorted(changes, seconds, "right") % 2
    moved = np.where(np.isin(seconds, changes), state, NONE)
    frame = gridded(seconds, {"step": 300}, moved=moved, loud=[1.0] * len(seconds))
    during = state[1:] | state[:-1]  # it goes off at the end of a step in which it was on
    np.testing.assert_array_equal(frame["moved"][frame["moved"].notna()], during[int(changes[0]) // 300 - 1 :])
    assert frame["moved"].isna().sum() == changes[0] // 300


def test_a_fine_sensor_that_is_written_regularly_and_falls_out_holds_no_longer_than_its_kind() -> None:
    seconds = np.arange(0, 20 * 3600, 60.0)
    warm = 20 + np.arange(len(seconds)) / 100
    warm[120:900] = NONE
    frame = gridded(seconds, warm=warm, loud=[1.0] * len(seconds))
    last = seconds[119]
    expected = [last < place <= last + 3600 or place in seconds[~np.isnan(warm)] for place in seconds]
    assert frame["warm"].notna().tolist() == expected


def test_a_count_is_that_of_its_step_however_long_counts_hold() -> None:
    columns = {"loud": [1.0] * 6, "people": [1, NONE, NONE, 2, NONE, NONE]}
    frame = gridded([0, 30, 70, 130, 190, 250], {"hold_counts": 600}, **columns)
    np.testing.assert_array_equal(frame["people"], [1, NONE, NONE, 2, NONE, NONE])


def test_later_readings_change_no_earlier_row_of_the_grid() -> None:
    rng = np.random.default_rng(0)
    seconds = np.sort(rng.choice(7200, 300, replace=False)).astype(float)
    columns = {"warm": rng.normal(20, 1, 300), "moved": rng.integers(0, 2, 300), "loud": rng.random(300)}
    whole = gridded(seconds, **columns)
    early = seconds <= 3600
    part = gridded(seconds[early], **{name: values[early] for name, values in columns.items()})
    pd.testing.assert_frame_equal(part[:"2024-01-01 10:59:00"], whole[:"2024-01-01 10:59:00"])


def test_a_step_of_which_the_rows_would_not_fit_into_memory_is_refused() -> None:
    with pytest.raises(InputError, match=r"data.step: got 0.5 s, which makes 31,536,001 rows.*give a longer step"):
        gridded([0, 31_536_000 / 2], {"step": 0.5}, warm=[1, 2])


def times_of(steps: Sequence[float]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(START + pd.to_timedelta(np.concatenate([[0], np.cumsum(steps)]), unit="s"))


def test_a_stretch_at_another_step_is_told_with_what_cures_it() -> None:
    times = times_of([60.0] * 2000 + [20.0] * 90 + [60.0] * 100)
    said = irregular(times, 120)
    assert said.startswith(f"90 rows, the first at {times[2001]}, come every 20 s, not every 60 s")
    assert said.endswith("put the readings on a grid with data.step=60s")
    assert off_rhythm(times, 60, 120).nonzero()[0].tolist() == list(range(2001, 2091))


def test_rows_that_are_not_regular_are_told_by_their_share() -> None:
    said = irregular(times_of([60.0] * 90 + [10.0, 100.0] * 5), 120)
    assert said.startswith("the rows are not regular: 10% of the steps differ by more than half from the usual 60 s")


@pytest.mark.parametrize("steps", [[30.0, 31.0] * 100, [60.0] * 99 + [9000.0] + [60.0] * 99, [60.0] * 5])
def test_clocks_that_drift_pauses_and_few_rows_are_regular(steps: list[float]) -> None:
    assert not irregular(times_of(steps), 120)


def test_nothing_holds_on_from_where_a_device_says_that_it_has_no_reading() -> None:
    index = pd.DatetimeIndex(START + pd.to_timedelta([0, 60, 120, 300, 360], unit="s"), name="time")
    readings = pd.DataFrame({"warm": [20, NONE, NONE, 22, NONE], "moved": [1, NONE, NONE, NONE, 0], "loud": 1.0}, index)
    settings = Data(source="room.csv", step=60)
    blank, _ = on_grid(readings, ROOM, settings)
    gone = pd.DataFrame({"warm": [0, 1, 0, 0, 0], "moved": [0, 0, 1, 0, 0], "loud": [0] * 5}, index).astype(bool)
    said, carried = on_grid(readings, ROOM, settings, gone)
    np.testing.assert_array_equal(blank["warm"], [20, 20, 20, 20, 20, 22, 22])
    np.testing.assert_array_equal(said["warm"], [20, NONE, NONE, NONE, NONE, 22, 22])
    np.testing.assert_array_equal(said["moved"], [1, 1, NONE, NONE, NONE, NONE, 0])
    assert not carried["warm"].iloc[1:5].any(), "what is missing is carried from nowhere"
