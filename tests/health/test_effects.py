from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from occupancy.data.schema import Column
from occupancy.health.effects import answerable, believed, health_of, is_useless
from occupancy.health.examine import examine
from occupancy.prediction import Prediction, from_probabilities
from tests.health.made_logs import SCHEMA, changed, log_of, profile, third_day

READ = ["co2", "motion"]


def predicted(times: pd.DatetimeIndex, answered: np.ndarray | None = None) -> Prediction:
    probs = np.tile([0.2, 0.7, 0.1], (1, len(times), 1))
    return dataclasses.replace(from_probabilities(times, probs), answered=answered)


def test_readings_that_are_not_believed_are_missing_and_no_others() -> None:
    frame = changed(third_day(), "co2", 350.0, 60)
    log = log_of(frame)
    trusted = believed(log, examine(log, profile()))
    assert trusted.frame["co2"].isna().to_numpy().nonzero()[0].tolist() == [*range(60, len(frame))]
    assert (trusted.missing["co2"] == trusted.frame["co2"].isna()).all()
    pd.testing.assert_frame_equal(trusted.frame.drop(columns="co2"), frame.drop(columns="co2"))
    assert not log.missing.any(axis=None)
    assert not log.frame.isna().any(axis=None)


def test_a_log_without_findings_stays_the_same_object() -> None:
    log = log_of(third_day())
    assert believed(log, examine(log, profile())) is log


def test_a_slope_is_believed_as_little_as_its_source() -> None:
    slope = Column(name="slope", kind="co2_slope", unit="ppm", slope_of="co2", slope_span_s=600.0)
    schema = SCHEMA.model_copy(update={"columns": [*SCHEMA.columns, slope]})
    log = log_of(changed(third_day(), "co2", 350.0, 60).assign(slope=0.5), schema)
    trusted = believed(log, examine(log, profile()))
    assert (trusted.frame["slope"].isna() == trusted.frame["co2"].isna()).all()


def test_a_model_that_cannot_say_how_sure_it_is_does_not_answer_without_a_sensor() -> None:
    log = log_of(changed(third_day(), "co2", 350.0, 60))
    findings = examine(log, profile())
    trusted, prediction = believed(log, findings), predicted(log.times)
    silent = answerable(prediction, findings, trusted, READ, knows_doubt=False).answered
    assert silent is not None
    assert (~silent).nonzero()[0].tolist() == [*range(60, len(log.frame))]
    assert answerable(prediction, findings, trusted, READ, knows_doubt=True).answered is None


def test_a_calibrated_model_does_not_answer_rows_without_any_sensor_left() -> None:
    log = log_of(changed(third_day(), "co2", 350.0, 60))
    findings = examine(log, profile())
    prediction = predicted(log.times, np.ones(len(log.frame), bool))
    answered = answerable(prediction, findings, believed(log, findings), ["co2"], knows_doubt=True).answered
    assert answered is not None
    assert (~answered).nonzero()[0].tolist() == [*range(60, len(log.frame))]


def test_rows_beyond_the_training_are_not_answered_though_their_readings_are_believed() -> None:
    log = log_of(third_day().assign(co2=345 + 3 * (third_day()["co2"] - 345)))
    findings = examine(log, profile())
    trusted = believed(log, findings)
    assert trusted is log
    answered = answerable(predicted(log.times), findings, trusted, READ, knows_doubt=True).answered
    assert answered is not None
    assert (answered == ~findings[0].rows).all()


def test_rows_that_look_back_to_another_rhythm_are_not_answered() -> None:
    frame = third_day()
    fast = frame.iloc[100:130].loc[frame.index[100:130].repeat(3)]
    fast.index = pd.date_range(frame.index[100], periods=90, freq="20s", name="time")
    log = log_of(pd.concat([frame.iloc[:100], fast, frame.iloc[130:]]))
    findings = examine(log, profile())
    answered = answerable(predicted(log.times), findings, log, READ, knows_doubt=True, history_s=600.0).answered
    assert answered is not None
    assert (~answered).nonzero()[0].tolist() == [*range(101, 201)], "ten rows, a minute each, after the last"


def test_each_row_tells_what_is_wrong_with_it() -> None:
    frame = changed(changed(third_day(), "co2", 350.0, 60), "temperature", 85.0, 100, 101)
    told = health_of(examine(log_of(frame), profile()), len(frame))
    assert told[:60] == [""] * 60
    assert told[60] == "co2 stuck"
    assert {*told[100].split("; ")} == {"co2 stuck", "temperature impossible"}


def test_a_log_of_which_little_is_answered_is_useless() -> None:
    times = pd.DatetimeIndex(third_day().index[:100])
    assert not is_useless(predicted(times))
    assert not is_useless(predicted(times, np.arange(100) < 60))
    assert is_useless(predicted(times, np.arange(100) < 20))
