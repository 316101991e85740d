import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.random import SeedSequence, default_rng
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.integrate import solve_ivp

from occupancy.config import Room, Simulation
from occupancy.data import rolling
from occupancy.data.schema import UCI
from occupancy.data.simulation import simulate, simulate_rooms
from occupancy.errors import InputError
from occupancy.room.air import State, advance
from occupancy.room.simulator import START, read_sensors, vary

ROOM = Room()
FRESH = State(co2_ppm=ROOM.outdoor_ppm, temperature_c=ROOM.base_temperature_c)
# Written out here with units, so that the code's own conversion is not compared with itself.
GROWTH_PPM_PER_H = 17.0 / 1000 / 77.0 * 1e6  # 17 l/h = 0.017 m3/h of CO2 into 77 m3, as a fraction, in ppm
COUNT = "Room_Occupancy_Count"


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return simulate(Simulation())


def run(room: Room, people: list[int], air_changes_per_h: float, start: State = FRESH) -> list[State]:
    states = [start]
    for number in people:
        states.append(advance(room, states[-1], number, air_changes_per_h))
    return states


def replay(room: Room, count: pd.Series) -> NDArray[np.float64]:
    start = State(room.outdoor_ppm, room.base_temperature_c)
    states = run(room, count.iloc[:-1].tolist(), room.air_changes_per_h, start)
    return np.array([state.co2_ppm for state in states])


def test_co2_settles_at_generation_over_ventilation() -> None:
    people, air_changes_per_h = 2, 0.75
    settled = run(ROOM, [people] * 120 * 48, air_changes_per_h)[-1]
    assert settled.co2_ppm == pytest.approx(345 + GROWTH_PPM_PER_H * people / air_changes_per_h, rel=1e-9)


def test_co2_of_an_empty_room_decays_with_the_air_change_rate() -> None:
    states = run(ROOM, [0] * 240, 0.8, State(1000.0, 25.0))
    hours = np.arange(241) * 30 / 3600
    assert [s.co2_ppm for s in states] == pytest.approx((345 + 655 * np.exp(-0.8 * hours)).tolist(), rel=1e-12)


def test_co2_grows_linearly_without_ventilation() -> None:
    states = run(ROOM, [3] * 240, 0.0)
    hours = np.arange(241) * 30 / 3600
    assert [s.co2_ppm for s in states] == pytest.approx((345 + 3 * GROWTH_PPM_PER_H * hours).tolist(), rel=1e-12)


@pytest.mark.parametrize("air_changes_per_h", [1e-300, 1e-15, 1e-9])
def test_a_vanishing_ventilation_meets_the_limit_of_none(air_changes_per_h: float) -> None:
    state = State(900.0, 25.0)
    almost = advance(ROOM, state, 2, air_changes_per_h).co2_ppm
    assert almost == pytest.approx(advance(ROOM, state, 2, 0.0).co2_ppm, rel=1e-9)


@pytest.mark.parametrize("air_changes_per_h", [0.0, 0.75, 20.0])
def test_two_half_steps_equal_one_step(air_changes_per_h: float) -> None:
    start = State(800.0, 26.5)
    once = advance(ROOM, start, 3, air_changes_per_h)
    twice = run(Room(step_s=15.0), [3, 3], air_changes_per_h, start)[-1]
    assert (twice.co2_ppm, twice.temperature_c) == pytest.approx((once.co2_ppm, once.temperature_c), rel=1e-12)


def test_temperature_relaxes_to_the_heat_of_the_people_with_its_time_constant() -> None:
    after = run(ROOM, [2] * 120, 0.75)[-1].temperature_c  # an hour, which is the time constant
    assert after == pytest.approx(25.0 + 0.35 * 2 * (1 - math.exp(-1)), rel=1e-12)


def test_a_changing_profile_agrees_with_numerical_integration() -> None:
    room = Room(volume_m3=50.0, generation_l_per_h=18.0, outdoor_ppm=420.0, step_s=300.0)
    profile = [(0, 0.5), (1, 0.5), (3, 0.0), (3, 4.0), (2, 1.2), (0, 1.2), (5, 0.3)]
    state = State(700.0, 25.0)
    numerical = 700.0
    for people, air_changes_per_h in profile:

        def balance(_: float, y: Any, people: int = people, rate: float = air_changes_per_h) -> Any:
            inflow_m3_per_h = rate * 50.0
            return (18.0e-3 * people * 1e6 - inflow_m3_per_h * (y - 420.0)) / 50.0  # V dC/dt = G N - Q (C - C_out)

        numerical = solve_ivp(balance, (0, 300 / 3600), [numerical], rtol=1e-10, atol=1e-9).y[0, -1]
        state = advance(room, state, people, air_changes_per_h)
        assert state.co2_ppm == pytest.approx(numerical, rel=1e-8)


def test_the_count_column_drives_co2_to_within_rounding_where_the_sensor_is_perfect() -> None:
    room = Room(co2_noise_ppm=0.0, co2_mixing_share=0.0)
    perfect = simulate(Simulation(days=3, room=room))
    assert np.abs(perfect["S5_CO2"] - replay(room, perfect[COUNT])).max() <= 2.5 + 1e-9
    wrong = perfect[COUNT].where(perfect[COUNT] != 3, 2)
    assert np.abs(perfect["S5_CO2"] - replay(room, wrong)).max() > 50


def test_the_count_column_drives_co2_to_within_noise_by_default(log: pd.DataFrame) -> None:
    air = replay(ROOM, log[COUNT])
    error = log["S5_CO2"] - air
    deviation = np.hypot(ROOM.co2_noise_ppm, ROOM.co2_mixing_share * (air - 345))
    assert (error.abs() <= 5 * deviation + 2.5).all()
    occupied = air > 600
    assert 0.6 < (error / deviation)[occupied].std() < 1.5


def test_every_co2_reading_is_a_multiple_of_the_resolution_above_outdoors(log: pd.DataFrame) -> None:
    assert (log["S5_CO2"] % 5 == 0).all()
    assert log["S5_CO2"].min() == 345
    coarse = simulate(Simulation(days=1, room=Room(co2_resolution_ppm=50.0, outdoor_ppm=412.0)))
    assert (coarse["S5_CO2"] % 50 == 0).all()
    assert coarse["S5_CO2"].min() == 400


def test_the_frame_has_the_columns_and_types_of_the_schema(log: pd.DataFrame) -> None:
    assert list(log.columns) == [*UCI.sensors, UCI.count]
    assert {str(kind) for kind in log[UCI.sensors].dtypes} == {"float64"}
    assert log[COUNT].dtype == np.int64
    assert not log.isna().any().any()


@pytest.mark.parametrize(("step_s", "rows"), [(30.0, 2880), (60.0, 1440), (0.25 * 61, 5666), (300.0, 288)])
def test_the_index_covers_whole_days_at_the_rooms_step(step_s: float, rows: int) -> None:
    times = simulate(Simulation(days=2, room=Room(step_s=step_s))).index
    assert isinstance(times, pd.DatetimeIndex)
    assert times.name == "time"
    assert times.tz is None
    assert times[0] == START
    assert START + pd.Timedelta(days=2, seconds=-step_s) <= times[-1] < START + pd.Timedelta(days=2)
    assert set(np.diff(times)) == {np.timedelta64(round(step_s * 1e9), "ns")}
    assert (times < START + pd.Timedelta(days=1)).sum() == rows


def test_the_slope_looks_back_over_the_schemas_span(log: pd.DataFrame) -> None:
    readings = log["S5_CO2"].to_numpy()
    np.testing.assert_array_equal(log["S5_CO2_Slope"], rolling.slope(readings, 25))
    line = np.polyfit(np.arange(25), readings[1500:1525], 1)
    assert log["S5_CO2_Slope"].iloc[1524] == pytest.approx(line[0], abs=1e-9)
    by_minute = simulate(Simulation(days=1, room=Room(step_s=60.0)))
    np.testing.assert_array_equal(by_minute["S5_CO2_Slope"], rolling.slope(by_minute["S5_CO2"].to_numpy(), 13))


def test_the_same_seed_gives_the_same_log_and_another_seed_another(log: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(simulate(Simulation()), log)
    other = simulate(Simulation(seed=1))
    assert not (other[COUNT] == log[COUNT]).all()
    assert all((other[name] != log[name]).any() for name in UCI.sensors)


def test_a_longer_log_begins_with_the_shorter_one(log: pd.DataFrame) -> None:
    short = simulate(Simulation(days=2))
    pd.testing.assert_frame_equal(short, log.iloc[: len(short)], check_freq=False)


def test_people_come_and_go_in_opening_hours_of_working_days_only() -> None:
    count = simulate(Simulation(days=14, room=Room(opens_h=9.0, closes_h=17.0)))[COUNT]
    occupied = pd.DatetimeIndex(count.index[count > 0])
    hours = (occupied - occupied.normalize()).total_seconds() / 3600
    assert hours.min() >= 9
    assert hours.max() < 17
    assert sorted(set(occupied.dayofweek)) == [0, 1, 2, 3, 4]
    assert hours.min() < 11
    assert hours.max() > 15


def test_every_day_of_the_default_log_has_every_label(log: pd.DataFrame) -> None:
    for _, day in log.groupby(pd.DatetimeIndex(log.index).date):
        assert sorted(day[COUNT].unique()) == [0, 1, 2, 3]


def test_other_seeds_have_nearly_every_label_on_every_working_day() -> None:
    labels = []
    for seed in range(1, 21):
        count = simulate(Simulation(seed=seed, room=Room(step_s=60.0)))[COUNT]
        labels += [set(day) for _, day in count.groupby(pd.DatetimeIndex(count.index).date)]
        assert 0.7 < (count == 0).mean() < 0.88  # the UCI log: 0.81
    assert len(labels) == 100
    assert all(0 in day and len(day) >= 3 for day in labels)
    assert sum(day == {0, 1, 2, 3} for day in labels) >= 95


def test_counts_change_mostly_by_one_and_several_times_a_day(log: pd.DataFrame) -> None:
    steps = [after - before for before, after in pairwise(log[COUNT].tolist()) if after != before]
    assert 6 * 5 <= len(steps) <= 30 * 5
    assert np.mean(np.abs(steps) == 1) > 0.7
    assert log[COUNT].max() == 3


def test_without_breaks_people_come_one_by_one_and_leave_singly_or_together() -> None:
    steps = simulate(Simulation(days=5, room=Room(breaks_per_h=0.0)))[COUNT].diff()
    assert steps.max() == 1
    assert (steps == -1).sum() >= 3
    assert (steps <= -2).sum() >= 3


def test_the_number_of_people_follows_the_room() -> None:
    assert simulate(Simulation(days=2, room=Room(max_people=1)))[COUNT].max() == 1
    crowd = simulate(Simulation(days=2, room=Room(max_people=8, attendance=1.0, breaks_per_h=0.0)))[COUNT]
    assert sorted(crowd.unique())[-1] == 8


def test_readings_stay_in_the_ranges_of_the_uci_log(log: pd.DataFrame) -> None:
    assert log.filter(like="Temp").min().min() > 24.3
    assert log.filter(like="Temp").max().max() < 29
    assert log["S1_Light"].between(0, 180).all()
    assert log["S1_Light"].max() > 140
    assert log.filter(like="Sound").min().min() >= 0.04
    assert 2 < log["S1_Sound"].max() <= 3.9
    assert log["S1_Sound"].median() == pytest.approx(0.07, abs=0.01)
    assert 900 < log["S5_CO2"].max() < 1350
    assert set(np.unique(log[["S6_PIR", "S7_PIR"]])) == {0.0, 1.0}


def test_motion_misses_people_and_sometimes_fires_without_any(log: pd.DataFrame) -> None:
    fired = log[["S6_PIR", "S7_PIR"]].max(axis=1)
    assert 0.2 < fired[log[COUNT] == 1].mean() < 0.7
    assert fired[log[COUNT] == 1].mean() < fired[log[COUNT] == 3].mean() < 0.95
    assert 0 < fired[log[COUNT] == 0].mean() < 0.02


def test_sensors_react_to_the_desk_and_not_to_the_count_alone(log: pd.DataFrame) -> None:
    alone = log[log[COUNT] == 1]
    for kind in ("Sound", "Light"):
        nearest = alone[[f"S{node}_{kind}" for node in (1, 2, 3)]].idxmax(axis=1)
        assert nearest.value_counts(normalize=True).reindex([f"S{n}_{kind}" for n in (1, 2, 3)]).min() > 0.05


def test_nights_are_dark_and_silent_and_people_bring_light_and_sound(log: pd.DataFrame) -> None:
    night = log[pd.DatetimeIndex(log.index).hour < 6]
    assert night.filter(like="Light").max().max() == 0
    assert (night.filter(like="Sound") < 0.12).all(axis=1).mean() > 0.98
    by_count = log.groupby(COUNT)[["S1_Light", "S1_Sound", "S1_Temp", "S5_CO2"]].mean()
    assert (by_count.loc[3] > by_count.loc[0]).all()


def test_rooms_differ_and_each_is_the_same_whatever_their_number() -> None:
    settings = Simulation(days=1)
    few = list(simulate_rooms(settings, 3))
    many = list(simulate_rooms(settings, 5))
    assert [len(few), len(many)] == [3, 5]
    for one, same in zip(few, many, strict=False):
        pd.testing.assert_frame_equal(one, same)
    assert all(not one["S5_CO2"].equals(two["S5_CO2"]) for one, two in pairwise(many))
    assert not many[0].equals(next(simulate_rooms(Simulation(days=1, seed=1), 1)))


def test_spread_scatters_the_parameters_of_the_rooms_around_the_given_ones() -> None:
    # Before anyone comes, the light is the daylight parameter times clouds that do not depend on the spread.
    def morning(spread: float) -> NDArray[np.float64]:
        frames = simulate_rooms(Simulation(days=1), 6, spread)
        return np.array([frame["S4_Light"].between_time("09:00", "10:00").mean() for frame in frames])

    factors = morning(0.5) / morning(0.0)
    assert (np.abs(factors - 1) <= 0.5 + 0.02).all()
    assert np.ptp(factors) > 0.3


def test_rooms_are_made_only_when_asked_for() -> None:
    rooms = simulate_rooms(Simulation(days=1), 10**12)
    assert len(next(rooms)) == 2880


@pytest.mark.parametrize(
    ("rooms", "spread", "message"),
    [
        (-1, 0.3, "rooms: got -1, expected 0 or more"),
        (2, 1.0, "spread: got 1, expected 0 <= spread < 1"),
        (2, -0.1, r"spread: got -0\.1, expected 0 <= spread < 1"),
        (2, math.nan, "spread: got nan, expected 0 <= spread < 1"),
    ],
)
def test_impossible_rooms_are_refused_before_the_first_is_asked_for(rooms: int, spread: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate_rooms(Simulation(days=1), rooms, spread)


def bounds() -> Iterator[tuple[str, float]]:
    """Yield the smallest and the largest value of each setting of a room."""
    for name, allowed in Room.model_json_schema()["properties"].items():
        for closed, exclusive, inside in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
            if {closed, exclusive}.isdisjoint(allowed):
                continue  # a choice
            bound = allowed.get(closed)
            yield name, math.nextafter(allowed[exclusive], inside * math.inf) if bound is None else bound


@pytest.mark.parametrize(("name", "value"), [one for one in bounds() if one not in {("opens_h", 24), ("closes_h", 0)}])
def test_the_readings_are_finite_at_the_bounds_of_every_setting(name: str, value: float) -> None:
    fitting = {"longest_session_s": 60.0, "opens_h": 0.0, "closes_h": 24.0, "sessions_per_day": 1}
    room = Room.model_validate({**fitting, name: value})
    readings = read_sensors(room, 1, SeedSequence(0))
    for values in (readings.temperature_c, readings.light_lux, readings.sound_v, readings.co2_ppm, readings.motion):
        assert np.isfinite(values).all()


def test_a_simulation_larger_than_memory_is_refused() -> None:
    assert Simulation(days=365, room=Room(step_s=60.0, max_people=30)).days == 365
    with pytest.raises(
        ValidationError, match="days 1000 with a row every 1 s are 86,400,000 rows of 3 people, expected"
    ):
        Simulation(days=1000, room=Room(step_s=1.0))
    with pytest.raises(ValidationError, match=r"at most 2,000,000 rows, and 20,000,000 rows times people; lower days"):
        Simulation(days=365, room=Room(step_s=60.0, max_people=1000))


def test_a_room_at_its_bounds_varies_like_any_other() -> None:
    room = vary(Room(volume_m3=1e7, breaks_per_h=60.0), 0.5, default_rng(0))
    assert 0.5e7 <= room.volume_m3 <= 1.5e7
    assert room.step_s == 30.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"volume_m3": -1.0}, r"volume_m3\n.*greater than or equal to 1"),
        ({"volume_m3": math.inf}, r"volume_m3\n.*finite number"),
        ({"air_changes_per_h": -0.1}, r"air_changes_per_h\n.*greater than or equal to 0"),
        ({"generation_l_per_h": 0.0}, r"generation_l_per_h\n.*greater than 0"),
        ({"outdoor_ppm": -345.0}, r"outdoor_ppm\n.*greater than 0"),
        ({"co2_resolution_ppm": 0.0}, r"co2_resolution_ppm\n.*greater than or equal to 0.000001"),
        ({"base_temperature_c": -300.0}, r"base_temperature_c\n.*greater than -273.15"),
        ({"temperature_time_constant_s": 0.0}, r"temperature_time_constant_s\n.*greater than 0"),
        ({"step_s": 0.0}, r"step_s\n.*greater than or equal to 1"),
        ({"step_s": 3600.0}, r"step_s\n.*less than or equal to 600"),
        ({"max_people": 0}, r"max_people\n.*greater than or equal to 1"),
        ({"attendance": 1.5}, r"attendance\n.*less than or equal to 1"),
        ({"closes_h": 25.0}, r"closes_h\n.*less than or equal to 24"),
        ({"opens_h": 20.0, "closes_h": 8.0}, "opens_h 20 must come before closes_h 8"),
        ({"sessions_per_day": 4}, "longest_session_s 12600 exceeds 8550, the opening hours divided by"),
    ],
)
def test_a_room_with_impossible_values_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Room(**values)


@pytest.mark.parametrize(("values", "field"), [({"days": 0}, "days"), ({"seed": -1}, "seed")])
def test_a_simulation_of_no_day_or_a_negative_seed_is_refused(values: dict[str, int], field: str) -> None:
    with pytest.raises(ValidationError, match=rf"{field}\n.*greater than or equal to"):
        Simulation(**values)  # type: ignore[arg-type]
