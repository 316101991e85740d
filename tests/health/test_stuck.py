from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Rows
from occupancy.data.schema import Column
from occupancy.health.examine import examine
from tests.health.made_logs import SCHEMA, changed, found, log_of, office, profile, third_day

OCCUPIED_MINUTES = 30
ROW = 60


def occupied_until(named: pd.Timestamp, start: pd.Timestamp) -> int:
    people = office().frame["people"].loc[start:named]
    return int((people > 0).sum())


@pytest.mark.parametrize("value", [350.0, 355.0, 420.0])
def test_co2_that_stops_is_named_within_half_an_hour_of_people(value: float) -> None:
    frame = changed(third_day(), "co2", value, ROW)
    (finding,) = (each for each in found(frame, profile()) if each.fault == "stuck")
    assert finding.sensors == ("co2",)
    assert np.flatnonzero(finding.rows).tolist() == [*range(ROW, len(frame))]
    assert occupied_until(finding.named, frame.index[ROW]) <= OCCUPIED_MINUTES
    longest = profile().sensors["co2"].longest_rows
    assert f"reads {value:g} ppm in {len(frame) - ROW:,} rows on end" in finding.what
    assert f"{longest} at most where the model was trained" in finding.what


def test_motion_sensors_that_die_are_named_within_half_an_hour_of_people() -> None:
    frame = changed(third_day(), "motion", 0.0)
    (finding,) = found(frame, profile())
    assert (finding.sensors, finding.fault) == (("motion",), "silent")
    assert occupied_until(finding.named, frame.index[0]) <= OCCUPIED_MINUTES
    assert "no motion in" in finding.what
    assert f"co2 rises to {frame['co2'].max():g}" in finding.what


def test_dead_motion_is_named_by_co2_alone_too() -> None:
    frame = changed(third_day(), "motion", 0.0).drop(columns="sound")
    (finding,) = found(frame, profile())
    assert finding.fault == "silent"


def test_a_sensor_that_is_not_believed_is_no_sign_of_people() -> None:
    """Decibels are louder than any volt, but nobody is in: motion is right to be silent."""
    night = office().frame.loc["2024-01-03 21:00":].drop(columns="people")
    frame = night.assign(motion=0.0, sound=40.0 + np.arange(len(night)) % 7)
    assert [each.fault for each in found(frame, profile())] == ["unit"]


def test_co2_that_stays_high_all_night_is_stuck_though_nobody_is_in() -> None:
    frame = office().frame.drop(columns="people").loc["2024-01-02 21:00":"2024-01-03 08:00"]
    findings = found(changed(frame, "co2", 900.0), profile())
    assert [(each.sensors, each.fault) for each in findings] == [(("co2",), "stuck")]


def test_co2_may_rest_all_night_where_it_rests_in_training() -> None:
    frame = office().frame.drop(columns="people").loc["2024-01-02 21:00":"2024-01-03 08:00"]
    assert found(frame.assign(co2=profile().sensors["co2"].rest), profile()) == []


def test_motion_without_a_pause_is_stuck() -> None:
    (finding,) = found(changed(third_day(), "motion", 1.0, ROW, ROW + 500), profile())
    assert (finding.fault, finding.rows.sum() >= 500) == ("stuck", True)


def test_counts_show_people_where_there_is_no_profile() -> None:
    frame = third_day(labels=True)
    assert {each.fault for each in found(changed(frame, "motion", 0.0))} == {"silent"}
    assert {each.fault for each in found(changed(frame, "co2", 600.0))} == {"stuck"}


def test_the_counts_of_a_log_are_not_looked_at_where_a_profile_is() -> None:
    frame = third_day(labels=True)
    everywhere = frame.assign(people=2)
    quiet = dict.fromkeys(("motion", "sound"), 0.0) | {"co2": 345.0, "temperature": 25.06}
    assert found(everywhere.assign(**quiet), profile()) == []


def test_missing_readings_do_not_end_a_run() -> None:
    rng = np.random.default_rng(1)
    holed: Rows = rng.random(len(third_day())) < 0.2
    frame = third_day().assign(co2=np.where(holed, np.nan, 500.0))
    (finding,) = (each for each in found(frame, profile()) if each.fault == "stuck")
    assert (finding.rows == ~holed).all()


@pytest.mark.parametrize(("days", "findings"), [(1, 1), (2, 2), (3, 0)])
def test_a_sensor_that_comes_back_to_its_lowest_reading_rests_there_and_one_that_stays_once_or_twice_is_stuck(
    days: int, findings: int
) -> None:
    frame = office().frame
    hours = pd.DatetimeIndex(frame.index).hour
    day = (pd.DatetimeIndex(frame.index).normalize() - frame.index[0].normalize()).days
    rng = np.random.default_rng(0)
    voc = np.where((day < days) & (hours >= 7) & (hours < 22), 20.0, 60.0 + 5 * rng.random(len(frame)).round(3))
    schema = SCHEMA.model_copy(update={"columns": [*SCHEMA.columns, Column(name="voc", kind="voc", unit="ppb")]})
    log = log_of(frame.assign(voc=voc), schema)
    assert [each.fault for each in examine(log) if "voc" in each.sensors] == ["stuck"] * findings
