from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from occupancy.arrays import Floats, Rows
from occupancy.config import Config, Kind, Room, Simulation
from occupancy.data.folds import Fold
from occupancy.data.log import Log, Place
from occupancy.data.schema import UCI, Column, Schema
from occupancy.data.simulation import simulate
from occupancy.data.times import recordings, stretches
from occupancy.errors import InputError, InputWarning
from occupancy.features.inputs import Inputs, fit_inputs
from occupancy.features.physics import PhysicsFeatures
from occupancy.models import check_sensors

STEP_S, MAX_GAP = 60.0, 600.0
KINDS: list[Kind] = ["co2", "motion", "sound", "temperature"]
SELECTIONS = pytest.mark.parametrize("selection", ["physics", "centred_physics"])
HALF_S = 1525.0 / 2 + STEP_S / 2  # of the longest span, rounded to whole samples
OF_KIND = {
    "co2": {"people_330", "people_762.5", "people_1525", "co2_excess"},
    "motion": {
        *(f"motion_{span}_{rank}" for span in (300, 600, 1200) for rank in (1, 2)),
        *(f"moved_{span}" for span in (60, 120, 300, 600, 1200)),
        *(f"moving_{span}" for span in (60, 120, 300, 600)),
    },
    "sound": {
        *(f"loudness_{span}_{rank}" for span in (300, 600, 1200) for rank in (1, 2, 3, 4)),
        *(f"{what}_{span}" for span in (60, 120, 300, 600) for what in ("loud", "loudest")),
    },
    "temperature": {"warming"},
}


def log_of(frame: pd.DataFrame, schema: Schema = UCI, missing: pd.DataFrame | None = None) -> Log:
    sensors = frame.drop(columns=schema.count)
    return Log("room", "room", schema, frame, sensors.isna() if missing is None else missing, MAX_GAP)


@cache
def room(step_s: float = STEP_S, days: int = 1) -> Log:
    """Return a simulated log; nobody may write into it."""
    return log_of(simulate(Simulation(days=days, room=Room(step_s=step_s))))


def hours(start: float, end: float, log: Log | None = None) -> Rows:
    log = log or room()
    hour = (log.times - log.times[0]).total_seconds() / 3600
    return np.asarray((hour >= start) & (hour < end))


DAY = hours(0, 24)
TRAINED = hours(0, 16)


def fit(log: Log | None = None, rows: Rows = TRAINED, selection: str = "physics") -> PhysicsFeatures:
    features = fit_inputs(log or room(), rows, selection)
    assert isinstance(features, PhysicsFeatures)
    return features


def transformed(features: Inputs, log: Log | None = None, rows: Rows | None = None) -> Floats:
    log = log or room()
    rows = np.ones(len(log.frame), bool) if rows is None else rows
    return features.transform(log.frame, stretches(log.times, rows, log.max_gap)).astype(np.float64)


def unscaled(features: PhysicsFeatures, log: Log | None = None, rows: Rows | None = None) -> pd.DataFrame:
    """Return the inputs in their own units, by name."""
    width = np.where(features.high > features.low, features.high - features.low, 1.0)
    return pd.DataFrame(transformed(features, log, rows) * width + features.low, columns=list(features.names))


def garbled(rows: Rows, log: Log | None = None, seed: int = 0, count: bool = True) -> Log:
    """Return the log with other readings, and other counts, in some rows."""
    log = log or room()
    frame = log.frame.copy()
    frame.loc[rows, UCI.sensors] = np.random.default_rng(seed).uniform(0, 900, (rows.sum(), len(UCI.sensors)))
    if count:
        frame.loc[rows, UCI.count] = 3 - frame.loc[rows, UCI.count]
    return dataclasses.replace(log, frame=frame)


def without(*kinds: str) -> Log:
    """Return the log of a room that never had sensors of some kinds."""
    columns = [column for column in UCI.columns if column.kind not in kinds]
    kept = [column.name for column in columns]
    return log_of(room().frame[[*kept, UCI.count]], UCI.model_copy(update={"columns": columns}))


def test_the_inputs_are_those_of_the_table() -> None:
    assert set(fit().names) == set().union(*OF_KIND.values())
    assert len(fit().names) == len(set(fit().names)) == transformed(fit()).shape[1]


@SELECTIONS
def test_inputs_fill_zero_to_one_on_the_training_rows_and_are_not_there_outside(selection: str) -> None:
    scaled = transformed(fit(selection=selection), rows=TRAINED)
    np.testing.assert_allclose(scaled[TRAINED].min(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(scaled[TRAINED].max(axis=0), 1.0, atol=1e-6)
    assert np.isnan(scaled[~TRAINED]).all()


def test_inputs_are_in_single_precision() -> None:
    assert fit().transform(room().frame, np.zeros(len(room().frame), np.int64)).dtype == np.float32


@pytest.mark.parametrize("hour", [6, 10, 13.5, 20])
def test_the_future_changes_nothing_of_the_past(hour: float) -> None:
    features, past = fit(), hours(0, hour)
    before, after = transformed(features), transformed(features, garbled(~past))
    np.testing.assert_array_equal(after[past], before[past])
    assert (np.abs(after[~past] - before[~past]).max(axis=0) > 1e-3).all()


@pytest.mark.parametrize("hour", [6, 10, 13.5])
def test_centred_inputs_look_half_a_span_ahead_and_no_further(hour: float) -> None:
    features = fit(selection="centred_physics")
    before, after = transformed(features), transformed(features, garbled(~hours(0, hour)))
    safe = hours(0, hour - HALF_S / 3600)
    np.testing.assert_array_equal(after[safe], before[safe])
    looking = hours(hour - 600 / 3600, hour)
    assert np.abs(after[looking] - before[looking]).max() > 1e-3


@SELECTIONS
@pytest.mark.parametrize("step_s", [60.0, 300.0])
def test_rows_that_are_longer_ago_than_the_history_change_nothing(selection: str, step_s: float) -> None:
    log = room(step_s)
    features = fit(log, hours(0, 16, log), selection)
    assert features.history_s == 1525
    old = hours(0, 12, log)
    later = hours(12 + 1525 / 3600, 24, log)
    before, after = transformed(features, log), transformed(features, garbled(old, log))
    np.testing.assert_array_equal(after[later], before[later])


def test_a_step_that_is_longer_than_any_span_is_the_history() -> None:
    log = dataclasses.replace(log_of(room(300.0, days=3).frame[::6]), max_gap=3600.0)
    features = fit(log, hours(0, 48, log))
    assert features.history_s == 1800
    row = 100
    changed = log.frame.copy()
    changed.iloc[row - 2] += 50.0
    before, after = (transformed(features, each) for each in (log, dataclasses.replace(log, frame=changed)))
    np.testing.assert_array_equal(after[row], before[row])
    assert not np.array_equal(after[row - 1], before[row - 1])


@SELECTIONS
@pytest.mark.parametrize("part", ["validation", "test"])
def test_what_is_not_trained_on_is_neither_in_the_constants_nor_in_any_training_input(
    selection: str, part: str
) -> None:
    fold = Fold(1, room(), hours(0, 9) | hours(15, 20), hours(9, 12), hours(12, 15) | hours(20, 24))
    other = dataclasses.replace(fold, log=garbled(getattr(fold, part)))
    before, after = (fit(each.log, fold.train, selection) for each in (fold, other))
    assert json.dumps(after.to_settings()) == json.dumps(before.to_settings())
    one, two = (transformed(before, each.log, fold.train) for each in (fold, other))
    np.testing.assert_array_equal(one, two)
    sealed = fit(fold.sealed().log, fold.train, selection)
    assert json.dumps(sealed.to_settings()) == json.dumps(before.to_settings())


def test_loudness_is_the_logarithm_over_silence_in_ascending_order() -> None:
    inputs, sound = unscaled(fit()), room().frame[[f"S{n}_Sound" for n in range(1, 5)]]
    quiet = sound[TRAINED].quantile(0.05)
    loudness = (sound.astype(np.float32) / quiet.astype(np.float32)).clip(lower=1.0).apply(np.log)
    expected = np.sort(loudness.rolling(5, min_periods=1).mean(), axis=1)
    np.testing.assert_allclose(inputs[[f"loudness_300_{rank}" for rank in range(1, 5)]], expected, atol=1e-5)
    loudest = loudness.max(axis=1).rolling(2, min_periods=1).mean()
    np.testing.assert_allclose(inputs["loudest_120"], loudest, atol=1e-5)
    loud = (loudness > 0.25).mean(axis=1).rolling(10, min_periods=1).mean()
    np.testing.assert_allclose(inputs["loud_600"], loud, atol=1e-5)


def test_motion_is_the_share_of_samples_and_whether_there_was_any() -> None:
    inputs, motion = unscaled(fit()), room().frame[["S6_PIR", "S7_PIR"]]
    shares = np.sort(motion.rolling(20, min_periods=1).mean(), axis=1)
    np.testing.assert_allclose(inputs[["motion_1200_1", "motion_1200_2"]], shares, atol=1e-6)
    moved = motion.max(axis=1)
    np.testing.assert_allclose(inputs["moving_300"], moved.rolling(5, min_periods=1).mean(), atol=1e-6)
    np.testing.assert_allclose(inputs["moved_300"], moved.rolling(5, min_periods=1).max(), atol=1e-6)


def test_warming_is_the_median_slope_of_the_sensors_in_degrees_an_hour() -> None:
    temperature = room().frame[[f"S{n}_Temp" for n in range(1, 5)]].to_numpy()
    warming = unscaled(fit())["warming"].to_numpy()
    for row in (19, 500, 900, 1200):
        slopes = np.polyfit(np.arange(20) / 60, temperature[row - 19 : row + 1], 1)[0]
        assert warming[row] == pytest.approx(np.median(slopes), abs=1e-4)


def test_people_are_those_of_the_balance() -> None:
    features = fit()
    assert features.air is not None
    co2_ppm = room().frame["S5_CO2"].to_numpy()
    inputs = unscaled(features)
    np.testing.assert_allclose(inputs["co2_excess"], co2_ppm - features.air.outdoor_ppm, atol=1e-2)
    for row in (100, 700, 1000):
        span = co2_ppm[row - 12 : row + 1]  # 762.5 s are 13 rows
        slope_ppm_per_h = np.polyfit(np.arange(13) / 60, span, 1)[0]
        expected = slope_ppm_per_h + features.air.air_changes_per_h * (span.mean() - features.air.outdoor_ppm)
        assert inputs["people_762.5"][row] == pytest.approx(expected / features.air.person_ppm_per_h, abs=1e-3)


@SELECTIONS
@pytest.mark.parametrize("kind", ["sound", "motion"])
def test_sensors_that_change_places_or_names_are_the_same_to_a_model(kind: Kind, selection: str) -> None:
    names = [column.name for column in UCI.of_kind(kind)]
    turned = room().frame.rename(columns=dict(zip(names, [*names[1:], names[0]], strict=True)))[list(room().frame)]
    before, after = (transformed(fit(log, TRAINED, selection), log) for log in (room(), log_of(turned)))
    np.testing.assert_allclose(after, before, atol=1e-6)
    renamed = {name: f"desk {place}" for place, name in enumerate(names)}
    columns = [column.model_copy(update={"name": renamed.get(column.name, column.name)}) for column in UCI.columns]
    other = log_of(room().frame.rename(columns=renamed), UCI.model_copy(update={"columns": columns}))
    np.testing.assert_array_equal(transformed(fit(other, TRAINED, selection), other), before)


@pytest.mark.parametrize("kind", KINDS)
@SELECTIONS
def test_a_kind_that_the_log_lacks_is_left_out_with_a_warning(kind: Kind, selection: str) -> None:
    gone = (kind, "co2_slope") if kind == "co2" else (kind,)
    log = without(*gone)
    with pytest.warns(
        InputWarning, match=f"^features {selection}: the log 'room' has no column of kind {kind}; features"
    ):
        check_sensors(log, Config.model_validate({"name": "it", "features": selection}))
    features = fit(log, TRAINED, selection)
    assert set(features.names) == set().union(*(names for each, names in OF_KIND.items() if each != kind))
    shared = [name for name in fit(selection=selection).names if name in features.names]
    complete = unscaled(fit(selection=selection))
    np.testing.assert_allclose(unscaled(features, log)[shared], complete[shared], atol=1e-4)
    back = PhysicsFeatures.from_settings(json.loads(json.dumps(features.to_settings())))
    np.testing.assert_array_equal(transformed(back, log), transformed(features, log))


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_is_enough(kind: Kind) -> None:
    log = without(*({*KINDS, "light", "co2_slope"} - {kind}))
    with pytest.warns(InputWarning, match="no column of kind") as caught:
        check_sensors(log, Config(name="it", features="physics"))
    assert len(caught) == 3
    features = fit(log)
    assert set(features.names) == OF_KIND[kind]
    assert np.isfinite(transformed(features, log)).all()


@SELECTIONS
def test_a_log_without_any_of_them_is_refused(selection: str) -> None:
    with pytest.raises(InputError, match=f"^features: got '{selection}', but the log 'room' has only light$"):
        fit(without(*KINDS, "co2_slope"), TRAINED, selection)
    with pytest.raises(InputError, match=f"^features: got '{selection}', but"):  # before any fold is trained
        check_sensors(without(*KINDS, "co2_slope"), Config.model_validate({"name": "it", "features": selection}))


def test_one_sensor_a_kind_is_enough() -> None:
    columns = [column for column in UCI.columns if column.name in {"S2_Temp", "S2_Sound", "S5_CO2", "S6_PIR"}]
    frame = room().frame[[*(column.name for column in columns), UCI.count]]
    log = log_of(frame, UCI.model_copy(update={"columns": columns}))
    features = fit(log)
    assert {"loudness_300_1", "motion_300_1", "warming", "people_330"} < set(features.names)
    assert not {"loudness_300_2", "motion_300_2"} & set(features.names)
    assert np.isfinite(transformed(features, log)).all()


def test_several_co2_sensors_are_averaged() -> None:
    spread = 10.0 * np.sin(np.arange(len(room().frame)))
    frame = room().frame.assign(S5_CO2=room().frame["S5_CO2"] + spread, S8_CO2=room().frame["S5_CO2"] - spread)
    schema = UCI.model_copy(update={"columns": [*UCI.columns, Column(name="S8_CO2", kind="co2", unit="ppm")]})
    log = log_of(frame, schema)
    np.testing.assert_allclose(unscaled(fit(log), log)["people_330"], unscaled(fit())["people_330"], atol=1e-3)


def test_a_sound_sensor_that_reads_0_in_silence_is_loud_when_it_reads_something() -> None:
    frame = room().frame.copy()
    frame["S1_Sound"] = (frame["S1_Sound"] - 0.1).clip(lower=0.0)
    assert (frame["S1_Sound"][TRAINED] == 0).mean() > 0.2
    log = log_of(frame)
    features = fit(log)
    assert features.quiet[0] == pytest.approx(frame["S1_Sound"][TRAINED].max() / 100)
    assert np.isfinite(transformed(features, log)).all()
    assert unscaled(features, log)["loudest_60"].max() < 10


@pytest.mark.parametrize("value", [0.0, 0.1, 21.3])
@pytest.mark.parametrize("kind", ["sound", "motion", "temperature"])
def test_sensors_that_are_constant_in_training_stay_small_where_they_are_not(kind: Kind, value: float) -> None:
    frame = room().frame.copy()
    names = [column.name for column in UCI.of_kind(kind)]
    frame[names] = value
    later = np.arange((~TRAINED).sum()) // 30 % 2
    frame.loc[~TRAINED, names] = np.repeat(value + 0.5 * later[:, None], len(names), axis=1)
    features = fit(log_of(frame))
    scaled = pd.DataFrame(transformed(features, log_of(frame)), columns=list(features.names))
    of_kind = scaled[sorted(OF_KIND[kind])].to_numpy()
    np.testing.assert_allclose(of_kind[TRAINED], 0.0, atol=1e-3)
    assert 0 < np.abs(of_kind[~TRAINED]).max() < 100


def test_constant_co2_is_no_people_and_a_warning() -> None:
    log = log_of(room().frame.assign(S5_CO2=555.5))
    with pytest.warns(InputWarning, match="features physics: ") as caught:
        features = fit(log)
    assert len(caught) == 2
    np.testing.assert_allclose(unscaled(features, log)[sorted(OF_KIND["co2"])], 0.0, atol=1e-6)


def test_missing_readings_are_no_inputs_but_where_others_of_their_kind_say_what_they_would() -> None:
    frame = room().frame.copy()
    missing = frame.drop(columns=UCI.count).isna()
    for column in ("S5_CO2", "S1_Sound", "S6_PIR", "S1_Temp"):
        missing.loc[missing.index[:5], column] = True
        frame.loc[frame.index[:5], column] = np.nan  # a recording that begins without a reading
        missing.loc[missing.index[300:420], column] = True
        frame.loc[frame.index[300:420], column] = np.nan
    log = log_of(frame, missing=missing)
    inputs = unscaled(fit(log), log)
    of_co2 = [name for name in inputs if str(name).startswith(("people", "co2"))]
    # The other sound, motion and temperature sensors stand in; there is one of CO2.
    assert np.isfinite(inputs.drop(columns=of_co2)).all(axis=None)
    assert inputs.loc[inputs.index[:5], of_co2].isna().all(axis=None)
    assert inputs.loc[inputs.index[419], of_co2].isna().all()
    whole = unscaled(fit(log), room())
    kept = np.r_[60:300, 600 : len(frame)]
    np.testing.assert_array_equal(inputs.iloc[kept], whole.iloc[kept])


def test_many_rooms_share_constants_and_no_span_goes_from_one_to_the_next() -> None:
    first, second = room(), room(days=2).frame[len(room().frame) :]
    shift = pd.Timedelta(weeks=1)
    frame = pd.concat([first.frame, second.set_axis(second.index + shift)])
    places = (
        Place("a", 0, len(first.frame), pd.Timedelta(0)),
        Place("b", len(first.frame), len(frame), shift),
    )
    log = dataclasses.replace(log_of(frame), rooms=places)
    rows = np.arange(len(frame)) < len(first.frame)
    features = fit(log, rows)
    assert json.dumps(features.to_settings()) == json.dumps(fit(first, DAY).to_settings())
    alone = log_of(frame[~rows])
    np.testing.assert_array_equal(transformed(features, log)[~rows], transformed(features, alone))


@SELECTIONS
def test_a_gap_ends_every_span(selection: str) -> None:
    late = room().times >= room().times[700]
    frame = room().frame.set_axis(room().times + pd.to_timedelta(late * 7200.0, unit="s"))
    log = log_of(frame)
    features = fit(log, TRAINED, selection)
    assert len(np.unique(recordings(log.times, MAX_GAP))) == 2
    parts = [log_of(frame[~late]), log_of(frame[late])]
    expected = np.concatenate([transformed(features, part) for part in parts])
    np.testing.assert_array_equal(transformed(features, log), expected)


@pytest.mark.parametrize("step_s", [30.0, 300.0])
def test_another_step_means_the_same_spans_of_time(step_s: float) -> None:
    log = room(step_s)
    features = fit(log, hours(0, 16, log))
    inputs, motion = unscaled(features, log), log.frame["S6_PIR"].rolling(round(1200 / step_s), min_periods=1).mean()
    assert features.step_s == step_s
    lower, upper = (inputs[f"motion_1200_{rank}"].to_numpy() for rank in (1, 2))
    assert (np.isclose(lower, motion, atol=1e-6) | np.isclose(upper, motion, atol=1e-6)).all()
    assert np.isfinite(transformed(features, log)).all()


def test_readings_in_another_unit_of_their_kind_give_the_same_inputs() -> None:
    units: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "co2": ("%", lambda ppm: ppm / 1e4),
        "temperature": ("degF", lambda celsius: celsius * 1.8 + 32),
        "sound": ("dBA", lambda volts: 20 * np.log10(volts)),
    }
    log = room()
    columns, frame = [], log.frame.copy()
    for column in UCI.columns:
        unit, change = units.get(column.kind, (column.unit, lambda same: same))
        columns.append(column.model_copy(update={"unit": unit}))
        frame[column.name] = change(frame[column.name])
    other = log_of(frame, UCI.model_copy(update={"columns": columns}))
    assert dataclasses.replace(other, schema=UCI).max_gap == log.max_gap
    pd.testing.assert_frame_equal(unscaled(fit(other), other), unscaled(fit(log), log), rtol=1e-3, atol=1e-2)


@SELECTIONS
def test_settings_survive_the_way_through_json(selection: str) -> None:
    features = fit(selection=selection)
    settings: dict[str, Any] = json.loads(json.dumps(features.to_settings()))
    back = PhysicsFeatures.from_settings(settings)
    assert back.names == features.names
    assert back.history_s == features.history_s
    np.testing.assert_array_equal(transformed(back), transformed(features))


def test_a_frame_without_any_trained_column_is_refused_by_their_names() -> None:
    frame = room().frame.drop(columns=[column.name for column in UCI.columns if column.kind != "light"])
    with pytest.raises(InputError, match=r"^missing column S1_Sound, .*, which the model was trained with; add one of"):
        fit().transform(frame, np.zeros(len(frame), np.int64))


def test_light_and_the_logs_own_slope_of_co2_are_not_read() -> None:
    frame = room().frame.drop(columns=[*(column.name for column in UCI.of_kind("light")), "S5_CO2_Slope"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = fit(log_of(frame))
    np.testing.assert_array_equal(transformed(features, log_of(frame)), transformed(fit()))


def with_others(days: int = 1, drift: float = 0.0) -> Log:
    """Return a log with a humidity that rises by 6 % an hour and falls at midnight, and a door that opens once.

    The humidity of each day is by ``drift`` (%) higher than that of the day before.
    """
    frame = room(days=days).frame
    seconds = (frame.index - frame.index[0]).total_seconds().to_numpy()
    day = seconds // 86_400
    damp = 20 + 6 * (seconds - 86_400 * day) / 3600 + drift * day
    more = {"damp": damp, "door": ((seconds >= 3600) & (seconds < 7200)) * 1.0}
    columns = (*UCI.columns, Column(name="damp", kind="humidity", unit="%"), Column(name="door", kind="door", unit=""))
    return log_of(frame.assign(**more), UCI.model_copy(update={"columns": columns}))


@pytest.mark.parametrize(("days", "drift", "steady"), [(2, 0, False), (4, 0, True), (4, 10, True), (4, 60, False)])
def test_the_level_of_a_sensor_is_an_input_if_it_rests_at_the_same_level_every_day(
    days: int, drift: float, steady: bool
) -> None:
    log = with_others(days, drift)
    features = fit(log, np.ones(len(log.frame), bool))
    assert ("damp, mean over 1200 s" in features.names) == steady
    assert "damp, slope over 1200 s" in features.names
    assert "door, mean over 1200 s" in features.names, "a sensor that rests has no weather"
    again = PhysicsFeatures.from_settings(json.loads(json.dumps(features.to_settings())))
    np.testing.assert_array_equal(transformed(again, log), transformed(features, log))


def test_a_sensor_of_another_kind_gives_its_mean_and_its_slope_unless_it_rests() -> None:
    log = with_others(4)
    features = fit(log, np.ones(len(log.frame), bool))
    table = unscaled(features, log)
    assert features.history_s == 3600
    row = 240  # four hours
    assert table["damp, slope over 1200 s"].iloc[row] == pytest.approx(6, rel=1e-3)
    assert table["damp, mean over 1200 s"].iloc[row] == pytest.approx(20 + 6 * (4 - 9.5 / 60), rel=1e-4)
    assert table["door, mean over 3600 s"].iloc[90] == pytest.approx(31 / 60, rel=1e-4)
    assert not [name for name in features.names if name.startswith("door, slope")]
    kinds = dict(zip(features.names, features.kinds, strict=True))
    assert {kinds[name] for name in kinds if name.startswith("damp")} == {"humidity"}


def test_the_inputs_of_sensors_with_formulas_are_the_same_beside_others() -> None:
    alone, beside = fit(), fit(with_others())
    np.testing.assert_array_equal(transformed(beside, with_others())[:, : len(alone.names)], transformed(alone))
    assert beside.names[: len(alone.names)] == alone.names


def test_a_sensor_that_lacks_most_rows_is_left_out_so_that_the_others_keep_theirs() -> None:
    log = with_others(4)
    frame = log.frame.copy()
    frame.loc[frame.index[: len(frame) * 6 // 10], "damp"] = np.nan
    sparse = dataclasses.replace(log, frame=frame, missing=frame[log.missing.columns].isna())
    with pytest.warns(InputWarning, match="most training rows have no reading of damp, which is left out"):
        features = fit(sparse, np.ones(len(frame), bool))
    assert not [name for name in features.names if name.startswith("damp")]
    assert "door, mean over 1200 s" in features.names
    assert np.isfinite(transformed(features, sparse)).all()
