"""A point is a decimal sign, unless whole numbers just below a thousand show that it stands between thousands."""

from __future__ import annotations

import pandas as pd
import pytest

from occupancy.data.reading.number_forms import to_points

TEMPERATURES = ["21.035", "21.040", "22.125", "20.990"]


def read(cells: list[str]) -> list[str]:
    frame, _, _ = to_points(pd.DataFrame({"reading": pd.Categorical(cells)}), [])
    return [*frame["reading"].astype(str)]


@pytest.mark.parametrize(
    "cells",
    [
        [*TEMPERATURES, "-999"],
        [*TEMPERATURES, "-127", "85"],
        [*TEMPERATURES, "999"],
        ["1.200", "1.210", "1.250", "100"],
        ["1.200", "1.210", "1.250", "-999", "-127", "-200", "-300"],
        [f"1.{number:03d}" for number in range(1, 100)] + ["100", "200", "300"],
    ],
)
def test_errors_of_sensors_and_lone_numbers_leave_points_as_decimal_signs(cells: list[str]) -> None:
    assert read(cells) == cells


def test_points_stand_between_thousands_where_whole_numbers_reach_up_to_them() -> None:
    assert read(["987", "1.234", "1.250", "-999"]) == ["987", "1234", "1250", "-999"]
    assert read(["412", "530", "640", "1.234", "1.250"]) == ["412", "530", "640", "1234", "1250"]


def test_a_lone_number_does_not_make_a_comma_one_of_thousands() -> None:
    assert read(["1,200", "1,210", "100"]) == ["1,200", "1,210", "100"]
    assert read(["1,200", "1,210", "987"]) == ["1200", "1210", "987"]
