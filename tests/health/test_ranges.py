from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from occupancy.health.examine import examine
from tests.health.made_logs import alone, changed, found, log_of, office, profile, third_day, with_unit


def test_error_codes_are_found_by_their_rows_and_nothing_else_is() -> None:
    frame = changed(changed(third_day(), "co2", -1, 50, 54), "co2", 65535, 130, 131)
    (finding,) = found(frame, profile())
    assert np.flatnonzero(finding.rows).tolist() == [50, 51, 52, 53, 130]
    assert (finding.sensors, finding.fault, finding.surety) == (("co2",), "impossible", "certain")
    assert "reads -1, 65535 ppm in 5 rows" in str(finding)
    assert "2024-01-03 09:50 to 11:10);" in str(finding), "a frame has no lines"
    titled = dataclasses.replace(finding, lines=np.arange(len(finding.rows)) + 4)
    assert "11:10, rows 54 to 57, 134);" in str(titled)
    newest_first = dataclasses.replace(finding, lines=np.arange(len(finding.rows))[::-1] + 2)
    last = len(finding.rows) + 1
    assert f"rows {last - 53} to {last - 50}, {last - 130});" in str(newest_first)
    assert finding.named == frame.index[50]


@pytest.mark.parametrize(("code", "rows"), [(85.0, 3), (-127.0, 1), (9999.0, 2)])
def test_a_thermometer_that_fails_now_and_then_is_told(code: float, rows: int) -> None:
    (finding,) = found(changed(third_day(), "temperature", code, 40, 40 + rows))
    assert (finding.fault, finding.rows.sum()) == ("impossible", rows)


def test_a_code_that_could_be_a_reading_counts_only_far_from_all_others() -> None:
    winter = np.linspace(-6.0, 3.0, 600).round(1)
    assert (winter == -1.0).any()
    assert examine(alone(temperature=winter)) == []
    (finding,) = examine(alone(temperature=np.where(np.arange(600) == 77, -1.0, winter + 22)))
    assert np.flatnonzero(finding.rows).tolist() == [77]


def test_sound_in_decibels_is_another_unit_in_every_row() -> None:
    frame = third_day().assign(sound=20 * np.log10(third_day()["sound"] / 0.001))
    (finding,) = found(frame, profile())
    assert (finding.sensors, finding.fault, finding.surety) == (("sound",), "unit", "certain")
    assert finding.rows.all()
    high = profile().sensors["sound"].high
    assert f"above all that the model was trained on ({high:g} V) in 100 % of the rows" in finding.what
    assert "these fit dB" in str(finding)
    assert (finding.named - frame.index[0]).total_seconds() <= 1800


def test_degrees_fahrenheit_where_celsius_are_said_are_another_unit() -> None:
    (finding,) = found(third_day().assign(temperature=third_day()["temperature"] * 1.8 + 32), profile())
    assert finding.fault == "unit"
    assert finding.rows.all()
    assert "fit degF" in finding.what


def test_the_same_readings_are_right_in_the_unit_that_is_said() -> None:
    warm = np.linspace(70.0, 76.0, 600).round(1)
    assert [each.fault for each in examine(alone(temperature=warm))] == ["unit"]
    assert examine(with_unit(alone(temperature=warm), "degF")) == []


def test_co2_below_all_outdoor_air_is_shifted_in_every_row() -> None:
    frame = third_day().assign(co2=third_day()["co2"] - 200)
    (finding,) = found(frame, profile())
    assert (finding.sensors, finding.fault) == (("co2",), "shifted")
    assert finding.rows.all()
    below = (frame["co2"] < profile().sensors["co2"].low).mean()
    assert f"below all that the model was trained on (345 ppm) in {below * 100:.0f} % of the rows" in finding.what


def test_a_motion_sensor_that_knows_one_value_never_changes() -> None:
    ones = office().frame["motion"].replace(0.0, np.nan)
    findings = {each.fault: each for each in found(office().frame.assign(motion=ones))}
    assert {*findings} == {"missing", "constant"}
    assert "never changes: it reads 1 in all" in findings["constant"].what
    assert f"none in {ones.isna().sum():,}" in findings["constant"].what
    assert "write 0 there" in findings["constant"].remedy


def test_the_remedy_for_motion_of_one_value_heals() -> None:
    ones = office().frame["motion"].replace(0.0, np.nan)
    assert found(office().frame.assign(motion=ones.fillna(0.0))) == []


def test_co2_that_never_changes_in_a_day_with_people_is_told_so() -> None:
    (finding,) = found(office().frame.assign(co2=400.0))
    assert "never changes, it reads 400 ppm in 4,320 rows" in finding.what
    assert "while others show people for" in finding.what


def test_a_room_that_nobody_is_in_may_stay_as_it_is() -> None:
    night = office().frame.loc["2024-01-02 00:00":"2024-01-02 06:00"]
    assert (night["people"] == 0).all()
    assert found(night.assign(motion=0.0, temperature=21.0)) == []
    assert examine(log_of(night.assign(motion=0.0)), profile()) == []
