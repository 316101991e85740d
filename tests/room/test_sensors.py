from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.random import SeedSequence

from occupancy.config import Room
from occupancy.room.air import State, advance, mix
from occupancy.room.simulator import Readings, read_sensors


def read(days: int = 5, further: bool = True, **settings: Any) -> Readings:
    room = Room.model_validate({"use": "office", "opens_h": 8.0, "closes_h": 18.0, "step_s": 60.0, **settings})
    return read_sensors(room, days, SeedSequence(0), further)


def test_what_air_holds_is_mixed_like_co2() -> None:
    room = Room(step_s=300.0)
    people, rates = np.array([0, 2, 3, 3, 0, 1]), np.array([0.5, 0.0, 4.0, 1e-12, 2.0, 0.3])
    state, states = State(345.0, 25.0), []
    for number, rate in zip(people.tolist(), rates.tolist(), strict=True):
        states.append(state.co2_ppm)
        state = advance(room, state, number, rate)
    found = mix(17e3 * people / 77.0, np.full(6, 345.0), rates, 300.0)
    assert found == pytest.approx(states, rel=1e-12)


def test_humidity_and_voc_are_read_only_when_asked_for_and_change_no_other_reading() -> None:
    with_them, without = read(), read(further=False)
    assert without.humidity_percent is None
    assert without.voc_ppb is None
    for name in ("temperature_c", "light_lux", "sound_v", "co2_ppm", "motion", "count"):
        np.testing.assert_array_equal(getattr(with_them, name), getattr(without, name))


def test_breath_adds_water_and_people_add_voc() -> None:
    found, empty = read(max_people=8), read(max_people=8, water_g_per_h=0.0, voc_ml_per_h=0.0, voc_events_per_h=0.0)
    assert found.humidity_percent is not None
    assert found.voc_ppb is not None
    assert empty.humidity_percent is not None
    assert empty.voc_ppb is not None
    many = found.count >= 6
    # 6 people at 50 g/h and 0.75 air changes of 77 m3 settle at 5 g/m3 more, of 23 g/m3 that air of 25 degC holds.
    assert 8 < (found.humidity_percent - empty.humidity_percent)[many].mean() < 35
    assert 100 < (found.voc_ppb - empty.voc_ppb)[many].mean() < 700


def test_outdoor_water_drifts_over_days_and_humidity_stays_a_share() -> None:
    found = read(days=28, max_people=1, water_g_per_h=0.0, outdoor_water_g_per_m3=12.0)
    assert found.humidity_percent is not None
    assert found.humidity_percent.min() >= 0
    assert found.humidity_percent.max() <= 100
    by_day = pd.Series(found.humidity_percent).groupby(found.times.date).mean()
    assert 3 < by_day.std() < 15
    assert by_day.mean() == pytest.approx(100 * 12 / 23, abs=10)


def test_events_add_voc_at_once() -> None:
    quiet, busy = read(voc_events_per_h=0.0), read(voc_events_per_h=1.0)
    assert quiet.voc_ppb is not None
    assert busy.voc_ppb is not None
    assert (np.diff(quiet.voc_ppb) > 100).sum() == 0
    assert (np.diff(busy.voc_ppb) > 100).sum() > 5
