"""Many rooms: found, laid on one time axis, and cut so that no tested room is ever learned from."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Rows
from occupancy.config import LSTM, Config, Data, MassBalance, Model, RandomForest, Room, Simulation, Train
from occupancy.data.export import write_rooms
from occupancy.data.folds import PARTS, Fold
from occupancy.data.rooms import cut_within, deal, find_rooms, folds_of, leave_rooms_out, open_rooms, stored_rooms
from occupancy.data.schema import UCI
from occupancy.data.table import Log, Place, read_log
from occupancy.data.times import recordings, stretches
from occupancy.errors import InputError, InputWarning
from occupancy.execution.fold import FoldResult, run_fold, validate_fold
from occupancy.execution.unit import Failure, Scores, Unit, carry_out
from occupancy.models.estimator import NO_STEPS, Steps
from occupancy.models.neural.windows import Windows

ROOMS = 6
SMALL = Simulation(days=2, room=Room(step_s=300.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_rooms(SMALL, ROOMS, tmp_path / "rooms")
    return tmp_path / "rooms"


def settings(rooms: Path | str, **changes: object) -> Data:
    return Data(rooms=str(rooms), **{"folds": "leave_rooms_out", "max_gap": 600.0, **changes})  # type: ignore[arg-type]


def edit(path: Path, **columns: Any) -> None:
    """Give columns of a room other cells; None takes a column away."""
    table = pd.read_csv(path, dtype=str)
    for name, cells in columns.items():
        table[name] = cells
    table.drop(columns=[name for name, cells in columns.items() if cells is None]).to_csv(path, index=False)


def rooms_of(fold: Fold, part: str) -> set[str]:
    rows = getattr(fold, part)
    return {place.name for place in fold.log.rooms if rows[place.first : place.end].any()}


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


@pytest.mark.parametrize(
    ("rooms", "said"), [("none/*.csv", "which matches no file"), (".", "a folder without *.csv files")]
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


def test_every_room_is_tested_once_by_a_model_that_neither_learned_from_it_nor_chose_with_it(folder: Path) -> None:
    log = open_rooms(settings(folder))
    folds = folds_of(log, settings(folder))
    names = {place.name for place in log.rooms}
    assert len(folds) == 4
    assert sorted(name for fold in folds for name in rooms_of(fold, "test")) == sorted(names)
    for fold in folds:
        parts = [rooms_of(fold, part) for part in ("train", "validation", "test")]
        assert all(parts)
        assert sum(map(len, parts)) == len(names) == len(set.union(*parts))
        assert (fold.train ^ fold.validation ^ fold.test).all()


@pytest.mark.parametrize("rooms", [3, 5])
def test_there_are_no_more_folds_than_rooms(folder: Path, rooms: int) -> None:
    for number in range(rooms + 1, ROOMS + 1):
        (folder / f"room_{number}.csv").unlink()
    assert len(leave_rooms_out(open_rooms(settings(folder)), 9)) == rooms


@pytest.mark.parametrize("rooms", range(3, 10))
def test_every_fold_trains_chooses_and_tests_with_a_room_however_few_there_are(simulated_log: Log, rooms: int) -> None:
    rows = len(simulated_log.frame) // rooms
    places = tuple(Place(str(n), n * rows, (n + 1) * rows, pd.Timedelta(0)) for n in range(rooms))
    columns = simulated_log.frame[: rows * rooms], simulated_log.missing[: rows * rooms]
    frame = columns[0].assign(**{UCI.count: np.arange(rows * rooms) % 4})
    log = dataclasses.replace(simulated_log, frame=frame, missing=columns[1], rooms=places)
    for folds in range(2, 7):
        for fold in leave_rooms_out(log, folds):
            assert all(rooms_of(fold, part) for part in PARTS), folds


@pytest.mark.parametrize("groups", [2, 4, 7])
def test_a_room_added_behind_the_others_leaves_their_groups_as_they_are(groups: int) -> None:
    for rooms in range(groups, 40):
        dealt = deal(rooms, groups)
        assert (deal(rooms + 1, groups)[:-1] == dealt).all()
        assert np.ptp(np.bincount(dealt, minlength=groups)) <= 1


def test_rooms_whose_names_repeat_do_not_end_up_in_one_group() -> None:
    assert len(set(deal(40, 4)[::4])) == 4


MODELS: list[Model] = [LSTM(window=3, layers=1, hidden=4), RandomForest(trees=3), MassBalance()]


@pytest.mark.filterwarnings("ignore:mass_balance")  # a room turned upside down is aired oddly
@pytest.mark.parametrize("run", [run_fold, validate_fold])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_what_a_tested_room_holds_changes_nothing_in_the_fitted_model_but_what_a_trained_one_holds_does(
    model: Model, run: Callable[[Config, Fold, Steps], FoldResult], folder: Path
) -> None:
    train = Train(max_epochs=1, members=1, device="cpu", batch_size=256)
    config = Config(name="rooms", model=model, train=train, data=settings(folder))
    fold = folds_of(open_rooms(config.data), config.data)[0]
    seen = fold.train | fold.validation

    def learned(rows: Rows) -> pd.DataFrame:
        """Return what is predicted for the rooms that are not tested, learned from logs that differ at some rows."""
        frame = fold.log.frame.copy()
        frame.loc[rows, UCI.sensors] = 3 * frame.loc[rows, UCI.sensors] + 70
        frame.loc[rows, UCI.count] = 3 - frame.loc[rows, UCI.count]
        result = run(config, dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=frame)), NO_STEPS)
        return result.estimator.predict(fold.log.frame.drop(columns=UCI.count), seen).to_frame()

    trained = next(place for place in fold.log.rooms if fold.train[place.first])
    rows = np.arange(len(seen))
    before = learned(np.zeros_like(seen))
    pd.testing.assert_frame_equal(learned(fold.test), before, check_exact=True)
    assert not learned((rows >= trained.first) & (rows < trained.end)).equals(before)


def test_a_room_is_predicted_as_it_would_be_alone_and_without_keeping_samples(folder: Path) -> None:
    config = Config(name="rooms", model=RandomForest(trees=5), data=settings(folder))
    fold = max(folds_of(open_rooms(config.data), config.data), key=lambda fold: fold.test.sum())
    result = run_fold(config, fold, NO_STEPS)
    whole = result.estimator.predict(result.fold.log.frame.drop(columns=UCI.count), result.fold.test)
    assert len(rooms_of(result.fold, "test")) > 1
    assert result.prediction.samples is None
    pd.testing.assert_frame_equal(result.prediction.to_frame(), whole.to_frame())


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


def test_an_empty_room_is_fine_among_others_but_not_as_all_that_is_trained_on(folder: Path) -> None:
    edit(folder / "room_1.csv", Room_Occupancy_Count="0")
    log = open_rooms(settings(folder))
    leave_rooms_out(log, 4)
    blank = log.frame.assign(**{UCI.count: 0})
    with pytest.raises(InputError, match=r"folds leave_rooms_out: fold 1: training rows have the single label 0"):
        leave_rooms_out(dataclasses.replace(log, frame=blank), 4)


def test_rooms_that_reach_beyond_the_end_of_times_are_refused(folder: Path) -> None:
    dates = pd.read_csv(folder / "room_1.csv", dtype=str)["Date"]
    edit(folder / "room_1.csv", Date=dates.str.replace("2024/01", "2262/04"))
    with pytest.raises(InputError, match=r"6 rooms one after another, .* reach past the year 2262"):
        open_rooms(settings(folder))


@pytest.mark.parametrize("max_gap", [5e9, 1e12, 1e300])
def test_a_gap_that_time_does_not_hold_is_refused(folder: Path, max_gap: float) -> None:
    with pytest.raises(InputError, match=rf"6 rooms .*, data\.max_gap {re.escape(f'{max_gap:g}')} s apart, reach"):
        open_rooms(settings(folder, max_gap=max_gap))


def test_a_model_per_room_learns_from_the_past_of_the_room_and_is_tested_on_the_rest(simulated_log: Log) -> None:
    fold = cut_within(simulated_log, "room")
    rows = len(simulated_log.frame)
    assert [part.sum() for part in (fold.train, fold.validation, fold.test)] == [0.45 * rows, 0.15 * rows, 0.4 * rows]
    order = np.select([fold.train, fold.validation, fold.test], [0, 1, 2])
    assert (np.diff(order) >= 0).all()


def test_a_room_of_too_few_rows_is_refused(simulated_log: Log) -> None:
    short = dataclasses.replace(simulated_log, frame=simulated_log.frame[:2], missing=simulated_log.missing[:2])
    with pytest.raises(InputError, match="the room: has 2 rows, too few"):
        cut_within(short, "the room")


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
