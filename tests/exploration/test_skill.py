"""What sensors tell beyond the hour: models that left the day out, and a warning where the clock does better."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Floats
from occupancy.exploration import skill
from occupancy.exploration.parts import Section, Subject
from tests.exploration.made_logs import START, subject

DAYS, HOURS = 8, 24


def at(days: int = DAYS, per_hour: int = 4) -> pd.DatetimeIndex:
    steps = np.arange(days * HOURS * per_hour) * 60 / per_hour
    return pd.DatetimeIndex(START.normalize() + pd.to_timedelta(steps, unit="min"), name="time")


def office_hours(times: pd.DatetimeIndex) -> Floats:
    """Return two people from 9 to 17 every day, for whom a clock is enough."""
    return np.where((times.hour >= 9) & (times.hour < 17), 2.0, 0.0)


def by_chance(times: pd.DatetimeIndex) -> Floats:
    """Return people who come at another hour every day."""
    come = np.random.default_rng(0).integers(0, 20, 1 + times.dayofyear.max())[times.dayofyear]
    return np.asarray(2.0 * ((times.hour >= come) & (times.hour < come + 4)))


def made(counts: Floats, warmth: Floats, times: pd.DatetimeIndex) -> Subject:
    return subject(times, counts, {"warmth": warmth}, max_gap=1800.0)


def told(of: Subject) -> Section:
    found = skill.section(of)
    assert found is not None
    return found


def mse_of(section: Section) -> dict[str, float]:
    assert section.table is not None
    return {row[0]: float(row[2]) for row in section.table[1]}


def test_sensors_that_read_noise_tell_less_than_the_clock_and_the_command_prints_a_caution() -> None:
    times = at()
    noise = 20 + np.random.default_rng(0).normal(size=len(times))
    found = told(made(office_hours(times), noise, times))
    mse = mse_of(found)
    assert mse["clock"] == 0, "every day is like the others"
    assert mse["nobody"] == pytest.approx(4 / 3, abs=1e-3)  # two people in a third of the rows
    assert mse["sensors"] > 0
    assert "CAUTION: the sensors of this room tell less than the clock." in found.finding
    line, caution = found.printed
    assert line.startswith("skill    mse: nobody 1.333, label shares ")
    assert len(line) <= 80
    assert found.finding.startswith("With whole days left out")
    assert caution == "CAUTION  the sensors of this room tell less than the clock"


def test_sensors_that_follow_people_who_come_at_any_hour_tell_more_than_the_clock() -> None:
    times = at()
    counts = by_chance(times)
    found = told(subject(times, counts, {"stir": counts > 0}, max_gap=1800.0))
    mse = mse_of(found)
    assert mse["sensors"] < 0.2 * mse["clock"]
    assert found.finding.endswith("The sensors tell more than the clock.")
    assert len(found.printed) == 1


def test_a_day_is_predicted_by_models_that_have_not_seen_its_counts() -> None:
    times = at()
    counts = by_chance(times)
    noise = 20 + np.random.default_rng(1).normal(size=len(times))
    # A clock that had learned the day itself would know at what hour people come on this weekday.
    mse = mse_of(told(made(counts, noise, times)))
    assert mse["clock"] >= 0.9 * np.square(counts).mean()


def test_a_long_log_is_measured_on_every_nth_day_and_the_notes_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skill, "MOST_ROWS", 500)
    times = at(days=30)
    counts = by_chance(times)
    found = told(made(counts, 20 + counts, times))
    assert "To save time, one day in 6 is used." in found.notes
    day = (times.normalize() - times[0]).days
    used = counts[day % 6 == 0]
    assert mse_of(found)["nobody"] == pytest.approx(np.square(used).mean(), abs=1e-3)


def test_every_seventh_day_is_never_used_because_all_would_be_of_one_weekday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skill, "MOST_ROWS", 420)
    times = at(days=30)
    counts = by_chance(times)
    assert "To save time, one day in 8 is used." in told(made(counts, 20 + counts, times)).notes


def test_a_log_whose_days_are_too_long_says_that_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skill, "MOST_ROWS", 10)
    times = at()
    found = told(made(office_hours(times), office_hours(times), times))
    assert found.finding == "Not measured: a day of the log has 96 rows."
    assert not found.printed


@pytest.mark.parametrize("counts", [None, np.zeros(DAYS * HOURS * 4)])
def test_a_log_without_counts_or_with_one_has_no_such_section(counts: Floats | None) -> None:
    times = at()
    warmth = 20 + np.arange(len(times)) % 5
    assert skill.section(subject(times, counts, {"warmth": warmth}, max_gap=1800.0)) is None


def test_missing_readings_are_not_taken_for_those_before_them() -> None:
    times = at()
    counts = by_chance(times)
    warmth = 20 + counts
    lost = times.hour < 6
    section = told(made(counts, np.where(lost, np.nan, warmth), times))
    seen = np.square(counts[~lost]).mean()
    assert mse_of(section)["nobody"] == pytest.approx(seen, abs=1e-3), "rows without a reading are left out for all"
