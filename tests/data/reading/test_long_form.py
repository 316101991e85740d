"""A sensor of a log with one row for each reading has one unit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from occupancy.data.reading.files import read_file
from occupancy.errors import InputError

HEADER = "time,sensor,value,unit"


def written(units: list[str], folder: Path) -> Path:
    path = folder / "log.csv"
    rows = [f"2024-01-22 10:{minute:02d}:00,plug,{400 + minute},{unit}" for minute, unit in enumerate(units)]
    rows += [f"2024-01-22 10:{minute:02d}:00,air,{20 + minute / 10},°C" for minute in range(len(units))]
    path.write_text("\n".join([HEADER, *rows]))
    return path


def test_a_unit_that_changes_is_refused_with_its_row(tmp_path: Path) -> None:
    said = "plug: its unit changes from W to kW at row 7; write its readings in one unit"
    with pytest.raises(InputError, match=re.escape(said)):
        read_file(written(["W"] * 5 + ["kW"] * 15, tmp_path), 1_000_000)


@pytest.mark.parametrize("others", [["W"], ["watt"], [""], ["w"]])
def test_one_unit_may_be_written_in_several_ways_or_be_left_out(others: list[str], tmp_path: Path) -> None:
    cells = read_file(written(["W"] * 5 + others * 15, tmp_path), 1_000_000)
    assert cells.units == {"plug": "W", "air": "°C"}


@pytest.mark.parametrize("time_format", [None, "iso", "%Y-%m-%d %H:%M:%S"])
def test_a_broken_time_is_named_by_its_row_and_heals_as_advised(time_format: str | None, tmp_path: Path) -> None:
    path = written(["W"] * 20, tmp_path)
    rows = path.read_text().split("\n")
    path.write_text("\n".join([*rows[:8], rows[8].replace("10:07:00", "10:7x"), *rows[9:]]))
    said = "unreadable time (1): row 9 '2024-01-22 10:7x'; correct the time, or delete the row"
    with pytest.raises(InputError, match=re.escape(said)):
        read_file(path, 1_000_000, time_format=time_format)
    path.write_text("\n".join([*rows[:8], *rows[9:]]))
    assert len(read_file(path, 1_000_000, time_format=time_format).frame) == 20
