"""The folds of many rooms: no model learns from a room that it is tested on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Rows
from occupancy.config import LSTM, Config, MassBalance, Model, RandomForest, Train
from occupancy.data.folds import PARTS, Fold
from occupancy.data.log import Log, Place
from occupancy.data.room_folds import cut_within, deal, folds_of, leave_rooms_out
from occupancy.data.rooms import open_rooms
from occupancy.data.schema import UCI
from occupancy.errors import InputError
from occupancy.execution.fold import FoldResult, run_fold, validate_fold
from occupancy.models.estimator import NO_STEPS, Steps
from tests.data.made_rooms import ROOMS, edit, rooms_of, settings


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


def test_an_empty_room_is_fine_among_others_but_not_as_all_that_is_trained_on(folder: Path) -> None:
    edit(folder / "room_1.csv", Room_Occupancy_Count="0")
    log = open_rooms(settings(folder))
    leave_rooms_out(log, 4)
    blank = log.frame.assign(**{UCI.count: 0})
    with pytest.raises(InputError, match=r"folds leave_rooms_out: fold 1: training rows have the single label 0"):
        leave_rooms_out(dataclasses.replace(log, frame=blank), 4)


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
