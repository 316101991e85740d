from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from occupancy.health.examine import examine
from tests.health.made_logs import alone, changed, found, log_of, office, profile, third_day

ROW = 150


def test_a_unit_that_changes_in_mid_file_is_found_at_its_row() -> None:
    celsius = third_day()["temperature"]
    frame = changed(third_day(), "temperature", celsius[ROW:] * 1.8 + 32, ROW)
    (finding,) = found(frame)
    assert (finding.sensors, finding.fault, finding.surety) == (("temperature",), "unit", "certain")
    assert np.flatnonzero(finding.rows).tolist() == [*range(ROW, len(frame))]
    assert "which fits a change from degC to degF" in finding.what
    assert finding.named == frame.index[ROW + 4]


def test_the_rows_before_the_change_are_the_wrong_ones_where_these_do_not_fit_the_unit() -> None:
    celsius = third_day()["temperature"]
    (finding,) = found(changed(third_day(), "temperature", celsius[:ROW] * 1.8 + 32, 0, ROW))
    assert np.flatnonzero(finding.rows).tolist() == [*range(ROW)]


@pytest.mark.parametrize("shift", [-200, 300])
def test_co2_that_is_shifted_for_some_hours_is_wrong_up_to_its_jump_back(shift: int) -> None:
    co2 = third_day()["co2"]
    findings = found(changed(third_day(), "co2", co2[ROW : ROW + 240] + shift, ROW, ROW + 240), profile())
    assert {(each.sensors, each.fault) for each in findings} == {(("co2",), "shifted")}
    assert np.flatnonzero(findings[0].rows).tolist() == [*range(ROW, ROW + 240)]
    assert findings[0].surety == "likely"


def test_a_sensor_that_jumped_and_stopped_is_believed_again_when_it_goes_on() -> None:
    frame = changed(third_day(), "co2", 1200.0, ROW, ROW + 240)
    assert abs(frame["co2"].iloc[ROW + 240] - 1200) > 250
    (finding,) = found(frame, profile())
    assert np.flatnonzero(finding.rows).tolist() == [*range(ROW, ROW + 240)]


def test_a_comma_that_slipped_is_a_factor() -> None:
    warm = 25 + 0.2 * np.sin(np.arange(400) / 50)
    (finding,) = examine(alone(temperature=np.where(np.arange(400) < ROW, warm, warm * 0.1)))
    assert "a factor of 0.1" in finding.what
    assert np.flatnonzero(finding.rows)[0] == ROW


def test_a_window_that_is_opened_is_no_jump() -> None:
    minutes = np.arange(600.0)
    air = np.where(minutes < 300, 1400.0, 420 + 980 * np.exp(-(minutes - 300) / 8))
    assert np.abs(np.diff(air)).max() > 100
    rng = np.random.default_rng(0)
    motion = (rng.random(600) < 0.3).astype(float)
    assert [each.fault for each in examine(alone(co2=air + rng.normal(0, 5, 600).round(), motion=motion))] == []


def test_nothing_jumps_across_a_gap() -> None:
    cold = office().frame.drop(columns="people").loc["2024-01-01":"2024-01-01"]
    later = cold.assign(temperature=cold["temperature"] - 8).set_index(
        pd.DatetimeIndex(cold.index) + pd.Timedelta(days=30)
    )
    assert found(pd.concat([cold, later])) == []


def test_one_wrong_reading_is_no_new_level() -> None:
    assert examine(log_of(changed(third_day(), "temperature", 40.0, ROW, ROW + 1))) == []
