"""When a room is aired in another way than at rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from occupancy.arrays import Rows
from occupancy.data.log import Log
from occupancy.data.schema import Column, Schema
from occupancy.features.regime import Regime

AIR, FAN = Column(name="air", kind="co2", unit="ppm"), Column(name="fan", kind="ventilation", unit="%")


def log_of(days: int = 7, **columns: Any) -> Log:
    """Return days from a Monday on in rows of an hour, with people from 9 to 17 on working days; a fan runs from 7."""
    times = pd.date_range("2024-01-01", periods=24 * days, freq="h", name="time")
    works = np.asarray(times.dayofweek < 5)
    people = ((times.hour >= 9) & (times.hour < 17) & works) * 1
    fan = np.where((times.hour >= 7) & (times.hour < 19), 80.0, 5.0)
    frame = pd.DataFrame({"air": 400.0, "fan": fan, "people": people, **columns}, times)
    schema = Schema(name="room", time=["time"], columns=[AIR, FAN], count="people")
    return Log("room", "room", schema, frame, frame[["air", "fan"]].isna(), 7200)


def everything(log: Log) -> Rows:
    return np.ones(len(log.frame), bool)


def at(regime: Regime | None, log: Log) -> Rows:
    assert regime is not None
    return regime.at(log.frame.drop(columns="people"), log.wall)


def test_a_ventilation_column_tells_when_the_fan_runs_and_where_it_is_silent_the_hours_of_use_do() -> None:
    log = log_of()
    regime = Regime.fit(log, everything(log), [AIR, FAN])
    np.testing.assert_array_equal(at(regime, log), log.frame["fan"] > 40)
    silent = log_of(fan=np.nan)
    np.testing.assert_array_equal(at(regime, silent), log.frame["people"] > 0)
    assert regime is not None
    gone = regime.at(log.frame[["air"]], log.wall)
    np.testing.assert_array_equal(gone, log.frame["people"] > 0)
    assert Regime.from_settings(regime.to_settings()).to_settings() == regime.to_settings()


def test_a_column_that_the_model_does_not_read_or_that_never_changes_tells_nothing() -> None:
    log, constant = log_of(), log_of(fan=50.0)
    for regime, each in (
        (Regime.fit(log, everything(log), [AIR]), log),
        (Regime.fit(constant, everything(log), [FAN]), constant),
    ):
        assert regime is not None
        assert regime.column is None
        np.testing.assert_array_equal(at(regime, each), each.frame["people"] > 0)


def test_an_hour_that_was_never_seen_is_as_on_other_days_or_else_one_of_use() -> None:
    log = log_of()
    seen = everything(log) & (log.times.hour < 14) & np.asarray(log.times.dayofweek < 5)
    regime = Regime.fit(log, seen, [AIR])
    monday, sunday = at(regime, log)[:24], at(regime, log)[-24:]
    assert np.flatnonzero(monday).tolist() == list(range(9, 24)), "from 14 on nothing was seen"
    np.testing.assert_array_equal(sunday, monday)


def test_a_room_that_is_always_or_never_in_use_has_no_regime() -> None:
    for people in (0, 2):
        log = log_of(people=people)
        assert Regime.fit(log, everything(log), [AIR]) is None
