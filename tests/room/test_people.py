from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.random import default_rng

from occupancy.config import Room, Simulation
from occupancy.data.schema import UCI
from occupancy.data.simulation import simulate
from occupancy.room.people import USES, people_of

HOURS: dict[str, Any] = {"opens_h": 8.0, "closes_h": 18.0, "breaks_per_h": 0.0, "step_s": 60.0}
DAYS = 28


def counts(use: str, days: int = DAYS, seed: int = 0, **settings: Any) -> pd.Series:
    room = Room(use=use, **{**HOURS, "max_people": 6, **settings})  # type: ignore[arg-type]
    rows = round(days * 86_400 / room.step_s)
    present = people_of(room, days, rows, default_rng(seed)).present
    return pd.Series(present.sum(axis=1), pd.date_range("2024-01-01", periods=rows, freq=f"{room.step_s:g}s"))


def by_day(count: pd.Series) -> pd.DataFrame:
    """Return the counts with a row for each working day and a column for each row of it."""
    table = pd.DataFrame(count.to_numpy().reshape(-1, 1440))
    return table[table.index % 7 < 5]


@pytest.mark.parametrize("use", ["office", "meeting_room", "lecture_room"])
def test_people_come_on_working_days_while_the_room_is_open(use: str) -> None:
    count = counts(use)
    occupied = pd.DatetimeIndex(count.index[count > 0])
    assert sorted(set(occupied.dayofweek)) == [0, 1, 2, 3, 4]
    assert occupied.hour.min() >= 8
    assert occupied.hour.max() < 18


@pytest.mark.parametrize("use", sorted(USES))
def test_the_same_seed_brings_the_same_people_and_a_longer_log_begins_with_the_shorter_one(use: str) -> None:
    longer, shorter = counts(use, days=10), counts(use, days=3)
    assert (longer.to_numpy() == counts(use, days=10).to_numpy()).all()
    assert (longer.iloc[: len(shorter)] == shorter).all()
    assert (longer.to_numpy() != counts(use, days=10, seed=1).to_numpy()).any()


def test_each_person_of_an_office_comes_at_about_the_same_hour_and_leaves_for_lunch() -> None:
    room = Room(use="office", max_people=4, attendance=0.9, **HOURS)
    days = by_day(pd.Series(people_of(room, DAYS, DAYS * 1440, default_rng(0)).present[:, 0]))
    came = days[days.any(axis=1)]
    assert 0.6 * len(days) < len(came) < len(days)
    first = came.to_numpy().argmax(axis=1)
    assert first.std() < 40  # minutes; drawn anew each day from the first fifth of the day, it would be about the same
    assert came.loc[:, 720:780].mean(axis=1).mean() < came.loc[:, 600:660].mean(axis=1).mean() - 0.2


def test_people_of_an_office_have_hours_of_their_own() -> None:
    room = Room(use="office", max_people=12, attendance=1.0, **HOURS)
    present = people_of(room, DAYS, DAYS * 1440, default_rng(0)).present.reshape(DAYS, 1440, 12)
    first = present[np.arange(DAYS) % 7 < 5].argmax(axis=1)  # days, people
    assert first.mean(axis=0).std() > first.std(axis=0).mean()  # people differ more than the days of one of them


def test_meetings_begin_on_the_half_hour_and_some_come_every_week() -> None:
    count = counts("meeting_room", max_people=8)
    days = by_day(count)
    starts = [m for _, day in days.iterrows() for m in np.flatnonzero((day[:-1] == 0).to_numpy() & (day[1:] >= 1))]
    distance = np.abs((np.array(starts) + 1 + 15) % 30 - 15)  # minutes to the nearest half hour
    assert np.mean(distance <= 5) > 0.8
    weeks = (days > 0).to_numpy().reshape(DAYS // 7, 5, 1440)
    same = np.mean([np.mean(a[:, 480:1080] == b[:, 480:1080]) for a, b in pairwise(weeks)])
    other = np.mean([np.mean(a[:, 480:1080] == np.roll(b, 1, axis=0)[:, 480:1080]) for a, b in pairwise(weeks)])
    assert same > other + 0.1


def test_lectures_follow_a_weekly_timetable_with_many_people() -> None:
    count = counts("lecture_room", max_people=40)
    assert 25 <= count.max() <= 40
    weeks = (by_day(count) > 0).to_numpy().reshape(DAYS // 7, 5, 1440)[:, :, 480:1080]
    assert np.mean([np.mean(a == b) for a, b in pairwise(weeks)]) > 0.9


def test_a_home_is_full_at_night_empty_by_day_and_different_at_weekends() -> None:
    count = counts("home", max_people=3, attendance=0.95)
    times = pd.DatetimeIndex(count.index)
    works = times.dayofweek < 5
    noon = (times.hour >= 11) & (times.hour < 14)
    assert count[times.hour < 5].mean() > 2.7
    assert count[works & noon].mean() < 0.5
    assert count[~works & noon].mean() > 1


def test_who_sleeps_is_in_but_neither_seen_nor_heard() -> None:
    room = Room(use="home", disturbances_per_h=0.0, **HOURS)
    log = simulate(Simulation(days=7, room=room))
    night = log[pd.DatetimeIndex(log.index).hour < 6]
    assert (night[UCI.count] == 3).mean() > 0.9
    assert night.filter(like="PIR").max().max() == 0
    assert night.filter(like="Sound").max().max() < 0.15
    assert night.filter(like="Light").max().max() == 0
    assert log.filter(like="PIR").max().max() == 1


def test_a_room_with_a_weekly_rhythm_needs_no_sessions() -> None:
    assert Room(use="office", opens_h=9.0, closes_h=12.0).use == "office"
    with pytest.raises(ValueError, match="longest_session_s 12600 exceeds 5400"):
        Room(opens_h=9.0, closes_h=12.0)
