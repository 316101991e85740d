"""The kind and the unit of columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from occupancy.setup.columns import Column, understand
from occupancy.setup.values import numbers_of, values_of


def understood(name: str, cells: Sequence[object], unit: str = "") -> Column:
    text = pd.Series(map(str, cells))
    return understand(name, unit, values_of(text, numbers_of(text)))


def spread(low: float, high: float) -> list[float]:
    return [float(value) for value in np.linspace(low, high, 200).round(3)]


@pytest.mark.parametrize(
    ("name", "low", "high", "unit"),
    [
        ("temperature", 19, 26, "degC"),
        ("temperature", 66, 79, "degF"),
        ("temperature", 292, 299, "K"),
        ("humidity", 30, 60, "%"),
        ("humidity ratio", 0.003, 0.009, "kg/kg"),
        ("noise", 35, 70, "dB"),
        ("noise", 0.05, 2.2, "V"),
        ("co2", 400, 1500, "ppm"),
        ("co2", 0.04, 0.15, "%"),
        ("light", 0, 500, "lux"),
        ("pressure", 990, 1020, "hPa"),
        ("pressure", 99, 102, "kPa"),
        ("pressure", 99_000, 102_000, "Pa"),
        ("power", 5, 300, "W"),
    ],
)
def test_a_unit_that_is_not_written_is_seen_in_the_range(name: str, low: float, high: float, unit: str) -> None:
    seen = understood(name, spread(low, high))
    assert (seen.role, seen.unit, seen.check) == ("sensor", unit, "")


@pytest.mark.parametrize(
    ("name", "unit", "found"),
    [
        ("Temp (°F)", "", "degF"),
        ("Temp", "°F", "degF"),
        ("temp_f", "", "degF"),
        ("TempF [deg F]", "", "degF"),
    ],
)
def test_a_unit_in_the_header_or_in_a_row_of_units_is_taken(name: str, unit: str, found: str) -> None:
    assert understood(name, spread(66, 79), unit).unit == found


def test_a_unit_that_the_values_contradict_is_doubted() -> None:
    seen = understood("Temp (°F)", spread(19, 26))
    assert seen.unit == "degC"
    assert "degF" in seen.check


def test_words_for_on_and_off_are_motion() -> None:
    seen = understood("binary_sensor.office_motion", ["on", "off", "off", "unavailable"] * 20)
    assert (seen.kind, seen.unit) == ("motion", "0 or 1")


def test_co2_without_a_name_is_seen_by_how_it_rises_and_falls_but_doubted() -> None:
    day = 450 + 400 * np.abs(np.sin(np.linspace(0, 12, 500)))
    seen = understood("ch_3", day.round(1).tolist())
    assert (seen.kind, seen.unit) == ("co2", "ppm")
    assert seen.check


def test_noise_in_the_range_of_co2_is_not_taken_for_it() -> None:
    noise = np.random.default_rng(0).uniform(400, 1200, 500)
    assert understood("ch_3", noise.round(1).tolist()).kind == "other"


@pytest.mark.parametrize(
    ("name", "cells", "reason"),
    [
        ("", range(1, 200), "row numbers"),
        ("Unnamed: 0", range(200), "row numbers"),
        ("comment", ["door open", "x"] * 50, "text"),
        ("empty", [""] * 50, "blank"),
        ("co2", [400] * 50, "reads 400 in all rows"),
        ("lights", [0, 1] * 50, "answer"),
        ("outdoor temperature", spread(-5, 5), "not of the room"),
        ("S5_CO2_Slope", spread(-5, 5), "earlier rows"),
    ],
)
def test_a_column_that_says_nothing_or_too_much_is_left_out(name: str, cells: Sequence[object], reason: str) -> None:
    seen = understood(name, cells)
    assert seen.role == "ignored"
    assert reason in seen.why


def test_a_sensor_that_never_changes_is_named_as_doubtful() -> None:
    assert "broken" in understood("co2", [400] * 50).check


def test_errors_in_a_few_cells_hide_no_unit() -> None:
    assert understood("co2", [*spread(400, 900), -1, 65535, "error"]).unit == "ppm"


@pytest.mark.parametrize("cell", ["20,989", "21.5 oC ?", "0x1A"])
def test_a_sensor_that_is_left_out_as_text_is_to_be_checked(cell: str) -> None:
    seen = understood("Room temperature", [cell] * 50)
    assert seen.role == "ignored"
    assert f"its name says temperature, but its cells, such as {cell!r}, are no numbers" in seen.check
    assert understood("Room temperature", ["20.989", "21.5"] * 25).role == "sensor"


@pytest.mark.parametrize("name", ["remark 2", "outdoor temperature", "temperature_battery"])
def test_text_of_no_sensor_of_the_room_is_left_out_without_a_word(name: str) -> None:
    assert understood(name, ["20,989", "21,200"]).check == ""


def test_words_under_the_name_of_a_sensor_are_no_lost_readings() -> None:
    assert understood("co2_level", ["good", "poor"] * 20).check == ""
