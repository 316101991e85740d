from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.rooms_of_weeks import NUMBER, USES, data_of, open_room, rooms, untested, write_room
from occupancy.errors import InputError


def test_there_are_five_rooms_of_each_use_and_they_differ() -> None:
    made = rooms()
    assert [room.simulation.room.use for room in made] == list(USES) * (NUMBER // len(USES))
    assert len({room.simulation.room.volume_m3 for room in made}) == NUMBER
    assert {room.simulation.room.step_s for room in made} == {30.0, 60.0, 120.0, 300.0, 600.0}
    assert {room.simulation.room.ventilation for room in made} == {"none", "fan", "window"}
    assert all(14 <= room.simulation.days <= 28 for room in made)
    people = [room.simulation.room.max_people for room in made]
    assert min(people) <= 3
    assert max(people) >= 30


def test_a_room_is_the_same_whatever_their_number() -> None:
    assert rooms(3) == rooms()[:3]


def test_a_written_room_opens_with_folds_that_test_later_rows_and_are_cut_at_night(tmp_path: Path) -> None:
    room = next(room for room in rooms() if room.simulation.room.step_s == 600)
    data, folds = open_room(write_room(room, tmp_path))
    assert data.max_gap == 1500
    assert data.max_count == room.simulation.room.max_people
    assert len(folds) == 2
    for fold in folds:
        times = fold.log.times
        assert times[fold.train | fold.validation].max() < times[fold.test].min()
        assert times[fold.test].min().hour == 4
        assert len(np.unique(fold.counts(fold.validation))) > 1
        assert len(np.unique(fold.counts(fold.train))) > 1
    assert list(fold.log.frame.columns) == [*room.kinds, "people"]


def test_rows_that_any_fold_tests_are_not_chosen_by(tmp_path: Path) -> None:
    _, folds = open_room(write_room(rooms(14)[-1], tmp_path))
    swapped = untested([folds[1], folds[0]])
    assert not (swapped.train | swapped.validation)[folds[0].test | folds[1].test].any()
    assert (folds[1].train & ~swapped.train).any()


def test_a_room_without_a_known_number_of_people_takes_it_from_the_rows_it_learns_from(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", periods=400, freq="10min")
    people = np.where(np.arange(400) < 300, np.arange(400) % 3, 7)
    pd.DataFrame({"time": times, "co2": 400.0 + people, "people": people}).to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "schema.yaml").write_text(
        "{name: x, time: [time], columns: [{name: co2, kind: co2, unit: ppm}], count: people}"
    )
    first, cut, end = (f'"{times[row]}"' for row in (0, 300, 399))
    parts = f'{{train: [[{first}, {cut}]], validation: [[{first}, {first[:-9]}12:00:00"]], test: [[{cut}, {end}]]}}'
    (tmp_path / "folds.yaml").write_text(f"{{name: f, log: x, folds: [{parts}]}}")
    data = data_of(tmp_path)
    assert data.max_count == 2
    assert data.cap_counts
    (tmp_path / "config.yaml").write_text("data: {max_count: 7, max_gap: 900, source: elsewhere.csv}")
    data = data_of(tmp_path)
    assert (data.max_count, data.max_gap, data.source) == (7, 900, str(tmp_path / "a.csv"))


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no log; expected a file with one of \.csv"):
        data_of(tmp_path)
