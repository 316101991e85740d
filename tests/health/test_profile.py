from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from occupancy.errors import InputError
from occupancy.health.profile import FILE, Profile, learn, read_profile
from tests.health.made_logs import SCHEMA, office, profile


def test_nothing_is_learned_of_rows_that_are_not_given() -> None:
    log = office()
    rows = np.asarray(log.times.day != 2)  # a hole in the middle
    spoilt = log.frame.astype(np.float64)
    spoilt.loc[~rows] = 1e6
    again = learn(dataclasses.replace(log, frame=spoilt), rows, SCHEMA.sensors)
    assert again == learn(log, rows, SCHEMA.sensors)


def test_what_is_learned_is_what_the_rows_hold() -> None:
    days = office().frame.loc["2024-01-01":"2024-01-02"]
    co2 = profile().sensors["co2"]
    assert (co2.low, co2.high) == (days["co2"].min(), days["co2"].max())
    runs = (days["co2"] != days["co2"].shift()).cumsum()
    assert co2.longest_rows == days.groupby(runs).size().max()
    assert co2.longest_s == 60 * co2.longest_rows
    assert co2.missing == 0
    assert profile().step_s == 60
    assert profile().most_people == days["people"].max()
    motion_runs = (days["motion"] != days["motion"].shift()).cumsum()
    assert profile().sensors["motion"].longest_s == 60 * days[days["motion"] > 0].groupby(motion_runs).size().max()


def test_signs_of_people_are_rare_in_an_empty_room_and_there_with_people() -> None:
    from occupancy.health.scene import Scene

    scene = Scene.of(office(), labels=False)
    people = office().frame["people"].to_numpy() > 0
    for shown in (scene.loud(profile().signs), scene.rising(profile().signs)):
        assert shown[people].mean() > 0.3
    empty = Scene.of(office()).empty
    assert (scene.loud(profile().signs) | scene.rising(profile().signs))[empty].mean() < 0.02


def test_a_log_that_is_never_empty_tells_no_signs_of_people() -> None:
    log = office()
    busy = np.asarray((log.times >= pd.Timestamp("2024-01-01 13:00")) & (log.frame["people"] > 0))
    learned = learn(log, busy, SCHEMA.sensors)
    assert (learned.loud, learned.rise) == ({}, None)
    assert learned.sensors["co2"].rest is None


def test_a_profile_is_the_same_once_it_was_saved(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(profile().model_dump_json())
    assert read_profile(tmp_path) == profile()


def test_an_earlier_model_has_none(tmp_path: Path) -> None:
    assert read_profile(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", profile().model_dump_json().replace('"version":1', '"version":2'), '{"step_s": 1e999}'],
)
def test_a_damaged_profile_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=r"the model is damaged, health\.json can't be read"):
        read_profile(tmp_path)


def test_every_number_of_a_profile_is_finite() -> None:
    assert Profile.model_validate_json(profile().model_dump_json()) == profile()
