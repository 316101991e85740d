"""A log of many rooms is predicted one room at a time, whoever asks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Rows
from occupancy.config import Config
from occupancy.data.clock import CLOCK, Clock
from occupancy.data.folds import Fold
from occupancy.data.log import Log, Place
from occupancy.models.estimator import VOLUME
from occupancy.models.postprocess.out_of_fold import left_out, out_of_fold
from occupancy.models.rooms import predict_by_room
from occupancy.prediction import Prediction
from tests.models.made_visits import Told, config_of, fold_of, log_of, sensors, told

ROOM = 60  # rows of each of three rooms
PROBS = np.random.default_rng(0).dirichlet(np.ones(4), 3 * ROOM)


def house() -> Log:
    """Return the log of three rooms, each with a visit."""
    counts = np.tile(np.repeat([0, 1, 0], ROOM // 3), 3)
    volumes = [30.0, None, 90.0]
    places = [Place(name, n * ROOM, (n + 1) * ROOM, pd.Timedelta(0), volumes[n]) for n, name in enumerate("abc")]
    log = log_of(counts, told(PROBS), gaps=[ROOM, 2 * ROOM])
    return dataclasses.replace(log, rooms=tuple(places))


class Witness(Told):
    """Notes which rows it was asked for, and which past it was given."""

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        CALLS.append((pd.DatetimeIndex(frame.index), rows, past))
        VOLUMES.append(frame.attrs[VOLUME])
        CLOCKS.append(frame.attrs[CLOCK])
        return super().predict(frame, rows, past)


CALLS: list[tuple[pd.DatetimeIndex, Rows, Rows | None]] = []
VOLUMES: list[float | None] = []
CLOCKS: list[Clock | None] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()
    VOLUMES.clear()
    CLOCKS.clear()


@pytest.mark.parametrize("with_past", [True, False])
def test_each_room_is_predicted_by_itself_with_its_own_rows_and_past(with_past: bool) -> None:
    log = house()
    rows = np.zeros(3 * ROOM, bool)
    rows[10:20] = rows[2 * ROOM + 5 :] = True  # none of the second room
    past = np.arange(3 * ROOM) % 2 == 0
    prediction = predict_by_room(Witness(config_of()), sensors(log), rows, log, past if with_past else None)
    np.testing.assert_allclose(prediction.probs, PROBS[rows])
    assert prediction.times.equals(log.times[rows])
    assert len(CALLS) == 2
    assert VOLUMES == [30.0, 90.0]
    for (times, asked, given), place in zip(CALLS, (log.rooms[0], log.rooms[2]), strict=True):
        at = slice(place.first, place.end)
        assert times.equals(log.times[at])
        np.testing.assert_array_equal(asked, rows[at])
        if with_past:
            np.testing.assert_array_equal(given, past[at])
        else:
            assert given is None


def test_a_frame_of_some_rows_of_a_log_is_cut_where_its_rooms_are() -> None:
    log = house()
    kept = np.arange(3 * ROOM) % 3 > 0
    kept[ROOM : 2 * ROOM] = False
    every = np.ones(kept.sum(), bool)
    prediction = predict_by_room(Witness(config_of()), sensors(log)[kept], every, log)
    np.testing.assert_allclose(prediction.probs, PROBS[kept])
    assert [len(times) for times, _, _ in CALLS] == [40, 40]


def test_rows_that_a_model_left_out_are_predicted_room_by_room_and_are_a_decoders_past() -> None:
    log = house()
    fold: Fold = fold_of(log, slice(0, 0), slice(2 * ROOM, 3 * ROOM))
    groups = left_out(fold, fold.train)

    def make(config: Config) -> Witness:
        return Witness(config)

    probs = out_of_fold(config_of(), fold.sealed(), groups, make)
    np.testing.assert_allclose(probs[fold.train], PROBS[fold.train])
    assert len(CALLS) == 2
    assert VOLUMES == [30.0, None]  # of the first two rooms, which are learned
    for times, rows, past in CALLS:
        assert len(times) == rows.sum() == ROOM
        np.testing.assert_array_equal(past, rows)


def test_each_room_says_its_own_clock_by_which_the_log_knows_the_hours_on_its_wall() -> None:
    log = house()
    clocks = [None, Clock(3600.0, "Europe/Berlin"), Clock(0.0, "Asia/Tokyo")]
    rooms = [dataclasses.replace(room, clock=clock) for room, clock in zip(log.rooms, clocks, strict=True)]
    log = dataclasses.replace(log, rooms=tuple(rooms))
    predict_by_room(Witness(config_of()), sensors(log), np.ones(3 * ROOM, bool), log)
    assert clocks == CLOCKS
    later = [pd.Timedelta(hours, "h") for hours in (0, 0, 9)]  # Tokyo's clock, in the place of UTC
    for place, hours in zip(log.rooms, later, strict=True):
        assert log.wall[place.first : place.end].equals(log.times[place.first : place.end] + hours)
