from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.health.made_logs import found, office, profile, third_day


def test_half_of_the_rows_missing_is_named_soon() -> None:
    kept = np.random.default_rng(0).random(len(third_day())) < 0.5
    frame = third_day()[kept]
    (finding,) = (each for each in found(frame, profile()) if each.fault == "rhythm")
    assert (finding.sensors, finding.sensor) == ((), "all sensors")
    assert (finding.named - frame.index[0]).total_seconds() <= 3600
    assert "the model was trained on one every 60 s" in finding.what
    assert "data.step=60s" in finding.remedy


def test_half_an_hour_of_rows_that_come_three_times_as_fast_is_told() -> None:
    frame = third_day()
    fast = frame.iloc[100:130]
    faster = fast.loc[fast.index.repeat(3)]
    faster.index = pd.date_range(fast.index[0], periods=90, freq="20s", name="time")
    (finding,) = found(pd.concat([frame.iloc[:100], faster, frame.iloc[130:]]), profile())
    assert finding.fault == "rhythm"
    begun = fast.index[0] + pd.Timedelta("20s")
    assert finding.what == f"90 rows, the first at {begun}, come every 20 s, not every 60 s as in training"
    assert finding.rows.nonzero()[0].tolist() == [*range(101, 191)]
    assert finding.named == faster.index[10], "ten rows are a stretch"


def test_missing_readings_are_told_by_sensor_and_of_all_sensors_once() -> None:
    lost = np.random.default_rng(0).random(third_day().shape) < 0.5
    (one,) = found(third_day().assign(co2=third_day()["co2"].mask(lost[:, 1])), profile())
    assert (one.sensors, one.fault, one.distrusts) == (("co2",), "missing", False)
    findings = found(third_day().mask(lost), profile())
    assert [(each.sensors, each.fault) for each in findings] == [(tuple(profile().sensors), "missing")]


def test_gaps_between_recordings_are_no_slower_rhythm() -> None:
    frame = third_day()
    kept = np.arange(len(frame)) % 10 < 6  # gaps of five minutes
    assert found(frame[kept], profile()) == []


@pytest.mark.parametrize("rows", [1, 5])
def test_a_file_of_a_few_rows_has_nothing_to_tell(rows: int) -> None:
    assert found(third_day().head(rows), profile()) == []
    assert found(office().frame.head(rows)) == []


def test_sensors_that_miss_their_readings_at_the_same_rows_are_one_finding() -> None:
    frame = third_day().copy()
    frame.loc[frame.index[60:120], ["co2", "sound"]] = np.nan
    frame.loc[frame.index[300:360], "temperature"] = np.nan
    findings = [each for each in found(frame, profile()) if each.fault == "missing"]
    assert [each.sensors for each in findings] == [("co2", "sound"), ("temperature",)]
