"""What all baselines promise, and what label shares and the clock are by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from occupancy.arrays import Floats, Rows
from occupancy.config import Clock, Config, Data, Majority, MassBalance, RandomForest, Room, Simulation, Train
from occupancy.data.clock import Clock as WallClock
from occupancy.data.folds import Fold, cut, load_scheme
from occupancy.data.log import Log
from occupancy.data.schema import UCI, Column, Schema
from occupancy.data.source import open_log
from occupancy.errors import InputError
from occupancy.models.baselines import ClockEstimator, MajorityEstimator
from occupancy.models.estimator import SETTINGS, Estimator
from occupancy.models.forest import ForestEstimator
from occupancy.models.mass_balance import MassBalanceEstimator
from occupancy.models.rooms import predict_by_room
from occupancy.prediction import Prediction
from tests.counted import Counted

Settings = Majority | Clock | RandomForest | MassBalance
MODELS: list[Settings] = [
    Majority(),
    Clock(),
    RandomForest(head="classification", trees=5),
    RandomForest(head="regression", trees=5),
    MassBalance(),
]
LOOKING_BACK = [model for model in MODELS if isinstance(model, RandomForest | MassBalance)]


def name_of(model: Settings) -> str:
    return f"{model.name}-{model.head}" if isinstance(model, RandomForest) else model.name


each_model = pytest.mark.parametrize("model", MODELS, ids=name_of)
each_looking_back = pytest.mark.parametrize("model", LOOKING_BACK, ids=name_of)


@cache
def fold_of() -> Fold:
    """Return a fold of two simulated days to learn from and one to test; nobody may write into it."""
    data = Data(source="simulated", simulation=Simulation(days=5, room=Room(step_s=60.0)))
    return cut(open_log(data)[0], load_scheme("simulated"))[1]


def unfitted(model: Settings, **changes: Any) -> Estimator:
    config = Config(name="baseline", model=model, **changes)
    match model:
        case Majority():
            return MajorityEstimator(config)
        case Clock():
            return ClockEstimator(config, model)
        case RandomForest():
            return ForestEstimator(config, model)
        case MassBalance():
            return MassBalanceEstimator(config, model)


def fit(model: Settings, fold: Fold, **changes: Any) -> Estimator:
    estimator = unfitted(model, **changes)
    steps = Counted()
    estimator.fit(fold, steps)
    assert steps == Counted(planned=1, finished=1, most=1, at_first=1)
    return estimator


@cache
def fitted(position: int) -> Estimator:
    return fit(MODELS[position], fold_of().sealed())


def fitted_to(model: Settings) -> Estimator:
    return fitted(MODELS.index(model))


def sensors() -> pd.DataFrame:
    return fold_of().log.frame.drop(columns=UCI.count)


def predicted(estimator: Estimator, frame: pd.DataFrame | None = None, rows: Rows | None = None) -> Prediction:
    frame = sensors() if frame is None else frame
    return estimator.predict(frame, np.ones(len(frame), bool) if rows is None else rows)


def assert_same(one: Prediction, other: Prediction) -> None:
    pd.testing.assert_frame_equal(one.to_frame(), other.to_frame(), check_exact=True)
    np.testing.assert_array_equal(one.samples, other.samples)


def relabelled(fold: Fold, rows: Rows) -> Fold:
    frame = fold.log.frame.copy()
    frame.loc[rows, UCI.count] = 3 - frame.loc[rows, UCI.count]
    return dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=frame))


def with_other_readings(fold: Fold, rows: Rows) -> Fold:
    frame = fold.log.frame.copy()
    frame.loc[rows, UCI.sensors] = frame.loc[rows, UCI.sensors] * 3 + 7
    return dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=frame))


@each_model
def test_a_saved_baseline_predicts_as_before(model: Settings, tmp_path: Path) -> None:
    estimator = fitted_to(model)
    estimator.save(tmp_path)
    text = json.loads((tmp_path / SETTINGS).read_text(encoding="utf-8"))
    assert Config.model_validate(text["config"]) == estimator.config
    loaded = unfitted(model)
    loaded.load(tmp_path)
    assert_same(predicted(loaded), predicted(estimator))
    assert loaded.history_s == estimator.history_s
    assert loaded.parameters == estimator.parameters


@each_model
def test_every_row_asked_for_gets_a_proper_prediction(model: Settings) -> None:
    prediction = predicted(fitted_to(model))
    assert len(prediction) == len(sensors())
    assert np.isfinite(prediction.to_frame().drop(columns="time").to_numpy()).all()
    np.testing.assert_allclose(prediction.probs.sum(axis=1), 1)
    assert ((prediction.mean >= 0) & (prediction.mean <= 3)).all()
    assert prediction.causal


@each_model
def test_asked_for_some_rows_it_predicts_those_as_among_all_others(model: Settings) -> None:
    rows = fold_of().test & (np.arange(len(sensors())) % 3 == 0)
    some, everything = (predicted(fitted_to(model), rows=asked) for asked in (rows, None))
    assert some.times.equals(fold_of().log.times[rows])
    np.testing.assert_array_equal(some.probs, everything.probs[rows])
    np.testing.assert_array_equal(some.mean, everything.mean[rows])


def between() -> Fold:
    """Return the fold with its test rows in the middle of a working day, and learned rows on both sides."""
    fold, hours = fold_of(), (fold_of().log.times - fold_of().log.times[0]).total_seconds() / 3600
    test = np.asarray((hours >= 14) & (hours < 16))
    return dataclasses.replace(fold, train=(fold.train | fold.test) & ~test, validation=fold.validation, test=test)


@pytest.mark.parametrize("cut_fold", [fold_of, between])
@each_model
def test_a_baseline_learns_the_same_whatever_the_test_rows_hold(model: Settings, cut_fold: Callable[[], Fold]) -> None:
    fold = cut_fold()
    frame = fold.log.frame.copy()
    frame.loc[fold.test] = np.random.default_rng(0).permutation(frame.loc[fold.test].to_numpy())
    frame[UCI.count] = frame[UCI.count].astype(np.int64)
    other = fit(model, dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=frame)))
    assert_same(predicted(other), predicted(fit(model, fold.sealed())))


@each_model
@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_baseline_learns_from_training_and_validation_rows(model: Settings, part: str) -> None:
    fold = fold_of()
    other = fit(model, relabelled(fold, getattr(fold, part)))
    assert not np.array_equal(predicted(other).probs, predicted(fitted_to(model)).probs)


@each_model
def test_without_refit_a_baseline_learns_from_training_rows_alone(model: Settings) -> None:
    fold, training = fold_of(), Train(refit=False)
    estimator = fit(model, fold.sealed(), train=training)
    other = fit(model, with_other_readings(relabelled(fold, fold.validation), fold.validation), train=training)
    np.testing.assert_array_equal(predicted(other).samples, predicted(estimator).samples)
    assert not np.array_equal(predicted(fitted_to(model)).probs, predicted(estimator).probs)


@each_model
def test_the_report_learns_from_validation_rows_whatever_is_said_of_a_refit(model: Settings) -> None:
    reported = fit(model, fold_of(), protocol="report", train=Train(refit=False))
    assert_same(predicted(reported), predicted(fitted_to(model)))


@each_model
def test_both_protocols_are_the_same_to_a_baseline(model: Settings) -> None:
    assert_same(predicted(fit(model, fold_of(), protocol="report")), predicted(fitted_to(model)))


@each_model
def test_a_baseline_has_no_epochs_but_parameters(model: Settings) -> None:
    estimator = fitted_to(model)
    assert estimator.history.empty
    assert estimator.chosen_epochs == 0
    assert estimator.parameters > 0


@each_model
@settings(max_examples=settings().max_examples // 3)
@given(data=st.data())
def test_the_future_changes_nothing(model: Settings, data: st.DataObject) -> None:
    frame = sensors()
    known = data.draw(st.integers(1, len(frame) - 1))
    changed = frame.copy()
    changed.iloc[known:] = np.random.default_rng(known).permutation(frame.to_numpy())[known:] * 1.5
    before, after = (predicted(fitted_to(model), one) for one in (frame, changed))
    np.testing.assert_array_equal(before.probs[:known], after.probs[:known])
    np.testing.assert_array_equal(before.mean[:known], after.mean[:known])


def busy_rows() -> Iterator[int]:
    """Yield rows of the second day at which people are in or have just left, far from any gap."""
    counts = fold_of().log.frame[UCI.count].to_numpy()
    rows = np.flatnonzero(counts[:2880] + np.roll(counts, 3)[:2880])
    yield from (int(row) for row in rows[rows > 1500][::25])


def last_of(estimator: Estimator, row: int, history_s: float) -> float:
    """Return the mean for a row whose frame begins so many seconds before it."""
    times = fold_of().log.times
    frame = sensors()[(times >= times[row] - pd.Timedelta(history_s, "s")) & (times <= times[row])]
    return float(predicted(estimator, frame).mean[-1])


@each_model
def test_the_history_that_a_baseline_asks_for_is_all_that_it_looks_at(model: Settings) -> None:
    estimator = fitted_to(model)
    whole = predicted(estimator).mean
    for row in busy_rows():
        assert last_of(estimator, row, estimator.history_s) == pytest.approx(whole[row], abs=1e-9)


@each_looking_back
def test_half_the_history_is_not_enough(model: Settings) -> None:
    estimator = fitted_to(model)
    whole = predicted(estimator).mean
    assert any(last_of(estimator, row, estimator.history_s / 2) != pytest.approx(whole[row]) for row in busy_rows())


@each_looking_back
def test_nothing_before_a_gap_is_looked_at(model: Settings) -> None:
    estimator, row = fitted_to(model), next(busy_rows())
    frame = sensors()
    later = pd.Timedelta(600, "s") * (np.arange(len(frame)) >= row)
    apart = frame.set_axis(frame.index + later)
    alone = predicted(estimator, frame.iloc[row : row + 30]).mean
    np.testing.assert_allclose(predicted(estimator, apart).mean[row : row + 30], alone)
    assert not np.allclose(predicted(estimator).mean[row : row + 30], alone)


@each_looking_back
def test_a_frame_with_another_step_is_refused(model: Settings) -> None:
    with pytest.raises(InputError, match="got a row every 120 s, but the model was trained on one every 60 s"):
        predicted(fitted_to(model), sensors().iloc[::2])


@each_looking_back
def test_a_frame_without_any_trained_sensor_is_refused_by_their_names(model: Settings) -> None:
    with pytest.raises(InputError, match=r"missing column .*S5_CO2.*, which the model was trained with; add one"):
        predicted(fitted_to(model), sensors()[[]])


@each_looking_back
def test_a_reading_with_none_before_it_is_stood_in_for(model: Settings) -> None:
    fold = fold_of()
    frame, missing = fold.log.frame.copy(), fold.log.missing.copy()
    frame.iloc[:5, :-1], missing.iloc[:5] = np.nan, True
    log = dataclasses.replace(fold.log, frame=frame, missing=missing)
    prediction = predicted(fit(model, dataclasses.replace(fold, log=log).sealed()), frame.drop(columns=UCI.count))
    assert np.isfinite(prediction.mean).all()


SMALL = Schema(
    name="small",
    time=["when"],
    time_format="%Y-%m-%d %H:%M:%S",
    columns=[Column(name="warm", kind="temperature", unit="degC")],
    count="people",
)
HALF_HOURS = ["01 08:00", "01 08:30", "01 09:00", "01 09:30", "02 08:00", "02 08:30", "02 09:00", "02 09:30"]
PEOPLE = [0, 1, 0, 0, 1, 1, 1, 0]  # the last row is tested


def small_fold() -> Fold:
    """Return two mornings with a row every half hour, the first of them a Monday's."""
    times = pd.DatetimeIndex([f"2024-01-{time}" for time in HALF_HOURS], name="time")
    frame = pd.DataFrame({"warm": 20.0, "people": PEOPLE}, times)
    rows = np.arange(len(PEOPLE))
    log = Log("small", "small", SMALL, frame, frame[["warm"]].isna(), 2000.0)
    return Fold(1, log, rows < 5, (rows >= 5) & (rows < 7), rows == 7)


def shares_at(estimator: Estimator, *times: str) -> Floats:
    frame = pd.DataFrame(index=pd.DatetimeIndex([f"2024-01-{time}" for time in times]))
    return predicted(estimator, frame).probs[:, 1]


def test_the_clock_backs_off_from_the_weekdays_hour_to_the_hour_to_all_rows() -> None:
    estimator = fit(Clock(prior_s=3600.0), small_fold().sealed(), data=Data(max_count=1))  # an hour is two rows
    everywhere = (4 + 2 * Fraction(1, 2)) / (7 + 2)
    eight, nine = (3 + 2 * everywhere) / (4 + 2), (1 + 2 * everywhere) / (3 + 2)
    expected = {
        "01 08:59": (1 + 2 * eight) / (2 + 2),  # Monday
        "01 09:00": (0 + 2 * nine) / (2 + 2),
        "02 08:15": (2 + 2 * eight) / (2 + 2),
        "09 09:15": (1 + 2 * nine) / (1 + 2),  # the Tuesday after
        "03 08:15": eight,  # a Wednesday
        "07 09:00": nine,
        "01 10:00": everywhere,
        "04 03:00": everywhere,
    }
    np.testing.assert_allclose(shares_at(estimator, *expected), [float(share) for share in expected.values()])
    assert estimator.parameters == 7 * 24 * 2


@pytest.mark.parametrize(("prior_s", "share"), [(1e-3, 1.0), (1e9, 0.5)])
def test_the_clocks_prior_reaches_from_the_hours_own_labels_to_equal_shares(prior_s: float, share: float) -> None:
    estimator = fit(Clock(prior_s=prior_s), small_fold(), data=Data(max_count=1))
    np.testing.assert_allclose(shares_at(estimator, "02 08:00"), share, atol=1e-3)


@each_model
def test_sensors_are_nothing_to_label_shares_and_the_clock(model: Settings) -> None:
    changed = sensors() * 2 + 1
    same = np.array_equal(predicted(fitted_to(model), changed).probs, predicted(fitted_to(model)).probs)
    assert same == isinstance(model, Majority | Clock)


def test_the_majority_gives_every_row_the_shares_of_the_learned_labels() -> None:
    estimator = fit(Majority(), small_fold().sealed(), data=Data(max_count=2))
    prediction = predicted(estimator, small_fold().log.frame)
    np.testing.assert_allclose(prediction.probs, np.tile([3 / 7, 4 / 7, 0], (8, 1)))
    assert (prediction.label == 1).all()
    assert estimator.parameters == 3


def berlin(day: str, first_hour: str, counts: list[int]) -> Log:
    """Return a log of hourly rows whose times run on from an hour of winter time in Berlin."""
    times = pd.date_range(f"{day} {first_hour}", periods=len(counts), freq="h", name="time")
    frame = pd.DataFrame({"warm": 20.0, "people": counts}, times)
    clock = WallClock(3600.0, "Europe/Berlin")
    return Log("small", "small", SMALL, frame, frame[["warm"]].isna(), 4000.0, clock=clock)


def test_the_clock_learns_and_predicts_by_the_hours_on_the_wall_when_clocks_change() -> None:
    # Clocks go forward at 02:00 on Sunday, 31 March 2024: the tenth row, at 09:00 in winter time, is at 10:00.
    log = berlin("2024-03-31", "00:00", [0] * 9 + [1] + [0] * 6)
    rows = np.arange(16)
    fold = Fold(1, log, rows < 14, rows == 14, rows == 15)
    estimator = fit(Clock(prior_s=1.0), fold.sealed(), data=Data(max_count=1))
    summer = pd.DataFrame(index=pd.DatetimeIndex(["2024-04-07 09:00", "2024-04-07 10:00"]))
    np.testing.assert_allclose(predicted(estimator, summer).probs[:, 1].round(2), [0, 1])  # times on the wall
    winter = dataclasses.replace(log, frame=log.frame.shift(freq="7D"), missing=log.missing.shift(freq="7D"))
    prediction = predict_by_room(estimator, winter.frame[["warm"]], rows < 16, winter)  # times that run on
    assert np.flatnonzero(prediction.probs[:, 1] > 0.5).tolist() == [9]
    assert prediction.times.equals(winter.times)


def test_the_clock_takes_times_without_a_zone_as_they_are() -> None:
    log = small_fold().log
    assert log.wall.equals(log.times)
    assert dataclasses.replace(log, clock=WallClock(3600.0)).wall.equals(log.times)
