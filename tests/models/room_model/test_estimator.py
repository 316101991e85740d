"""The room model as a whole, in simulated rooms whose parameters are known."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Rows
from occupancy.config import Config, Data, Room, RoomModel, Simulation
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.source import open_log
from occupancy.errors import InputError
from occupancy.models import load_estimator
from occupancy.models.estimator import NO_STEPS, VOLUME
from occupancy.models.room_model.estimator import UNHEARD_S, RoomModelEstimator
from occupancy.prediction import Prediction

DATA = Data(source="simulated", max_gap=600, simulation=Simulation(days=4, room=Room(step_s=120)))
LEARNED_DAYS = 2


@cache
def log() -> Log:
    return open_log(DATA)[0]


def fold(of: Log | None = None) -> Fold:
    """Return two days to learn and two to test."""
    whole = of or log()
    learned = np.asarray((whole.times - whole.times[0]).total_seconds() < LEARNED_DAYS * 86_400)
    return Fold(1, whole, learned, np.zeros_like(learned), ~learned)


def fitted(of: Log | None = None, features: str = "no_light", seed: int = 0, **settings: object) -> RoomModelEstimator:
    model = RoomModel.model_validate({"name": "room_model", **settings})
    config = Config.model_validate({"name": "it", "data": DATA, "model": model, "features": features, "seed": seed})
    estimator = RoomModelEstimator(config, model)
    estimator.fit(fold(of).sealed(), NO_STEPS)
    return estimator


@cache
def unlabelled() -> RoomModelEstimator:
    return fitted(labels="none")


def sensors(of: Log | None = None) -> pd.DataFrame:
    whole = of or log()
    return whole.frame.drop(columns=whole.schema.count)


def predicted(estimator: RoomModelEstimator, frame: pd.DataFrame | None = None) -> Prediction:
    rows = fold().test
    return estimator.predict(sensors() if frame is None else frame, rows, rows)


def mse(prediction: Prediction) -> float:
    return float(np.square(prediction.label - fold().counts(fold().test)).mean())


def test_without_a_label_it_counts_far_better_than_nobody_and_finds_the_room() -> None:
    estimator = unlabelled()
    counts = fold().counts(fold().test)
    assert mse(predicted(estimator)) < 0.15 * np.square(counts).mean()
    room, found = DATA.simulation.room, estimator.found()
    assert found["air_changes_per_h"] == pytest.approx(room.air_changes_per_h, rel=0.25)
    assert found["outdoor_ppm"] == pytest.approx(room.outdoor_ppm, abs=15)
    person = room.generation_l_per_h * 1e3 / room.volume_m3 / room.air_changes_per_h
    assert found["person_ppm"] == pytest.approx(person, rel=0.25)
    assert found["labels"] == 0
    assert found["seen_h"] == pytest.approx(48, abs=0.1)


def test_without_labels_the_counts_of_the_log_are_not_read() -> None:
    other = dataclasses.replace(log(), frame=log().frame.assign(**{log().schema.count: 0}))
    one, same = predicted(unlabelled()), predicted(fitted(other, labels="none"))
    pd.testing.assert_frame_equal(one.to_frame(), same.to_frame(), check_exact=True)


def test_labels_are_used_where_they_are_asked_for() -> None:
    estimator = fitted(labels="all")
    assert estimator.found()["labels"] == fold().train.sum()
    assert mse(predicted(estimator)) <= 1.2 * mse(predicted(unlabelled()))


def test_the_intervals_hold_the_counts() -> None:
    prediction, counts = predicted(unlabelled()), fold().counts(fold().test)
    assert ((prediction.lower <= counts) & (counts <= prediction.upper)).mean() > 0.9


def test_with_later_rows_it_is_better_and_says_that_it_is_not_causal() -> None:
    ahead = predicted(fitted(labels="none", features="centred_physics"))
    assert not ahead.causal
    assert mse(ahead) < mse(predicted(unlabelled()))


def test_without_a_volume_the_counts_are_wider() -> None:
    bare = dataclasses.replace(log(), schema=log().schema.model_copy(update={"volume_m3": None}))
    unknown = fitted(bare, labels="none")
    assert predicted(unknown).std.mean() > predicted(unlabelled()).std.mean()
    assert np.isnan(unknown.volume_m3)


def test_a_room_of_twice_the_volume_has_twice_the_people() -> None:
    frame = sensors()
    frame.attrs[VOLUME] = 2 * 77.0
    alone = fold().counts(fold().test) == 1
    more, as_it_is = predicted(unlabelled(), frame), predicted(unlabelled())
    assert more.mean[alone].mean() > as_it_is.mean[alone].mean() + 0.3


def test_an_hour_without_readings_widens_the_counts_and_is_not_answered_in_the_end() -> None:
    rows, frame = np.flatnonzero(fold().test), sensors()
    busy = rows[np.argmax(fold().counts(fold().test) > 1)] + 20
    gone = slice(busy, busy + 30)
    frame.iloc[gone] = np.nan
    prediction, whole = predicted(unlabelled(), frame), predicted(unlabelled())
    first = busy - rows[0]
    assert prediction.std[first + 14] > 2 * whole.std[first + 14]
    answered = prediction.is_answered[first : first + 30]
    unheard = np.arange(1, 31) * 120 > UNHEARD_S
    np.testing.assert_array_equal(answered, ~unheard)


def test_a_hole_in_the_co2_is_bridged_by_motion_and_sound() -> None:
    frame = sensors()
    gone: Rows = np.arange(len(frame)) % 100 < 15
    frame.loc[frame.index[gone], "S5_CO2"] = np.nan
    assert mse(predicted(unlabelled(), frame)) < 2 * mse(predicted(unlabelled())) + 0.02


def test_a_saved_model_counts_as_before_and_finds_the_same(tmp_path: Path) -> None:
    unlabelled().save(tmp_path)
    loaded = load_estimator(tmp_path)
    assert isinstance(loaded, RoomModelEstimator)
    assert loaded.found() == unlabelled().found()
    pd.testing.assert_frame_equal(predicted(loaded).to_frame(), predicted(unlabelled()).to_frame(), check_exact=True)


def test_a_log_without_a_sensor_that_it_reads_is_refused() -> None:
    config = Config.model_validate({"name": "it", "data": DATA, "model": RoomModel(), "features": ["temperature"]})
    with pytest.raises(InputError, match="the model room_model needs one of co2, motion, sound"):
        RoomModelEstimator(config, RoomModel()).check(log())


def test_the_same_seed_gives_the_same_model() -> None:
    assert unlabelled().found() == fitted(labels="none").found() != fitted(labels="none", seed=1).found()
