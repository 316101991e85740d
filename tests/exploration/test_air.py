from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.data.log import Log
from occupancy.exploration import air
from occupancy.exploration.parts import Subject
from tests.exploration.made_logs import subject, times

OUTDOOR = 420.0


def decaying(rate_per_h: float, excess: float = 600.0, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return counts and CO2 (ppm) of a row a minute: an hour with people, six without."""
    minutes = np.arange(420)
    counts = (minutes < 60).astype(int) * 2
    fall = OUTDOOR + excess * np.exp(-rate_per_h * (minutes - 60) / 60)
    co2 = np.where(counts > 0, OUTDOOR + excess * np.minimum(minutes, 60) / 60, fall)
    co2[0] = OUTDOOR
    return counts, co2 + np.random.default_rng(0).normal(0, noise, 420)


@given(st.floats(0.3, 4.0), st.floats(100, 2000))
def test_an_exact_decay_gives_its_own_rate(rate_per_h: float, excess: float) -> None:
    counts, co2 = decaying(rate_per_h, excess)
    counts, co2 = np.append(counts, [0] * 20), np.append(co2, [OUTDOOR] * 20)  # so that the low is outdoors
    (found,) = air.decays(subject(times(range(440)), counts, {"air": co2}))
    assert found.rate_per_h == pytest.approx(rate_per_h, rel=0.02)
    assert found.excess_ppm == pytest.approx(excess, rel=0.02)
    assert found.rows.start == 60
    assert found.outdoor_ppm == pytest.approx(OUTDOOR, abs=0.02 * excess)


def test_a_decay_is_followed_until_a_fifth_is_left() -> None:
    counts, co2 = decaying(1.0)
    (found,) = air.decays(subject(times(range(420)), counts, {"air": co2}))
    assert (found.rows.stop - found.rows.start) / 60 == pytest.approx(np.log(5), abs=0.1)


def test_a_decay_ends_when_somebody_comes() -> None:
    counts, co2 = decaying(0.5)
    counts[110:] = 1
    (found,) = air.decays(subject(times(range(420)), counts, {"air": co2}))
    assert found.rows == slice(60, 110)


@pytest.mark.parametrize(("gap", "found"), [(5, 1), (20, 0)], ids=["short", "long"])
def test_a_short_gap_while_people_leave_hides_no_decay_and_a_long_one_does(gap: int, found: int) -> None:
    counts, co2 = decaying(0.8)
    kept = np.r_[0:60, 60 + gap : 420]
    assert len(air.decays(subject(times(kept), counts[kept], {"air": co2[kept]}))) == found


@pytest.mark.parametrize("case", ["little excess", "soon back", "never left"])
def test_what_is_no_decay_is_none(case: str) -> None:
    counts, co2 = decaying(0.8, excess=30.0 if case == "little excess" else 600.0)
    if case == "soon back":
        counts[75:] = 1
    if case == "never left":
        counts[:] = 0
    made = subject(times(range(420)), counts, {"air": co2})
    assert not air.decays(made)
    found = air.section(made)
    assert found is not None
    assert found.finding.startswith("The log has no decay of CO2")
    assert not found.pictures


def test_the_decays_of_the_real_log_agree_on_a_rate(uci_log: Log) -> None:
    rates = [decay.rate_per_h for decay in air.decays(Subject(uci_log))]
    assert len(rates) == 5
    assert 0.5 < min(rates) < max(rates) < 1.0


def test_the_simulated_room_is_aired_as_it_was_told_to_be(simulated_log: Log) -> None:
    rates = [decay.rate_per_h for decay in air.decays(Subject(simulated_log))]
    assert np.median(rates) == pytest.approx(0.75, rel=0.15)


def test_no_counts_or_no_co2_is_no_section() -> None:
    assert air.section(subject(times(range(3)), None, {"air": [1, 2, 3]})) is None
    assert air.section(subject(times(range(3)), [0, 1, 0], {"warmth": [1, 2, 3]})) is None


def test_dots_are_readings_and_lines_are_fits() -> None:
    counts, co2 = decaying(1.2, noise=3.0)
    made = subject(times(range(420)), counts, {"air": co2})
    (decay,) = air.decays(made)
    found = air.section(made)
    assert found is not None
    dots, line = found.pictures[0].draw(10.0).axes[0].get_lines()
    assert np.asarray(dots.get_ydata()) == pytest.approx(co2[decay.rows] - decay.outdoor_ppm)
    slope = np.polyfit(np.asarray(line.get_xdata()) / 60, np.log(np.asarray(line.get_ydata())), 1)[0]
    assert -slope == pytest.approx(decay.rate_per_h)
    assert f": {decay.rate_per_h:.2f}" in str(line.get_label())


@pytest.mark.parametrize("seed", range(3))
def test_noise_of_the_sensor_is_not_taken_for_outdoors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    day = np.concatenate([np.r_[[0] * 120, [2] * 120], [0] * 480])
    counts = np.tile(day, 6)
    excess, co2 = 0.0, np.empty(len(counts))
    for row, people in enumerate(counts):
        excess += (people * 500.0 - 1.2 * excess) / 60
        co2[row] = OUTDOOR + excess + rng.normal(0, 3)
    found = air.decays(subject(times(range(len(counts))), counts, {"air": co2}))
    rates = [decay.rate_per_h for decay in found]
    assert len(rates) == 6
    assert found[0].outdoor_ppm == pytest.approx(OUTDOOR, abs=3)
    assert np.median(rates) == pytest.approx(1.2, rel=0.05)
    assert np.median([decay.bend for decay in found]) == pytest.approx(1, abs=0.25)


def test_a_decay_that_quickens_is_called_a_rough_fit() -> None:
    counts, co2 = decaying(0.6)
    hours = (np.arange(420) - 60) / 60
    co2 = np.where(hours > 1, OUTDOOR + 600 * np.exp(-0.6) * np.exp(-2.4 * (hours - 1)), co2)
    found = air.section(subject(times(range(420)), counts, {"air": co2}))
    assert found is not None
    times_faster = float(found.finding.split("it is ")[1].split(" times")[0])
    assert times_faster == pytest.approx(4, abs=1.0)


def test_a_sensor_that_never_changes_is_left_out_of_the_mean() -> None:
    counts, co2 = decaying(0.8)
    made = subject(times(range(420)), counts, {"air": co2, "warmth": np.zeros(420)})
    columns = [column.model_copy(update={"kind": "co2"}) for column in made.log.schema.columns[:2]]
    log = dataclasses.replace(made.log, schema=made.log.schema.model_copy(update={"columns": columns}))
    assert air.co2_of(dataclasses.replace(made, log=log)) == pytest.approx(co2)
