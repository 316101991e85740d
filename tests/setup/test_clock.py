"""The columns of the time, and its zone."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from occupancy.data.clock import Clock
from occupancy.data.times import read_times
from occupancy.errors import InputError
from occupancy.setup.clock import check_times, find_times, own_zone, settle_zone


def table(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({name: list(map(str, cells)) for name, cells in columns.items()})


@pytest.mark.parametrize(
    "cell",
    [
        "2024-01-31 15:24",
        "2024-01-31T15:24:00.123Z",
        "2021-09-07 00:05 +08:00",
        "31.01.2024 15:24:00",
        "1/31/2024 3:24 PM",
        "1706714640",
        "1706714640000",
        "Jan 31, 2024 15:24",
    ],
)
def test_a_column_of_times_is_found_whatever_its_name(cell: str) -> None:
    assert find_times(table(co2=["400"] * 3, a=[cell] * 3)) == ["a"]


def test_a_date_and_a_time_of_day_belong_together() -> None:
    assert find_times(table(Date=["1/31/2024"], Time=["3:24 PM"], co2=["400"])) == ["Date", "Time"]


def test_of_several_times_the_best_name_wins() -> None:
    moments = ["2024-01-31T15:24:00Z"]
    assert find_times(table(_start=moments, _time=moments, co2=["400"])) == ["_time"]


def test_readings_are_no_times() -> None:
    with pytest.raises(InputError, match="no column holds times"):
        find_times(table(co2=["400", "500"], ratio=["0.1", "0.2"]))


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"time: got 'zeit', expected columns of: when"):
        find_times(table(when=["2024-01-31 15:24"]), ["zeit"])


def test_utc_is_read_in_the_zone_of_this_computer_and_said_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    zone = settle_zone(Clock(0.0), None)
    assert zone.name == "Asia/Tokyo"
    assert "Asia/Tokyo, the zone of this computer" in zone.check


def test_utc_stays_utc_on_a_computer_without_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    assert own_zone() is None
    zone = settle_zone(Clock(0.0), None)
    assert zone.name is None
    assert "time_zone=Europe/Berlin" in zone.check


def test_an_offset_that_is_written_needs_no_zone_and_a_zone_that_is_told_is_taken() -> None:
    assert (settle_zone(Clock(28_800.0), None).name, settle_zone(Clock(28_800.0), None).check) == (None, "")
    assert settle_zone(Clock(0.0), "Europe/Berlin").name == "Europe/Berlin"
    assert settle_zone(None, None).name is None


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (["2024-01-31"] * 3, "all rows have one time"),
        (["2024-01-30"] * 3 + ["2024-01-31"] * 3, "without a time of day"),
    ],
)
def test_rows_without_times_of_their_own_are_refused_with_what_to_name(days: list[str], said: str) -> None:
    with pytest.raises(InputError, match=rf"{said}.*name the column of the time of day too, such as"):
        check_times(pd.DatetimeIndex(days))
    check_times(pd.DatetimeIndex(days) + pd.to_timedelta(range(len(days)), unit="min"))


def test_a_log_of_one_row_is_refused() -> None:
    with pytest.raises(InputError, match="one row with a time, expected two or more"):
        check_times(pd.DatetimeIndex(["2024-01-31 10:00"]))


@pytest.mark.parametrize(("first", "hours"), [("+01:00", "+1 h"), ("+00:00", "+0 h")])
def test_an_offset_that_changes_is_to_be_checked_until_the_zone_is_told(first: str, hours: str) -> None:
    text = pd.Series([f"2024-03-30 10:00:00{first}", "2024-04-01 10:00:00+02:00"])
    moments = read_times(text, "iso", None, None)
    zone = settle_zone(moments.clock, None, moments.changing)
    assert f"all are read {hours} from UTC, as the first" in zone.check
    assert "time_zone=Europe/Berlin" in zone.check
    told = read_times(text, "iso", None, "Europe/Berlin")
    assert settle_zone(told.clock, "Europe/Berlin", told.changing).check == ""
