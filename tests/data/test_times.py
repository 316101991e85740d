from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.data.times import label_runs, parse_times, recordings, suggest_format
from occupancy.errors import InputError


def test_what_earlier_work_left_in_memory_raises_no_warning_for_unreadable_times() -> None:
    text = pd.Series(["2017/12/22 x"] * 50)
    for _ in range(20):
        left = [np.full(len(text), 1e308) for _ in range(200)]
        del left
        assert parse_times(text, "%Y/%m/%d day-fraction").isna().all()


def parsed(text: str, time_format: str) -> pd.Timestamp:
    return parse_times(pd.Series([text]), time_format).iloc[0]


@pytest.mark.parametrize(
    ("text", "time_format", "expected"),
    [
        ("2017/12/22 10:49:41", "%Y/%m/%d %H:%M:%S", "2017-12-22 10:49:41"),
        ("12/22/2017 10:49:41", "%m/%d/%Y %H:%M:%S", "2017-12-22 10:49:41"),
        ("22.12.2017 10:49", "%d.%m.%Y %H:%M", "2017-12-22 10:49:00"),
        ("12/22/2017 10:49:41 PM", "%m/%d/%Y %I:%M:%S %p", "2017-12-22 22:49:41"),
        ("2017/12/22 0.451168981481481", "%Y/%m/%d day-fraction", "2017-12-22 10:49:41"),
        ("2017/12/22 0.451169", "%Y/%m/%d day-fraction", "2017-12-22 10:49:41"),
        ("2017/12/22 0", "%Y/%m/%d day-fraction", "2017-12-22 00:00:00"),
        ("12/22/2017 0.5", "%m/%d/%Y day-fraction", "2017-12-22 12:00:00"),
        ("22 Dec 2017 0.5", "%d %b %Y day-fraction", "2017-12-22 12:00:00"),
        ("2017/12/22 0.9999999", "%Y/%m/%d day-fraction", "2017-12-23 00:00:00"),
    ],
)
def test_a_time_is_read_in_its_format(text: str, time_format: str, expected: str) -> None:
    assert parsed(text, time_format) == pd.Timestamp(expected)


@pytest.mark.parametrize(
    ("text", "time_format"),
    [
        ("12/22/2017 10:49:41", "%Y/%m/%d %H:%M:%S"),
        ("2017/12/22 10:49", "%Y/%m/%d %H:%M:%S"),
        ("2017/12/22 10:49:41 and more", "%Y/%m/%d %H:%M:%S"),
        ("2017/12/22 24:00:00", "%Y/%m/%d %H:%M:%S"),
        ("2017/02/29 10:49:41", "%Y/%m/%d %H:%M:%S"),
        ("9999/12/22 10:49:41", "%Y/%m/%d %H:%M:%S"),
        ("", "%Y/%m/%d %H:%M:%S"),
        ("2017/12/22 10:49:41", "%Y/%m/%d day-fraction"),
        ("2017/12/22 1.0", "%Y/%m/%d day-fraction"),
        ("2017/12/22 -0.1", "%Y/%m/%d day-fraction"),
        ("2017/12/22", "%Y/%m/%d day-fraction"),
        ("0.5", "%Y/%m/%d day-fraction"),
        ("", "%Y/%m/%d day-fraction"),
    ],
)
def test_a_time_in_another_format_is_none(text: str, time_format: str) -> None:
    assert pd.isna(parsed(text, time_format))


@pytest.mark.parametrize(
    "time_format", ["%Q", "%", "%Y %Y", "%Q day-fraction", "day-fraction", "mixed", "ISO8601", "foo"]
)
def test_what_is_no_format_is_refused(time_format: str) -> None:
    said = f"time_format: got {time_format!r}, expected a strptime format such as '%Y-%m-%d %H:%M:%S'"
    with pytest.raises(InputError, match=f"^{re.escape(said)}"):
        parse_times(pd.Series(["2017/12/22 10:49:41"]), time_format)


@given(st.integers(0, 86_399))
def test_a_fraction_of_a_day_gives_back_its_second(second: int) -> None:
    at = pd.Timestamp("2017-12-22") + pd.Timedelta(seconds=second)
    assert parsed(f"2017/12/22 {second / 86_400:.9f}", "%Y/%m/%d day-fraction") == at


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        (["2017/12/22 10:49:41", "2017/12/23 10:49:41"], "='%Y/%m/%d %H:%M:%S'"),
        (["12/22/2017 10:49:41"], "='%m/%d/%Y %H:%M:%S'"),
        (["2017/12/22 0.45", "2017/12/22 0.46"], "='%Y/%m/%d day-fraction'"),
        (["12/22/17 10:49:41 PM"], "='%m/%d/%y %I:%M:%S %p'"),
        (["2017-12-22 10:49"], "='iso'"),
    ],
)
def test_the_format_that_fits_every_time_is_suggested(texts: list[str], named: str) -> None:
    assert suggest_format(pd.Series(texts)) == named


def test_of_several_formats_those_that_sort_the_log_are_suggested() -> None:
    days = pd.Series(["01/02/2018 10:00:00", "02/02/2018 10:00:00", "01/03/2018 10:00:00"])
    assert suggest_format(days) == "='%d/%m/%Y %H:%M:%S'"
    assert suggest_format(days[:1]) == "='%m/%d/%Y %H:%M:%S' or '%d/%m/%Y %H:%M:%S'"
    back_and_forth = pd.Series(["03/01/2018 10:00:00", "02/02/2018 10:00:00", "01/03/2018 10:00:00", *days])
    assert suggest_format(back_and_forth) == "='%m/%d/%Y %H:%M:%S' or '%d/%m/%Y %H:%M:%S'"


def test_where_no_format_fits_it_is_said_what_one_is() -> None:
    said = " to a strptime format (day-fraction is a fraction of a day), or correct the cells"
    assert suggest_format(pd.Series(["2017/12/22 10:49:41", "yesterday"])) == said


def test_a_step_longer_than_the_gap_begins_a_recording() -> None:
    times = pd.DatetimeIndex(pd.Timestamp("2024-01-01") + pd.to_timedelta([0, 30, 150, 271, 301], unit="s"))
    assert recordings(times, 120.0).tolist() == [0, 0, 0, 1, 1]
    assert recordings(times, 29.0).tolist() == [0, 1, 2, 3, 4]
    assert recordings(times[:1], 120.0).tolist() == [0]
    assert recordings(times[:0], 120.0).tolist() == []


def test_a_run_of_equal_counts_ends_where_the_count_changes() -> None:
    assert label_runs(np.array([1, 1, 0, 0, 0, 1])).tolist() == [0, 0, 1, 1, 1, 2]
    assert label_runs(np.array([3])).tolist() == [0]
