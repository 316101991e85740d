from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.random import SeedSequence
from scipy.integrate import solve_ivp

from occupancy.config import Room
from occupancy.room.simulator import Readings, read_sensors

PERFECT: dict[str, Any] = {"use": "office", "opens_h": 8.0, "closes_h": 18.0, "step_s": 60.0, "max_people": 6}
PERFECT |= {"co2_noise_ppm": 0.0, "co2_mixing_share": 0.0, "co2_resolution_ppm": 1e-6}


def read(days: int = 14, seed: int = 0, **settings: Any) -> Readings:
    return read_sensors(Room.model_validate({**PERFECT, **settings}), days, SeedSequence(seed), further=True)


@pytest.mark.parametrize("ventilation", ["none", "fan", "window"])
def test_co2_obeys_the_balance_with_air_changes_that_vary(ventilation: str) -> None:
    found = read(days=1, ventilation=ventilation, step_s=600.0)
    co2_ppm = [345.0]
    for people, rate in zip(found.count[:-1].tolist(), found.air_changes_per_h[:-1].tolist(), strict=True):

        def balance(_: float, y: Any, people: int = people, rate: float = rate) -> Any:
            return (17.0e-3 * people * 1e6 - rate * 77.0 * (y - 345.0)) / 77.0  # V dC/dt = G N - Q (C - C_out)

        co2_ppm.append(solve_ivp(balance, (0, 600 / 3600), co2_ppm[-1:], rtol=1e-10, atol=1e-9).y[0, -1])
    assert found.co2_ppm == pytest.approx(co2_ppm, abs=1e-4)
    assert max(co2_ppm) > 500


def test_without_ventilation_the_air_changes_stay_and_nothing_is_read() -> None:
    found = read(days=2)
    assert set(found.air_changes_per_h) == {0.75}
    assert set(found.ventilation) == {0.0}


def test_a_fan_runs_higher_in_opening_hours_and_differently_from_day_to_day() -> None:
    found = read(days=28, ventilation="fan")
    hour, day = found.times.hour, np.asarray(found.times.dayofweek)
    is_open = np.asarray((hour >= 8) & (hour < 18)) & (day < 5)
    assert set(found.ventilation[is_open]) == {2.0, 3.0}
    assert set(found.ventilation[~is_open]) == {0.0, 1.0}
    by_day = pd.Series(found.air_changes_per_h[is_open]).groupby(found.times[is_open].date).agg(["min", "max"])
    assert (by_day["max"] == by_day["min"]).all()
    assert by_day["max"].std() > 0.3


def test_a_window_is_opened_by_people_and_more_often_where_co2_is_high() -> None:
    small, large = (read(days=28, ventilation="window", volume_m3=volume_m3) for volume_m3 in (30.0, 300.0))
    for found in (small, large):
        opened = (np.diff(found.ventilation) > 0).nonzero()[0] + 1
        assert (found.count[opened] > 0).all()
        assert 0 < found.ventilation.mean() < 0.3
        assert np.mean(found.ventilation[found.count == 0]) < 0.05
    assert (np.diff(small.ventilation) > 0).sum() > 1.5 * (np.diff(large.ventilation) > 0).sum()


def test_an_open_window_changes_the_air_and_on_some_days_an_open_door_does_too() -> None:
    found = read(days=56, ventilation="window")
    is_open = found.ventilation == 1
    assert found.air_changes_per_h[is_open].min() > 4
    noon = (found.times.hour == 13) & (found.times.dayofweek < 5)
    shut = pd.Series(found.air_changes_per_h[noon & ~is_open])
    by_day = shut.groupby(found.times[noon & ~is_open].date).median()
    doors = by_day > 0.6 * 4
    assert 1 <= doors.sum() <= 15
    assert by_day[~doors].std() > 0.05  # the wind


@pytest.mark.parametrize("ventilation", ["fan", "window"])
def test_a_longer_log_begins_with_the_shorter_one_and_the_same_seed_gives_the_same(ventilation: str) -> None:
    longer, same, shorter = (read(days=days, ventilation=ventilation) for days in (5, 5, 2))
    for name in ("co2_ppm", "ventilation", "humidity_percent", "voc_ppb"):
        whole = getattr(longer, name)
        assert (whole == getattr(same, name)).all()
        assert (whole[: len(shorter.times)] == getattr(shorter, name)).all()
    assert (longer.co2_ppm != read(days=5, seed=1, ventilation=ventilation).co2_ppm).any()
