from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from occupancy.data.schema import Column, Schema
from occupancy.errors import InputError
from occupancy.serving.cells import check_types

SCHEMA = Schema(
    name="den",
    time=["time"],
    time_format="%Y",
    columns=[Column(name="air", kind="co2", unit="ppm"), Column(name="warm", kind="other", unit="x", optional=True)],
    count="people",
)


def frame(*cells: Any) -> pd.DataFrame:
    return pd.DataFrame({"time": "2024", "air": pd.Series(list(cells), dtype=object)})


@pytest.mark.parametrize(
    "cells",
    [[1, 2.5], ["1", "2.5"], [None, np.nan], [np.float32(1), np.int8(2)], [pd.NA, 1.0], [], [float("inf")]],
)
def test_numbers_and_text_pass(cells: list[Any]) -> None:
    check_types(frame(*cells), SCHEMA)
    check_types(frame(*cells).infer_objects(), SCHEMA)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (True, r"True \(bool\)"),
        (np.True_, r"(np\.)?True_? \(bool_?\)"),
        ([1, 2], r"\[1, 2\] \(list\)"),
        ({"a": 1}, r"\{'a': 1\} \(dict\)"),
        (1j, r"1j \(complex\)"),
        (b"1", r"b'1' \(bytes\)"),
        pytest.param(10**400, r"1000+\.\.\.0+ \(int\)", id="long"),
        pytest.param(10**9000, r"a number of thousands of digits \(int\)", id="longer"),
        (pd.Timestamp("2024"), r"Timestamp.* \(Timestamp\)"),
        pytest.param(["x" * 10**6], r"\['x+\.\.\.x+'\] \(list\)", id="long text"),
    ],
)
def test_anything_else_is_refused_by_row_column_and_type(cell: Any, shown: str) -> None:
    with pytest.raises(InputError, match=rf"^the frame: wrong type \(1\): row 1 air {shown}; give a number or text"):
        check_types(frame(400.0, cell), SCHEMA)


def test_a_whole_column_of_truth_values_is_refused_and_not_all_are_named() -> None:
    with pytest.raises(InputError, match=r"wrong type \(20\): row 0 air True \(bool\), .* and 10 more; give"):
        check_types(pd.DataFrame({"air": [True] * 20}), SCHEMA)


def test_times_may_be_times() -> None:
    for time in (pd.Timestamp("2024"), datetime.date(2024, 1, 1), 2024, "2024", None):
        check_types(pd.DataFrame({"time": pd.Series([time], dtype=object)}), SCHEMA)
    with pytest.raises(InputError, match=r"row 0 time \[\] \(list\)"):
        check_types(pd.DataFrame({"time": [[]]}), SCHEMA)


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(InputError, match="got a list, expected a pandas DataFrame"):
        check_types([1], SCHEMA)  # type: ignore[arg-type]
