from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.data.times import format_of, label_runs, parse_times, read_times, recognise, recordings, suggest_format
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


@pytest.mark.parametrize(
    ("text", "time_format"),
    [
        ("01/02/2024 03:00:00 PM +0100", "%m/%d/%Y %I:%M:%S %p %z"),
        ("01/02/2024 03:00 PM+01:00", "%m/%d/%Y %I:%M %p%z"),
        ("2024-01-02 15.00+0100", "%Y-%m-%d %H.%M%z"),
    ],
)
def test_an_offset_behind_any_time_of_day_is_kept(text: str, time_format: str) -> None:
    assert parsed(text, time_format) == pd.Timestamp("2024-01-02 15:00")


def test_an_offset_that_is_not_at_the_end_is_refused() -> None:
    with pytest.raises(InputError, match="%z has to be at its end"):
        parsed("+0100 2024-01-02 15:00", "%z %Y-%m-%d %H:%M")
    with pytest.raises(InputError, match=re.escape("the offset of '2024-01-02 15:00+01:00:30' is none of")):
        parsed("2024-01-02 15:00+01:00:30", "%Y-%m-%d %H:%M%z")


@pytest.mark.parametrize(("digits", "name"), [(0, "epoch_s"), (3, "epoch_ms"), (6, "epoch_us"), (9, "epoch_ns")])
@pytest.mark.parametrize("broken", [[], ["?"]])
def test_seconds_since_1970_and_parts_of_them_are_recognised_and_read(
    digits: int, name: str, broken: list[str]
) -> None:
    seconds = [1_706_000_000 + 30 * number for number in range(20)]
    text = pd.Series([f"{second}{'0' * digits}" for second in seconds])
    assert recognise(text) == name
    times = parse_times(pd.Series([*text, *broken]), name)
    assert times[:20].tolist() == [pd.Timestamp(second, unit="s") for second in seconds]
    assert times[20:].isna().all()
    assert read_times(pd.Series([*text, *broken]), None, "%Y-%m-%d %H:%M", None).times.notna().sum() == 20


def test_parts_of_a_second_are_kept() -> None:
    assert parsed("1706000000123456", "epoch_us") == pd.Timestamp("2024-01-23 08:53:20.123456")
    assert parsed("1706000000123456000", "epoch_ns") == pd.Timestamp("2024-01-23 08:53:20.123456")


def hourly(begin: str, time_format: str, days: int = 5) -> pd.Series[str]:
    return pd.Series(pd.date_range(begin, periods=24 * days, freq="h").strftime(time_format))


@pytest.mark.parametrize("date", ["%y-%m-%d", "%y/%m/%d", "%y.%m.%d", "%d-%m-%y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y"])
@pytest.mark.parametrize("begin", ["2024-02-10", "2024-03-02", "2012-11-05", "2023-12-30"])
def test_the_order_of_day_month_and_year_is_found_by_the_days_that_follow_each_other(date: str, begin: str) -> None:
    text = hourly(begin, f"{date} %H:%M")
    times = read_times(text, None, None, None).times
    assert times.tolist() == pd.date_range(begin, periods=120, freq="h").tolist()


@pytest.mark.parametrize("written", ["%m.%d.%Y %H:%M", "%Y-%d-%m %H:%M", "%Y/%d/%m %H:%M"])
def test_dates_in_an_order_that_is_not_known_are_refused_where_each_day_becomes_a_month(written: str) -> None:
    text = hourly("2024-03-02", written)
    with pytest.raises(InputError, match=r"leap by months or years from day to day .* set data.time_format to"):
        recognise(text)
    with pytest.raises(InputError, match="leap by months"):
        read_times(text, None, None, None)
    begin = pd.Timestamp("2024-03-02")
    assert read_times(text, written, None, None).times.tolist()[:25][-1] == begin + pd.Timedelta("1D")


@pytest.mark.parametrize(
    ("right", "schema"), [("%m/%d/%Y", "%d/%m/%Y"), ("%d/%m/%Y", "%m/%d/%Y"), ("%y-%m-%d", "%d-%m-%y")]
)
def test_a_format_of_the_schema_that_makes_days_leap_is_refused_with_the_better_one(right: str, schema: str) -> None:
    text = hourly("2024-03-02", f"{right} %H:%M")
    said = f"when read as '{schema} %H:%M'; set data.time_format='{right} %H:%M'"
    for read in (
        lambda: read_times(text, None, f"{schema} %H:%M", None),
        lambda: format_of(text, f"{schema} %H:%M", str),
    ):
        with pytest.raises(InputError, match=re.escape(said)):
            read()
    assert read_times(text, f"{schema} %H:%M", None, None).times.notna().all()  # who asks for it gets it


def test_a_log_of_firsts_of_months_is_read_as_the_schema_says() -> None:
    text = pd.Series(
        ["01.02.2024 10:00", "01.03.2024 10:00", "01.04.2024 10:00", "15.04.2024 10:00", "16.04.2024 10:00"]
    )
    assert read_times(text, None, "%d.%m.%Y %H:%M", None).times.iloc[1] == pd.Timestamp("2024-03-01 10:00")


def test_of_formats_that_read_most_times_the_one_that_reads_all_is_taken() -> None:
    days = pd.date_range("2024-01-01", periods=13, freq="D")
    text = pd.Series([*days.strftime("%m/%d/%Y")]).repeat(24).reset_index(drop=True)
    text = text + [f" {hour:02d}:00" for hour in range(24)] * 13
    assert read_times(text, None, None, None).times.iloc[-1] == pd.Timestamp("2024-01-13 23:00")


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
