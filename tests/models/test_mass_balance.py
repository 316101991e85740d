from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Config, MassBalance, Room, Simulation
from occupancy.data.folds import Fold, cut, load_scheme
from occupancy.data.log import Log
from occupancy.data.schema import UCI, Column, Schema
from occupancy.data.simulation import simulate
from occupancy.errors import InputError, InputWarning
from occupancy.features.balance import USUAL_PER_H
from occupancy.models.estimator import NO_STEPS, VOLUME
from occupancy.models.mass_balance import USUAL_VAR, MassBalanceEstimator
from occupancy.prediction import Prediction

RATE_PER_H, OUTDOOR_PPM = 1.3, 420.0
ROOM = Room(
    step_s=60.0,
    volume_m3=60.0,
    generation_l_per_h=20.0,
    air_changes_per_h=RATE_PER_H,
    outdoor_ppm=OUTDOOR_PPM,
    co2_noise_ppm=0.0,
    co2_mixing_share=0.0,
    co2_resolution_ppm=1e-6,
)
KNOWN = MassBalance(volume_m3=60.0, generation_l_per_h=20.0, slope_s=600.0)
SLOPE_ROWS = 10


@cache
def simulated(room: Room = ROOM) -> Log:
    frame = simulate(Simulation(days=3, room=room))
    return Log("simulated", "simulated", UCI, frame, frame[UCI.sensors].isna(), 120.0)


def fold_of(log: Log | None = None) -> Fold:
    """Return one day to learn from, the next half day beside it, and the rest to test."""
    log = log or simulated()
    hours = (log.times - log.times[0]).total_seconds() / 3600
    return Fold(1, log, np.asarray(hours < 24), np.asarray((hours >= 24) & (hours < 36)), np.asarray(hours >= 36))


def with_frame(frame: pd.DataFrame, schema: Schema = UCI) -> Fold:
    missing = frame.drop(columns=UCI.count).isna()
    return fold_of(dataclasses.replace(simulated(), frame=frame, missing=missing, schema=schema))


def altered(column: str, rows: Any, values: Any) -> Fold:
    """Return the fold of the simulated room with other cells in some rows of a column."""
    cells = simulated().frame[column].to_numpy(copy=True)
    cells[rows] = values
    return with_frame(simulated().frame.assign(**{column: cells}))


def fit(fold: Fold | None = None, settings: MassBalance = KNOWN, **changes: Any) -> MassBalanceEstimator:
    estimator = MassBalanceEstimator(Config(name="balance", model=settings, **changes), settings)
    estimator.fit((fold or fold_of()).sealed(), NO_STEPS)
    return estimator


def fit_ungated(fold: Fold | None = None, settings: MassBalance = KNOWN) -> MassBalanceEstimator:
    with pytest.warns(InputWarning, match="no column of kind motion"):
        return fit(fold, settings, features=["co2"])


def predicted(estimator: MassBalanceEstimator, frame: pd.DataFrame | None = None) -> Prediction:
    frame = simulated().frame.drop(columns=UCI.count) if frame is None else frame
    return estimator.predict(frame, np.ones(len(frame), bool))


def steady(rows: int = SLOPE_ROWS) -> Rows:
    """Return the simulated rows at which the count has been the same for so many rows, those before it too."""
    counts = simulated().frame[UCI.count]
    return np.asarray(counts.rolling(rows + 1).std() == 0)


def test_it_finds_the_ventilation_of_a_simulated_room_from_its_empty_hours() -> None:
    estimator = fit()
    assert estimator.air.air_changes_per_h == pytest.approx(RATE_PER_H, rel=0.015)
    assert estimator.air.outdoor_ppm == pytest.approx(OUTDOOR_PPM, abs=0.1)
    assert estimator.parameters == 2


def test_it_finds_the_people_of_a_simulated_room() -> None:
    prediction, truth = predicted(fit_ungated()), simulated().frame[UCI.count].to_numpy()
    assert set(truth[steady()]) == {0, 1, 2, 3}
    np.testing.assert_allclose(prediction.mean[steady()], truth[steady()], atol=0.05)
    np.testing.assert_array_equal(prediction.label[steady()], truth[steady()])


def balance(co2_ppm: Floats, estimator: MassBalanceEstimator) -> Floats:
    """Return the people by the equation, (N,), row by row, the lines fitted by numpy."""
    people = []
    for end in range(1, len(co2_ppm) + 1):
        span = co2_ppm[max(end - SLOPE_ROWS, 0) : end]
        slope_ppm = np.polyfit(np.arange(len(span)), span, 1)[0] if len(span) > 1 else 0.0
        aired_ppm_per_h = estimator.air.air_changes_per_h * (span.mean() - estimator.air.outdoor_ppm)
        people.append((slope_ppm * 60 + aired_ppm_per_h) / (20.0 * 1000 / 60.0))
    return np.array(people)


def test_every_row_is_the_equations_solution() -> None:
    estimator = fit_ungated()
    frame = simulated().frame.iloc[600:900]
    expected = balance(frame["S5_CO2"].to_numpy(), estimator)
    assert expected.max() > 1
    np.testing.assert_allclose(predicted(estimator, frame).mean, expected.clip(0, 3), atol=1e-4)


@pytest.mark.parametrize(("change", "factor"), [({"volume_m3": 30.0}, 0.5), ({"generation_l_per_h": 40.0}, 0.5)])
def test_volume_and_generation_are_taken_from_the_settings(change: dict[str, float], factor: float) -> None:
    frame = simulated().frame
    mean = predicted(fit_ungated()).mean
    inside = (mean > 0.1) & (mean < 2.9) & (frame[UCI.count].to_numpy() > 0)
    changed = predicted(fit_ungated(settings=KNOWN.model_copy(update=change))).mean
    np.testing.assert_allclose(changed[inside], factor * mean[inside], rtol=1e-6)


@pytest.mark.parametrize(("gate_s", "rows"), [(300.0, 5), (60.0, 1), (1.0, 1)])
def test_without_motion_for_a_while_nobody_is_in(gate_s: float, rows: int) -> None:
    settings = KNOWN.model_copy(update={"gate_s": gate_s})
    gated, ungated = predicted(fit(settings=settings)).mean, predicted(fit_ungated(settings=settings)).mean
    fired = simulated().frame[["S6_PIR", "S7_PIR"]].max(axis=1)
    lately = (fired.rolling(rows, min_periods=1).max() > 0).to_numpy()
    np.testing.assert_array_equal(gated, np.where(lately, ungated, 0))
    assert (gated != ungated).any()


def test_labels_find_empty_rows_and_serve_for_nothing_else() -> None:
    counts = simulated().frame[UCI.count].to_numpy()
    occupied = counts > 0
    shuffled = np.random.default_rng(0).permutation(counts[occupied])
    assert (shuffled != counts[occupied]).any()
    one, other = fit(), fit(altered(UCI.count, occupied, shuffled))
    pd.testing.assert_frame_equal(predicted(one).to_frame(), predicted(other).to_frame(), check_exact=True)


def test_the_residual_variance_is_the_mean_square_of_the_balance_on_empty_rows() -> None:
    fold = fold_of(simulated(ROOM.model_copy(update={"co2_noise_ppm": 8.0})))
    estimator = fit(fold)
    learned = fold.log.frame[fold.train | fold.validation]
    found = balance(learned["S5_CO2"].to_numpy(), estimator)[learned[UCI.count] == 0]
    assert found.min() < 0  # noise goes both ways, and the residual variance knows
    assert estimator.residual_var == pytest.approx(np.square(found).mean(), rel=1e-4)
    np.testing.assert_allclose(predicted(estimator).std, np.sqrt(estimator.residual_var))


def test_a_door_left_open_for_a_while_does_not_move_the_air_changes() -> None:
    aired = 0.9 * simulated().frame["S5_CO2"].to_numpy()[1200:1215]
    assert fit(altered("S5_CO2", slice(1200, 1215), aired)).air.air_changes_per_h == pytest.approx(RATE_PER_H, rel=0.03)


def test_a_slip_of_the_sensor_is_not_the_air_outdoors() -> None:
    assert fit(altered("S5_CO2", [100, 700, 1000], 0.0)).air.outdoor_ppm == pytest.approx(OUTDOOR_PPM, abs=0.1)


def test_a_log_that_shows_no_empty_room_gets_the_usual_air_changes_with_a_warning() -> None:
    frame = simulated().frame.assign(**{UCI.count: simulated().frame[UCI.count].clip(lower=1)})
    with pytest.warns(InputWarning, match="show the empty room for 0 s, expected 1200 s or more; 0.75 air changes per"):
        estimator = fit(with_frame(frame))
    assert estimator.air.air_changes_per_h == USUAL_PER_H
    assert estimator.residual_var == USUAL_VAR


@pytest.mark.parametrize(
    ("empty", "seen_s"),
    [(lambda row: row % 10 < SLOPE_ROWS - 1, 0), (lambda row: row < 25, (25 - SLOPE_ROWS + 1) * 60)],
    ids=["often and shortly", "once, at the beginning"],
)
def test_only_rows_with_an_empty_room_all_along_the_slope_tell_the_air_changes(
    empty: Callable[[Ints], Rows], seen_s: int
) -> None:
    rows = np.arange(len(simulated().frame))
    air = np.where(rows < 25, 900.0 - rows, simulated().frame["S5_CO2"])
    frame = simulated().frame.assign(**{"S5_CO2": air, UCI.count: np.where(empty(rows), 0, 1)})
    with pytest.warns(InputWarning, match=f"show the empty room for {seen_s} s, expected 1200 s or more"):
        fit(with_frame(frame))


@pytest.mark.parametrize(
    ("slope_s", "gate_s", "history_s"), [(600.0, 300.0, 600.0), (300.0, 900.0, 900.0), (1.0, 1.0, 60.0)]
)
def test_the_history_reaches_as_far_as_slope_and_gate(slope_s: float, gate_s: float, history_s: float) -> None:
    settings = KNOWN.model_copy(update={"slope_s": slope_s, "gate_s": gate_s})
    assert fit(settings=settings).history_s == history_s


def test_an_implausible_air_change_rate_is_not_believed() -> None:
    frame = simulated().frame.copy()
    frame["S5_CO2"] = 400 + np.arange(len(frame)) * 0.5  # rises, whoever is in
    with pytest.warns(InputWarning, match=r"the empty room seems to have -\S+ air changes per hour; 0.75"):
        assert fit(with_frame(frame)).air.air_changes_per_h == USUAL_PER_H


def test_several_co2_sensors_are_averaged() -> None:
    frame = simulated().frame
    spread = 10.0 * np.sin(np.arange(len(frame)))
    columns = [*UCI.columns, Column(name="S8_CO2", kind="co2", unit="ppm")]
    two = frame.assign(S5_CO2=frame["S5_CO2"] + spread, S8_CO2=frame["S5_CO2"] - spread)
    estimator = fit(with_frame(two, UCI.model_copy(update={"columns": columns})))
    np.testing.assert_allclose(predicted(estimator, two).mean, predicted(fit()).mean, atol=1e-3)


def test_columns_are_found_by_their_kind_and_not_by_their_name() -> None:
    names = {"S5_CO2": "air", "S6_PIR": "hall", "S7_PIR": "desk"}
    columns = [
        column.model_copy(update={"name": names.get(column.name, column.name)})
        for column in UCI.columns
        if column.kind != "co2_slope"
    ]
    frame = simulated().frame.drop(columns="S5_CO2_Slope").rename(columns=names)
    estimator = fit(with_frame(frame, UCI.model_copy(update={"columns": columns})))
    np.testing.assert_array_equal(predicted(estimator, frame).mean, predicted(fit()).mean)


def test_features_without_co2_are_refused() -> None:
    with pytest.raises(InputError, match=r"^features: got \['motion', 'sound'\], but the model mass_balance needs co2"):
        fit(features=["motion", "sound"])


def test_a_log_without_co2_is_refused() -> None:
    columns = [column for column in UCI.columns if column.kind not in {"co2", "co2_slope"}]
    frame = simulated().frame.drop(columns=["S5_CO2", "S5_CO2_Slope"])
    with pytest.raises(InputError, match=r"^model: mass_balance .* kind co2, but the log 'simulated' has none"):
        fit(with_frame(frame, UCI.model_copy(update={"columns": columns})))


def test_on_the_real_log_the_room_is_much_the_same_in_every_fold(uci_log: Log) -> None:
    folds = [*cut(uci_log, load_scheme("forward")), *cut(uci_log, load_scheme("blocked"))]
    estimators = [fit(fold, MassBalance()) for fold in folds]
    assert all(0.5 < estimator.air.air_changes_per_h < 1 for estimator in estimators)
    assert all(340 <= estimator.air.outdoor_ppm <= 390 for estimator in estimators)


def test_the_volume_is_that_of_the_settings_or_else_of_the_schema_or_else_what_the_labels_show() -> None:
    large = dataclasses.replace(simulated(), schema=UCI.model_copy(update={"volume_m3": 120.0}))
    unknown = dataclasses.replace(simulated(), schema=UCI.model_copy(update={"volume_m3": None}))
    open_ = KNOWN.model_copy(update={"volume_m3": None})
    assert fit(fold_of(large)).volume_m3 == 60.0
    by_schema = fit(fold_of(large), open_)
    expected = fit(settings=KNOWN.model_copy(update={"volume_m3": 120.0}))
    np.testing.assert_array_equal(predicted(by_schema).probs, predicted(expected).probs)
    with pytest.warns(InputWarning, match="room is not known; the labels show [56][0-9.]+ m3, which is used"):
        assert fit(fold_of(unknown), open_).volume_m3 == pytest.approx(60, rel=0.1)


def test_a_frame_that_says_its_volume_is_of_a_room_of_that_size(tmp_path: Path) -> None:
    estimator, frame = fit(), simulated().frame.drop(columns=UCI.count)
    half = frame.copy()
    half.attrs[VOLUME] = 30.0
    np.testing.assert_allclose(predicted(estimator, half).mean * 2, predicted(estimator, frame).mean, atol=0.05)
    estimator.save(tmp_path)
    loaded = MassBalanceEstimator(estimator.config, KNOWN)
    loaded.load(tmp_path)
    np.testing.assert_array_equal(predicted(loaded, half).probs, predicted(estimator, half).probs)
