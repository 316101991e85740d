"""Several files of one room are read as each is alone, or refused with the file and the row."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from occupancy.data.reading import read_files
from occupancy.errors import InputError


def put(folder: Path, name: str, begin: str, time_format: str, broken: int | None = None) -> Path:
    times = [*pd.date_range(begin, periods=96, freq="h").strftime(time_format)]
    if broken is not None:
        times[broken - 2] = "noon"
    path = folder / name
    path.write_text("\n".join(["when,temperature", *(f"{time},{20 + row}" for row, time in enumerate(times))]))
    return path


@pytest.mark.parametrize("known", [None, "iso"])
def test_a_broken_time_of_one_file_is_named_by_file_and_row(known: str | None, tmp_path: Path) -> None:
    paths = [
        put(tmp_path, "a.csv", "2024-03-02", "%Y-%m-%d %H:%M"),
        put(tmp_path, "b.csv", "2024-03-08", "%Y-%m-%d %H:%M", 9),
    ]
    said = "b.csv: unreadable time (1): row 9 'noon'; correct the time, or delete the row"
    with pytest.raises(InputError, match=re.escape(said)):
        read_files(paths, 1_000_000, None, known)


def test_a_second_file_of_another_order_of_day_and_month_is_not_read_as_the_first(tmp_path: Path) -> None:
    paths = [
        put(tmp_path, "a.csv", "2024-02-20", "%d/%m/%Y %H:%M"),
        put(tmp_path, "b.csv", "2024-03-02", "%m/%d/%Y %H:%M"),
    ]
    with pytest.raises(InputError, match=re.escape("set data.time_format='%m/%d/%Y %H:%M'")):
        read_files(paths, 1_000_000, None, "%d/%m/%Y %H:%M")
    frame = read_files(paths, 1_000_000).frame
    times = pd.to_datetime(frame["when"].astype(str), format="ISO8601")
    assert times.iloc[96:].tolist() == [*pd.date_range("2024-03-02", periods=96, freq="h")]
