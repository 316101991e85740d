"""Many rooms: their files are found, and their logs share one time axis."""

from __future__ import annotations

import itertools
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from occupancy.config import Config, Data, RandomForest, Room
from occupancy.data.export import write_rooms
from occupancy.data.rooms import find_rooms, open_rooms, stored_rooms
from occupancy.data.schema import UCI
from occupancy.data.table import read_log
from occupancy.data.times import recordings, stretches
from occupancy.errors import InputError, InputWarning
from occupancy.execution.fold import run_fold
from occupancy.execution.unit import Failure, Scores, Unit, carry_out
from occupancy.models.estimator import NO_STEPS
from occupancy.models.neural.windows import Windows
from tests.data.made_rooms import ROOMS, SMALL, edit, settings


def test_a_folder_is_the_csv_files_in_it_sorted_by_name(folder: Path) -> None:
    (folder / "notes.txt").write_text("no room")
    assert list(find_rooms(str(folder))) == [f"room_{number}.csv" for number in range(1, ROOMS + 1)]


def test_a_glob_names_rooms_by_what_their_paths_do_not_share(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / "logs" / name).mkdir(parents=True)
        (tmp_path / "logs" / name / "march.csv").touch()
    found = find_rooms(str(tmp_path / "*" / "*" / "march.csv"))
    assert found == {f"{name}/march.csv": tmp_path / "logs" / name / "march.csv" for name in ("a", "b")}


def test_a_folder_whose_name_looks_like_a_glob_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "rooms[1]").mkdir()
    (tmp_path / "rooms[1]" / "a.csv").touch()
    assert list(find_rooms(str(tmp_path / "rooms[1]"))) == ["a.csv"]


def test_a_name_that_would_move_the_cursor_of_a_terminal_is_written_out(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J.csv").touch()
    assert list(find_rooms(str(tmp_path))) == [r"a\x1b[2J.csv"]


@pytest.mark.parametrize(
    ("rooms", "said"),
    [
        ("none/*.csv", "which matches no file"),
        ("x" * 300, "which matches no file"),
        (".", "a folder without *.csv files"),
    ],
)
def test_no_room_is_a_mistake(rooms: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=re.escape(f"data.rooms: got {rooms!r}, {said}; expected a folder")):
        find_rooms(rooms)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "uci", "folds": "each_room"}, "rooms 'here' conflicts with source 'uci'"),
        ({"folds": "forward"}, "folds 'forward' is for a single log; with rooms, set it to 'leave_rooms_out'"),
        (
            {"folds": "each_room", "room_folds": 5},
            "room_folds 5 conflicts with folds 'each_room': it is only for 'leave_",
        ),
        (
            {"rooms": None, "room_folds": 5},
            "room_folds 5 conflicts with folds 'forward': it is only for 'leave_rooms_out'",
        ),
        ({"rooms": None, "folds": "each_room"}, "folds 'each_room' is for many rooms; set rooms to a folder or glob"),
        ({"rooms": None, "folds": "leave_rooms_out", "source": "a.csv"}, "folds 'leave_rooms_out' is for many rooms"),
    ],
)
def test_settings_of_one_log_and_those_of_rooms_conflict(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Data.model_validate({"rooms": "here", **changes})


def test_rooms_lie_one_after_another_with_their_own_readings_hours_and_weekdays(folder: Path) -> None:
    log = open_rooms(settings(folder))
    assert log.times.is_monotonic_increasing
    assert log.times.is_unique
    assert [place.first for place in log.rooms[1:]] == [place.end for place in log.rooms[:-1]]
    for place in log.rooms:
        alone = read_log(folder / place.name, UCI, settings(folder))
        times = log.times[place.first : place.end]
        assert (times - place.shift).equals(alone.times)
        assert times.weekday.equals(alone.times.weekday)
        assert (times.time == alone.times.time).all()
        np.testing.assert_array_equal(log.frame.iloc[place.first : place.end], alone.frame)


def test_each_room_has_the_clock_of_its_own_wall_though_its_times_are_moved(folder: Path) -> None:
    log = open_rooms(settings(folder, time_zone="Europe/Berlin"))
    for place in log.rooms:
        alone = read_log(folder / place.name, UCI, settings(folder, time_zone="Europe/Berlin"))
        assert place.clock is not None
        assert alone.clock is not None
        moved = place.clock.on_the_wall(log.times[place.first : place.end])
        assert moved.equals(alone.clock.on_the_wall(alone.times))


def test_rooms_have_their_own_volume_or_that_of_the_schema(folder: Path) -> None:
    names = [path.name for path in sorted(folder.glob("*.csv"))]
    given = settings(folder, volumes={names[1]: 30.0})
    expected = [77.0, 30.0, *[77.0] * (len(names) - 2)]
    assert [place.volume_m3 for place in open_rooms(given).rooms] == expected
    each = stored_rooms(given.model_copy(update={"folds": "each_room"}))
    assert [room.schema.volume_m3 for room in each] == expected
    with pytest.raises(InputError, match=r"data.volumes: got 1 \(attic\) that no room is called; the rooms are 6 "):
        open_rooms(settings(folder, volumes={"attic": 30.0}))


def test_a_room_recorded_years_before_or_after_the_others_follows_them_all_the_same(folder: Path) -> None:
    for number, year in ((2, "2030"), (3, "1999")):
        dates = pd.read_csv(folder / f"room_{number}.csv", dtype=str)["Date"]
        edit(folder / f"room_{number}.csv", Date=dates.str.replace("2024", year))
    log = open_rooms(settings(folder))
    pairs = itertools.pairwise(log.rooms)
    gaps = [log.times[after.first] - log.times[before.end - 1] for before, after in pairs]
    assert all(pd.Timedelta(seconds=600) < gap <= pd.Timedelta(weeks=1, seconds=600) for gap in gaps)


def test_no_window_and_no_recording_crosses_from_room_to_room(folder: Path) -> None:
    log = open_rooms(settings(folder))
    number = np.repeat(np.arange(ROOMS), [place.end - place.first for place in log.rooms])
    assert (recordings(log.times, log.max_gap) == number).all()
    stretch = stretches(log.times, np.ones(len(log.frame), bool), log.max_gap)
    windows = Windows(number[:, None].astype(np.float32), stretch, 40).at(np.arange(len(log.frame)))
    assert (windows[..., 0].numpy() == number[:, None]).all()


def test_a_column_that_some_rooms_lack_is_left_out_of_all_with_a_warning(folder: Path) -> None:
    edit(folder / "room_2.csv", S1_Light=None)
    with pytest.warns(InputWarning, match=r"1 \(room_2\.csv\) of 6 rooms lack S1_Light, which is left out of all"):
        log = open_rooms(settings(folder))
    assert list(log.frame.columns) == [*(name for name in UCI.sensors if name != "S1_Light"), UCI.count]
    assert list(log.missing.columns) == list(log.frame.columns[:-1])


def test_rooms_that_the_gate_refuses_are_all_named_in_one_line(folder: Path) -> None:
    edit(folder / "room_2.csv", S1_Temp=None)
    edit(folder / "room_5.csv", S5_CO2="much")
    with pytest.raises(
        InputError, match=r"room_2\.csv: missing column S1_Temp.*; .*room_5\.csv: not a number"
    ) as caught:
        open_rooms(settings(folder))
    assert "\n" not in str(caught.value)


def test_rooms_with_another_step_are_refused(folder: Path) -> None:
    write_rooms(SMALL.model_copy(update={"room": Room(step_s=120.0)}), 1, folder / "quick")
    (folder / "quick.csv").write_bytes((folder / "quick" / "room_1.csv").read_bytes())
    with pytest.raises(InputError, match=r"room_1\.csv: has a row every 300 s, but .*quick\.csv one every 120 s"):
        open_rooms(settings(folder))


def test_rooms_are_refused_whose_steps_are_each_near_the_first_ones_but_not_near_each_other(folder: Path) -> None:
    for number, step_s in ((1, 280.0), (3, 260.0)):
        write_rooms(SMALL.model_copy(update={"room": Room(step_s=step_s)}), 1, folder / "other")
        (folder / "other" / "room_1.csv").replace(folder / f"room_{number}.csv")
    with pytest.raises(InputError, match=r"room_2\.csv: has a row every 300 s, but .*room_3\.csv one every 260 s"):
        open_rooms(settings(folder))


def test_a_room_under_two_names_is_refused_however_its_cells_are_written(folder: Path) -> None:
    rows = pd.read_csv(folder / "room_2.csv", dtype=str)
    rows.assign(S5_CO2=rows["S5_CO2"] + "0").iloc[:, ::-1].to_csv(folder / "twin.csv", index=False)
    said = f"{folder / 'twin.csv'}: has the same rows as {folder / 'room_2.csv'}, so a fold could train on the room"
    with pytest.raises(InputError, match=re.escape(said)):
        open_rooms(settings(folder))


@pytest.mark.parametrize("pattern", ["room_1.csv", "room_[12].csv"])
def test_one_model_over_fewer_than_three_rooms_is_refused(folder: Path, pattern: str) -> None:
    with pytest.raises(
        InputError, match=r"data\.rooms: got [12] \(room_1\.csv.*, expected 3 rooms or more for leave_rooms_out"
    ):
        open_rooms(settings(folder / pattern))


def test_rooms_that_reach_beyond_the_end_of_times_are_refused(folder: Path) -> None:
    dates = pd.read_csv(folder / "room_1.csv", dtype=str)["Date"]
    edit(folder / "room_1.csv", Date=dates.str.replace("2024/01", "2262/04"))
    with pytest.raises(InputError, match=r"6 rooms one after another, .* reach past the year 2262"):
        open_rooms(settings(folder))


@pytest.mark.parametrize("max_gap", [5e9, 1e12, 1e300])
def test_a_gap_that_time_does_not_hold_is_refused(folder: Path, max_gap: float) -> None:
    unchecked = settings(folder).model_copy(update={"max_gap": max_gap})  # as thousands of rooms with a smaller gap
    with pytest.raises(InputError, match=rf"6 rooms .*, data\.max_gap {re.escape(f'{max_gap:g}')} s apart, reach"):
        open_rooms(unchecked)


def test_a_stored_room_is_carried_out_by_whoever_reads_it(folder: Path) -> None:
    config = Config(name="rooms", model=RandomForest(trees=3), data=settings(folder, folds="each_room"))
    stored = stored_rooms(config.data)[1]
    outcome = carry_out(Unit(config, stored, "test"))
    direct = run_fold(config, stored.load(), NO_STEPS)
    assert isinstance(outcome, Scores)
    assert outcome.metrics == pytest.approx(direct.metrics, rel=0, abs=0, nan_ok=True)
    assert sum(outcome.rows.values()) == 2 * 288


def test_a_stored_room_that_can_not_be_read_is_a_failure_that_names_the_file(folder: Path) -> None:
    config = Config(name="rooms", data=settings(folder, folds="each_room"))
    edit(folder / "room_2.csv", S5_CO2="much")
    stored = stored_rooms(config.data)[1]
    broken = carry_out(Unit(config, stored, "test"))
    stored.path.unlink()
    gone = carry_out(Unit(config, stored, "test"))
    for outcome, said in ((broken, "not a number"), (gone, "cannot be read")):
        assert isinstance(outcome, Failure)
        assert outcome.error.startswith(f"{stored.path}: {said}")


def test_a_stored_room_whose_file_is_another_by_now_is_a_failure_that_names_it(folder: Path) -> None:
    config = Config(name="rooms", data=settings(folder, folds="each_room"))
    stored = stored_rooms(config.data)[1]
    edit(stored.path, S6_PIR="0")
    outcome = carry_out(pickle.loads(pickle.dumps(Unit(config, stored, "test"))))  # noqa: S301 (as it travels)
    assert isinstance(outcome, Failure)
    assert re.match(
        rf"{re.escape(str(stored.path))}: got digest \w{{16}}, expected {stored.digest} as when the command began",
        outcome.error,
    )


def test_the_key_of_a_stored_room_is_that_of_its_bytes_and_settings_whatever_lies_beside_it(folder: Path) -> None:
    def key(name: str, **changes: object) -> str:
        config = Config(name="rooms", data=settings(folder, folds="each_room"), **changes)  # type: ignore[arg-type]
        return next(Unit(config, room, "test").key for room in stored_rooms(config.data) if room.name == name)

    before = key("room_2.csv")
    (folder / "room_1.csv").unlink()
    assert key("room_2.csv") == before != key("room_2.csv", seed=1)
    edit(folder / "room_2.csv", S6_PIR="0")
    assert key("room_2.csv") != before
