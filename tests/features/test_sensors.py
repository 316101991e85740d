from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.arrays import OUTSIDE, Floats, Ints, Rows
from occupancy.config import Kind
from occupancy.data.log import Log
from occupancy.data.schema import UCI, Column, Schema
from occupancy.data.times import recordings, stretches
from occupancy.errors import InputError, InputWarning
from occupancy.features.holes import fill_by_others
from occupancy.features.sensors import Features, select

SLOPE_SAMPLES = 25  # what UCI's authors took; the schema gives it in seconds
GAP = 120.0
TWELVE = [
    "S1_Temp", "S2_Temp", "S3_Temp", "S4_Temp", "S1_Sound", "S2_Sound", "S3_Sound", "S4_Sound",
    "S5_CO2", "S5_CO2_Slope", "S6_PIR", "S7_PIR",
]  # fmt: skip
SMALL = Schema(
    name="small",
    time=["when"],
    time_format="%Y-%m-%d %H:%M:%S",
    columns=[
        Column(name="warm", kind="temperature", unit="degC"),
        Column(name="air", kind="co2", unit="ppm"),
        Column(name="trend", kind="co2_slope", unit="ppm per sample", slope_of="air", slope_span_s=120.0),
    ],
    count="people",
)


def log_of(frame: pd.DataFrame, schema: Schema = SMALL) -> Log:
    return Log("small", "small", schema, frame, frame.isna(), GAP)


def random_log(rows: int = 60, seed: int = 0, gap_after: int | None = None) -> Log:
    """Return a log with a row every 30 s and columns on very different scales, its slope column nonsense."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(rows) * 30.0
    if gap_after is not None:
        seconds[gap_after:] += 3600
    columns = {"warm": rng.normal(25, 1, rows), "air": rng.normal(600, 90, rows), "trend": rng.normal(0, 1e3, rows)}
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s")
    return log_of(pd.DataFrame({**columns, "people": rng.integers(0, 4, rows)}, pd.DatetimeIndex(times, name="time")))


def span(rows: int, *parts: tuple[int, int]) -> Rows:
    inside = np.zeros(rows, bool)
    for start, end in parts:
        inside[start:end] = True
    return inside


def fitted_slopes(values: Sequence[float] | Floats, samples: int) -> list[float]:
    """Return each row's slope by numpy's least squares."""
    windows = [values[max(0, end - samples) : end] for end in range(1, len(values) + 1)]
    return [0.0 if len(part) == 1 else np.polyfit(np.arange(len(part)), part, 1)[0] for part in windows]


def transformed(features: Features, log: Log, rows: Rows) -> Floats:
    return features.transform(log.frame, stretches(log.times, rows, log.max_gap)).astype(np.float64)


def test_the_trailing_slope_is_the_one_in_the_real_log(uci_log: Log) -> None:
    frame, times = uci_log.frame, uci_log.times
    features = Features.fit(uci_log, np.ones(len(frame), bool), ["co2_slope"])
    whole = stretches(times, np.ones(len(frame), bool), uci_log.max_gap)
    unscaled = features.transform(frame, whole)[:, 0] * (features.high[0] - features.low[0]) + features.low[0]
    recording = recordings(times, uci_log.max_gap)
    place = np.arange(len(frame)) - np.searchsorted(recording, recording)  # within its recording
    # The file's column starts at 0 and goes through gaps; ours starts anew in each recording.
    comparable = place >= SLOPE_SAMPLES - 1
    assert comparable.mean() > 0.95
    assert unscaled[comparable] == pytest.approx(frame["S5_CO2_Slope"].to_numpy()[comparable], abs=1e-5)


@given(st.lists(st.tuples(st.sampled_from([30, 119, 120, 121, 9000]), st.booleans()), min_size=1, max_size=30))
def test_stretches_are_those_of_a_plain_loop(steps: list[tuple[int, bool]]) -> None:
    seconds = np.cumsum([step for step, _ in steps])
    rows = np.array([asked for _, asked in steps])
    expected: list[int] = []
    number, open_stretch = -1, False
    for (step, asked), first in zip(steps, [True] + [False] * (len(steps) - 1), strict=True):
        if asked and (not open_stretch or first or step > GAP):
            number += 1
        open_stretch = asked
        expected.append(number if asked else OUTSIDE)
    times = pd.DatetimeIndex(pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s"))
    assert stretches(times, rows, GAP).tolist() == expected


def test_scaling_is_fitted_on_the_given_rows_alone() -> None:
    log = random_log()
    rows = span(60, (5, 20), (30, 50))
    changed = log.frame.copy()
    changed.loc[~rows, SMALL.sensors] = 1e9
    before, after = (Features.fit(one, rows, "all") for one in (log, log_of(changed)))
    np.testing.assert_array_equal(after.low, before.low)
    np.testing.assert_array_equal(after.high, before.high)
    everything = Features.fit(log_of(changed), np.ones(60, bool), "all")
    assert (everything.high != before.high).any()  # the rows left out would have shown


def test_scaling_is_the_min_max_formula() -> None:
    log = random_log()
    rows = span(60, (10, 40))
    features = Features.fit(log, rows, ["temperature", "co2"])
    raw = log.frame[["warm", "air"]].to_numpy()
    low, high = raw[rows].min(axis=0), raw[rows].max(axis=0)
    np.testing.assert_array_equal((features.low, features.high), (low, high))
    everywhere = transformed(features, log, np.ones(60, bool))
    assert everywhere == pytest.approx((raw - low) / (high - low), abs=1e-5)


def test_training_values_fill_zero_to_one_and_later_values_may_leave_it() -> None:
    log = random_log()
    log.frame.loc[log.times[50], "air"] = 1e4
    log.frame.loc[log.times[51], "air"] = 0.0
    rows = span(60, (0, 40))
    features = Features.fit(log, rows, "all")
    scaled = transformed(features, log, np.ones(60, bool))
    inside = transformed(features, log, rows)[rows]
    np.testing.assert_allclose(inside.min(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(inside.max(axis=0), 1, atol=1e-6)
    assert scaled[50, 1] > 10
    assert scaled[51, 1] < -1


def test_a_column_that_is_constant_in_training_is_zero_there_and_finite_elsewhere() -> None:
    log = random_log()
    log.frame["warm"] = [21.0] * 40 + [22.5] * 20
    rows = span(60, (0, 40))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaled = transformed(Features.fit(log, rows, ["temperature"]), log, np.ones(60, bool))[:, 0]
    assert (scaled[:40] == 0).all()
    assert scaled[40:] == pytest.approx(np.full(20, 1.5))


def test_rows_outside_every_stretch_have_no_inputs() -> None:
    log = random_log()
    rows = span(60, (10, 40))
    scaled = transformed(Features.fit(log, rows, "all"), log, rows)
    assert np.isnan(scaled[~rows]).all()
    assert np.isfinite(scaled[rows]).all()


def test_the_default_is_the_twelve_sensors_without_light() -> None:
    assert [column.name for column in select(UCI, "no_light")] == TWELVE


def test_all_features_are_the_sixteen_sensors_in_the_order_of_the_file() -> None:
    names = [column.name for column in select(UCI, "all")]
    assert names == UCI.sensors
    assert len(names) == 16
    assert {"S1_Light", "S2_Light", "S3_Light", "S4_Light"} == set(names) - set(TWELVE)


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        (["co2"], ["S5_CO2"]),
        (["motion", "co2"], ["S5_CO2", "S6_PIR", "S7_PIR"]),
        (["light"], ["S1_Light", "S2_Light", "S3_Light", "S4_Light"]),
        (["other"], []),
    ],
)
def test_kinds_select_their_columns_in_the_order_of_the_file(kinds: list[Kind], names: list[str]) -> None:
    assert [column.name for column in select(UCI, kinds)] == names


def test_kinds_that_the_log_lacks_are_refused_with_the_logs_name() -> None:
    with pytest.raises(
        InputError, match=r"features: got \['motion'\], but the log 'small' has only co2, co2_slope, temperature"
    ):
        Features.fit(random_log(), np.ones(60, bool), ["motion"])


def test_an_optional_column_that_the_log_lacks_is_left_out() -> None:
    log = random_log()
    bare = log_of(log.frame.drop(columns="warm"))
    assert [column.name for column in Features.fit(bare, np.ones(60, bool), "all").columns] == ["air", "trend"]


@given(st.integers(0, 50), st.integers(1, 20), st.sampled_from([None, 10, 25, 40]))
def test_a_trailing_column_sees_its_own_stretch_and_nothing_else(start: int, length: int, gap: int | None) -> None:
    log = random_log(gap_after=gap)
    features = Features.fit(log, np.ones(60, bool), ["co2_slope"])
    rows = span(60, (start, start + length))
    slopes = transformed(features, log, rows)[:, 0] * (features.high - features.low) + features.low
    stretch = stretches(log.times, rows, log.max_gap)
    for number in range(stretch.max() + 1):
        inside = stretch == number
        expected = fitted_slopes(log.frame["air"].to_numpy()[inside], 4)  # 120 s are 4 samples
        assert slopes[inside] == pytest.approx(expected, abs=1e-3)


def test_altering_rows_outside_a_stretch_changes_nothing_inside_it() -> None:
    log = random_log()
    rows = span(60, (20, 40))
    changed = log.frame.copy()
    changed.loc[~rows, SMALL.sensors] += 500.0
    features = Features.fit(log, rows, "all")
    before, after = (transformed(features, one, rows)[rows] for one in (log, log_of(changed)))
    np.testing.assert_array_equal(after, before)
    # Over the whole log the slope of row 20 does look back: the stretch is what stopped it.
    whole = np.ones(60, bool)
    before, after = (transformed(features, one, whole)[20] for one in (log, log_of(changed)))
    assert after[2] != before[2]


def test_the_logs_own_slope_column_is_never_read() -> None:
    log = random_log()
    rows = np.ones(60, bool)
    features = Features.fit(log, rows, "all")
    without = log_of(log.frame.drop(columns="trend"))
    again = Features.fit(without, rows, "all")
    assert [column.name for column in again.columns] == ["warm", "air", "trend"]
    np.testing.assert_array_equal(again.high, features.high)
    np.testing.assert_array_equal(transformed(again, without, rows), transformed(features, log, rows))


def test_a_span_in_seconds_becomes_samples_by_the_step_of_the_training_log() -> None:
    log = random_log()
    coarse = log_of(log.frame.iloc[::2])  # a row every 60 s: 120 s are 2 samples
    rows = np.ones(30, bool)
    features = Features.fit(coarse, rows, ["co2_slope"])
    slopes = transformed(features, coarse, rows)[:, 0] * (features.high - features.low) + features.low
    assert features.step_s == 60
    assert slopes == pytest.approx(fitted_slopes(coarse.frame["air"].to_numpy(), 2), abs=1e-3)


def test_a_frame_without_any_trained_column_is_refused_by_their_names() -> None:
    log = random_log()
    rows = np.ones(60, bool)
    features = Features.fit(log, rows, "all")
    with pytest.raises(InputError, match=r"missing column air, warm, which the model was trained with; add one of"):
        features.transform(log.frame.drop(columns=["warm", "air"]), stretches(log.times, rows, GAP))


@pytest.mark.parametrize(("lacking", "inputs"), [("warm", [0]), ("air", [1, 2])])
def test_a_column_that_a_frame_lacks_is_missing_in_every_row(lacking: str, inputs: list[int]) -> None:
    log = random_log()
    rows = np.ones(60, bool)
    features = Features.fit(log, rows, "all")
    scaled = features.transform(log.frame.drop(columns=lacking), stretches(log.times, rows, GAP))
    whole = transformed(features, log, rows)
    assert np.isnan(scaled[:, inputs]).all()
    others = [place for place in range(3) if place not in inputs]
    np.testing.assert_array_equal(scaled[:, others], whole[:, others])


def test_a_missing_reading_is_no_input_and_nothing_of_the_scale() -> None:
    log = random_log()
    rows = np.ones(60, bool)
    frame, missing = log.frame.copy(), log.missing.copy()
    top = int(frame["warm"].argmax())
    frame.loc[frame.index[top], "warm"], missing.loc[missing.index[top], "warm"] = np.nan, True
    holed = dataclasses.replace(log, frame=frame, missing=missing)
    features = Features.fit(holed, rows, ["temperature"])
    assert features.high[0] == frame["warm"].max() < log.frame["warm"].max()
    scaled = transformed(features, holed, rows)[:, 0]
    assert np.flatnonzero(np.isnan(scaled)).tolist() == [top]


def test_a_sensor_stands_in_for_another_of_its_kind_in_its_own_scale() -> None:
    filled = fill_by_others(np.array([[1.0, 2.0, 9.0], [np.nan, 4.0, 8.0], [np.nan] * 3]), np.array([0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(filled, [[1.0, 2.0, 9.0], [4.5, 4.0, 8.0], [np.nan] * 3])


def test_a_column_without_a_reading_is_left_out_and_told() -> None:
    log = random_log()
    rows = np.ones(60, bool)
    frame, missing = log.frame.assign(warm=np.nan), log.missing.assign(warm=True)
    with pytest.warns(InputWarning, match="the training rows have no reading of warm, which is left out"):
        features = Features.fit(dataclasses.replace(log, frame=frame, missing=missing), rows, ["temperature", "co2"])
    assert features.names == ("air",)


def test_history_is_the_longest_span_that_a_column_looks_back() -> None:
    log = random_log()
    rows = np.ones(60, bool)
    assert Features.fit(log, rows, "all").history_s == 120
    assert Features.fit(log, rows, ["temperature"]).history_s == 0


def test_settings_survive_the_way_through_json() -> None:
    log = random_log()
    features = Features.fit(log, span(60, (3, 30)), "all")
    back = Features.from_settings(json.loads(json.dumps(features.to_settings())))
    everything = np.ones(60, bool)
    assert back.columns == features.columns
    assert back.step_s == features.step_s
    np.testing.assert_array_equal(transformed(back, log, everything), transformed(features, log, everything))


def test_a_matrix_is_in_single_precision_with_a_column_for_each_feature() -> None:
    log = random_log()
    rows = np.ones(60, bool)
    stretch: Ints = stretches(log.times, rows, GAP)
    matrix = Features.fit(log, rows, "all").transform(log.frame, stretch)
    assert matrix.shape == (60, 3)
    assert matrix.dtype == np.float32


@pytest.mark.parametrize("reading", [1e300, -1e300])
def test_a_reading_too_large_for_an_input_is_refused_by_column_and_time(reading: float) -> None:
    log = random_log()
    features = Features.fit(log, np.ones(60, bool), "all")
    column = features.names[1]
    frame = log.frame.copy()
    frame.loc[log.times[20], column] = reading
    told = rf"the readings at {log.times[20]} or just before it are too large for the input {column} \(float32\)"
    with pytest.raises(InputError, match=told):
        features.transform(frame, np.zeros(60, np.int64))
    outside = np.where(np.arange(60) == 20, OUTSIDE, 0)
    assert np.isfinite(features.transform(frame, outside)[outside != OUTSIDE]).all()
