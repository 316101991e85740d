from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.arrays import OUTSIDE, Floats, Ints, Rows, stretch_of
from occupancy.config import Room, Simulation
from occupancy.data.schema import UCI
from occupancy.data.simulation import simulate
from occupancy.errors import InputWarning
from occupancy.features.balance import USUAL_PER_H, USUAL_PERSON, Air, empty_rate, outdoors, span_of, used_rate
from occupancy.room.air import State, advance

ROOM = Room(volume_m3=60.0, generation_l_per_h=18.0, air_changes_per_h=1.4, outdoor_ppm=410.0)
PERSON = 18.0 * 1000 / 60.0
STEP_S = 30.0


def co2_of(counts: Ints, room: Room = ROOM, step_s: float = STEP_S) -> Floats:
    """Return the exact CO2 (N,) of a room with so many people, from fresh air on."""
    state, readings = State(room.outdoor_ppm, 20.0), []
    for people in counts.tolist():
        readings.append(state.co2_ppm)
        state = advance(room.model_copy(update={"step_s": step_s}), state, people, room.air_changes_per_h)
    return np.array(readings)


def counts_of(hours: float = 24.0, step_s: float = STEP_S) -> Ints:
    """Return the counts (N,) of a day with one, two and three people for two hours each, with empty hours between."""
    hour = np.arange(round(hours * 3600 / step_s)) * step_s / 3600
    return np.select([(hour >= 3 + 6 * n) & (hour < 5 + 6 * n) for n in range(3)], [1, 2, 3], 0)


def fit(co2_ppm: Floats, counts: Ints, stretch: Ints | None = None, step_s: float = STEP_S) -> Air:
    return Air.fit(co2_ppm, counts, np.zeros(len(counts), np.int64) if stretch is None else stretch, step_s, "it")


@pytest.mark.parametrize("step_s", [10.0, 30.0, 60.0, 120.0])
@pytest.mark.parametrize(("rate", "outdoor", "volume"), [(1.4, 410.0, 60.0), (0.4, 450.0, 200.0), (4.0, 400.0, 30.0)])
def test_the_constants_of_a_noiseless_room_are_found(rate: float, outdoor: float, volume: float, step_s: float) -> None:
    room = ROOM.model_copy(update={"air_changes_per_h": rate, "outdoor_ppm": outdoor, "volume_m3": volume})
    counts = counts_of(step_s=step_s)
    air = fit(co2_of(counts, room, step_s), counts, step_s=step_s)
    assert air.outdoor_ppm == pytest.approx(outdoor, abs=1.0)
    assert air.air_changes_per_h == pytest.approx(rate, rel=0.03)
    assert air.person_ppm_per_h == pytest.approx(18.0 * 1000 / volume, rel=0.03)


def test_the_simulated_room_has_the_constants_that_its_settings_give() -> None:
    quiet = {"co2_noise_ppm": 0.0, "co2_mixing_share": 0.0, "co2_resolution_ppm": 1e-6}
    room = ROOM.model_copy(update={"step_s": STEP_S, **quiet})
    frame = simulate(Simulation(days=2, room=room))
    air = fit(frame["S5_CO2"].to_numpy(), frame[UCI.count].to_numpy())
    assert air.outdoor_ppm == pytest.approx(410.0, abs=0.1)
    assert air.air_changes_per_h == pytest.approx(1.4, rel=0.02)
    assert air.person_ppm_per_h == pytest.approx(PERSON, rel=0.05)


def test_the_balance_finds_the_people_of_a_room_that_stays_as_it_is() -> None:
    counts = counts_of()
    co2_ppm, air = co2_of(counts), Air(410.0, 1.4, PERSON)
    people = air.people(span_of(co2_ppm, np.zeros(len(counts), np.int64), STEP_S, 600.0))
    settled = np.array([(counts[max(row - 25, 0) : row + 1] == counts[row]).all() for row in range(len(counts))])
    settled[:20] = False
    np.testing.assert_allclose(people[settled], counts[settled], atol=0.01)


def test_one_person_is_the_median_of_what_each_occupied_row_says_weighted_by_its_people() -> None:
    rng = np.random.default_rng(0)
    counts = counts_of()
    co2_ppm = co2_of(counts) + rng.normal(0.0, 3.0, len(counts))
    air = fit(co2_ppm, counts)
    span = span_of(co2_ppm, np.zeros(len(counts), np.int64), STEP_S, 762.5)
    added = span.slope_ppm_per_h + air.air_changes_per_h * (span.mean_ppm - air.outdoor_ppm)
    each = np.repeat(added[counts > 0] / counts[counts > 0], counts[counts > 0])  # a row as often as it has people
    assert np.mean(each < air.person_ppm_per_h) <= 0.5
    assert np.mean(each <= air.person_ppm_per_h) >= 0.5


def test_a_span_has_the_mean_and_the_slope_of_a_line_in_ppm_an_hour() -> None:
    co2_ppm = 400.0 + 2.0 * np.arange(100, dtype=np.float64)  # 2 ppm a minute
    span = span_of(co2_ppm, np.zeros(100, np.int64), 60.0, 600.0)
    np.testing.assert_allclose(span.slope_ppm_per_h[1:], 120.0)
    np.testing.assert_allclose(span.mean_ppm[9:], co2_ppm[9:] - 9.0)
    around = span_of(co2_ppm, np.zeros(100, np.int64), 60.0, 660.0, centred=True)
    np.testing.assert_allclose(around.mean_ppm[5:-5], co2_ppm[5:-5])


def test_rows_outside_every_stretch_are_never_read_neither_their_air_nor_their_labels() -> None:
    counts = counts_of()
    stretch = np.full(len(counts), OUTSIDE)
    stretch[200:1200], stretch[1500:2500] = 0, 1
    outside = stretch == OUTSIDE
    expected = fit(np.where(outside, np.nan, co2_of(counts)), counts, stretch)
    for label in (-1, 0, 3):
        other = np.where(outside, label, counts)
        assert fit(np.where(outside, np.nan, co2_of(counts)), other, stretch) == expected
    assert expected.air_changes_per_h == pytest.approx(1.4, rel=0.03)


def test_a_jump_between_stretches_is_no_slope() -> None:
    span = span_of(np.r_[np.full(30, 400.0), np.full(30, 900.0)], np.repeat([0, 1], 30), STEP_S, 600.0)
    np.testing.assert_allclose(span.slope_ppm_per_h, 0.0, atol=1e-9)
    assert set(span.mean_ppm.round(6)) == {400.0, 900.0}


def test_a_log_that_shows_nobody_gets_the_usual_person_and_one_always_occupied_the_usual_air_changes() -> None:
    leaking = 400.0 + 500.0 * np.exp(-1.4 * np.arange(2000) * STEP_S / 3600)
    alone = fit(leaking, np.zeros(2000, np.int64))
    assert alone.person_ppm_per_h == USUAL_PERSON
    counts = np.maximum(counts_of(), 1)
    with pytest.warns(
        InputWarning, match=r"^it: the training rows show the empty room for 0 s, expected 1200 s or more"
    ):
        assert fit(co2_of(counts), counts).air_changes_per_h == USUAL_PER_H


def test_an_implausible_person_is_not_believed() -> None:
    counts = counts_of()
    hidden = co2_of(np.zeros(len(counts), np.int64)) + 300.0 * np.exp(-1.4 * np.arange(len(counts)) * STEP_S / 3600)
    with pytest.warns(
        InputWarning, match=r"^it: one person seems to add \S+ ppm of CO2 per hour; 208 is used instead$"
    ):
        assert fit(hidden, counts).person_ppm_per_h == USUAL_PERSON


def test_an_implausible_air_change_rate_is_not_believed() -> None:
    rising = 400.0 + 0.5 * np.arange(2000, dtype=np.float64)
    with pytest.warns(InputWarning, match=r"^it: the empty room seems to have -\S+ air changes per hour; 0\.75 air ch"):
        assert fit(rising, np.zeros(2000, np.int64)).air_changes_per_h == USUAL_PER_H


def aired_by_day(fan_per_h: float, noise_ppm: float = 0.0) -> tuple[Floats, Ints, Rows]:
    """Return the CO2 (N,) of a room of 60 m3 that is closed by night, the counts (N,), and when its fan runs (N,)."""
    hour = np.arange(4 * 2880) * STEP_S / 3600 % 24
    fan = (hour >= 8) & (hour < 18)
    counts = np.where((hour >= 9) & (hour < 17), 1 + (hour.astype(int) % 4), 0)
    state, readings = State(410.0, 20.0), []
    for people, runs in zip(counts.tolist(), fan.tolist(), strict=True):
        readings.append(state.co2_ppm)
        state = advance(ROOM.model_copy(update={"step_s": STEP_S}), state, people, fan_per_h if runs else 0.02)
    return np.array(readings) + np.random.default_rng(0).normal(0, noise_ppm, len(counts)), counts, fan


@pytest.mark.parametrize("person", [None, PERSON])
@pytest.mark.parametrize("noise_ppm", [0.0, 1.0])
def test_the_air_changes_of_a_room_that_is_closed_by_night_are_those_of_its_use(
    person: float | None, noise_ppm: float
) -> None:
    co2_ppm, counts, fan = aired_by_day(2.5, noise_ppm)
    stretch = np.zeros(len(counts), np.int64)
    with pytest.warns(InputWarning, match="air changes per hour; in use it has 2.5 ± "):
        air = Air.fit(co2_ppm, counts, stretch, STEP_S, "it", fan, person)
    assert air.air_changes_per_h < 0.25
    assert air.aired_per_h == pytest.approx(2.5, rel=0.1)
    assert air.person_ppm_per_h == pytest.approx(PERSON, rel=0.1)
    span = span_of(co2_ppm, stretch, STEP_S, 762.5)
    people = air.people(span, fan)
    assert np.sqrt(np.square(people - counts).mean()) < 0.5
    assert 0 <= air.spread_per_h < 0.5
    assert Air.from_settings(air.to_settings()) == air
    assert (air.spread(span, fan)[~fan] == 0).all()


def test_of_a_sensor_that_only_rises_no_rate_of_use_is_believed() -> None:
    _, counts, fan = aired_by_day(2.5)
    rising = 400.0 + 0.05 * np.arange(len(counts), dtype=np.float64)
    with pytest.warns(InputWarning, match="0.75 air changes per hour are used"):
        assert Air.fit(rising, counts, np.zeros(len(counts), np.int64), STEP_S, "it", fan).aired_per_h is None
    noise = np.random.default_rng(0).normal(500, 50, len(counts))
    assert used_rate(noise, 400.0, counts, np.zeros(len(counts), np.int64), STEP_S, None) is None
    assert np.isnan(empty_rate(rising, 400.0, np.full(len(counts), -1), STEP_S, 600.0)[0])


def test_a_door_that_was_open_for_a_while_does_not_move_the_air_changes() -> None:
    counts = counts_of()
    co2_ppm = co2_of(counts)
    co2_ppm[700:740] = 450.0
    assert fit(co2_ppm, counts).air_changes_per_h == pytest.approx(1.4, rel=0.05)


def test_a_few_slips_of_the_sensor_are_not_the_air_outdoors() -> None:
    co2_ppm = np.r_[np.zeros(9), np.linspace(420.0, 900.0, 991)]
    assert outdoors(co2_ppm) == pytest.approx(420.0, abs=1.0)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_stretches_cut_down_are_those_of_a_plain_loop(steps: list[tuple[bool, bool]]) -> None:
    rows = np.array([asked for asked, _ in steps])
    stretch = np.cumsum([opens for _, opens in steps])
    expected, number = [], -1
    for row, asked in enumerate(rows):
        opens = asked and (row == 0 or not rows[row - 1] or stretch[row] != stretch[row - 1])
        number += int(opens)
        expected.append(number if asked else -1)
    assert stretch_of(rows, stretch).tolist() == expected


def test_the_constants_survive_as_text() -> None:
    air = Air(401.3, 1 / 3, 207.9)
    settings: dict[str, Any] = json.loads(json.dumps(air.to_settings()))
    assert Air(**settings) == air


def test_a_constant_sensor_tells_nothing_and_says_so() -> None:
    counts = counts_of()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        air = fit(np.full(len(counts), 500.0), counts)
    assert air == Air(500.0, USUAL_PER_H, USUAL_PERSON)
    assert [str(each.message)[:20] for each in caught] == ["it: the training row", "it: one person seems"]
