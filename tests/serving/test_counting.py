from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from occupancy.arrays import Rows
from occupancy.config import Config, Data
from occupancy.data.reading.cells import Cells
from occupancy.data.schema import Column, Schema
from occupancy.errors import InputError
from occupancy.metrics import score
from occupancy.prediction import Prediction, from_probabilities
from occupancy.serving import counting
from occupancy.serving.counting import Counted, count_people, moment_picture, picture
from occupancy.serving.model import ServedModel

SCHEMA = Schema(
    name="den",
    time=["time"],
    time_format="%Y-%m-%d %H:%M:%S",
    columns=[
        Column(name="air", kind="other", unit="ppm"),
        Column(name="lamp", kind="light", unit="lux", optional=True),
    ],
    count="people",
)
DEN = Path("den.csv")


@dataclass
class Estimator:
    """Sees a person for every hundred ppm, and nobody without a reading; keeps what it was given."""

    history_s: float = 0.0
    step_s: float = 60.0
    causal: bool = True
    needs: tuple[str, ...] = ("air",)
    silent_at: int | None = None  # a count that it never is sure enough of
    seen: list[pd.DataFrame] = field(default_factory=list)
    config: Config = field(default_factory=lambda: Config(name="den", data=Data(max_gap=100)))

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        self.seen.append(frame)
        if not {*self.needs} <= {*frame.columns}:
            raise InputError("missing column lamp, which the model was trained with; add it")
        people = (frame["air"].fillna(0) // 100).to_numpy(np.int64)
        probs = np.full((1, len(frame), 4), 0.02)
        probs[0, np.arange(len(frame)), people] = 0.94
        made = from_probabilities(pd.DatetimeIndex(frame.index)[rows], probs[:, rows])
        answered = None if self.silent_at is None else people[rows] != self.silent_at
        return replace(made, causal=self.causal, answered=answered)


def served_by(estimator: Estimator) -> ServedModel:
    served = ServedModel.__new__(ServedModel)
    served.estimator = cast(Any, estimator)
    served.schema = SCHEMA
    return served


def cells(air: list[Any], start: str = "2024-01-01 10:00:00", **columns: list[Any]) -> pd.DataFrame:
    """A row a minute, as text."""
    times = pd.date_range(start, periods=len(air), freq="60s").strftime("%Y-%m-%d %H:%M:%S")
    return pd.DataFrame({"time": times, "air": air, **columns}).astype(str)


def count(raw: pd.DataFrame, estimator: Estimator | None = None, **reading: Any) -> Counted:
    return count_people(served_by(estimator or Estimator()), as_read(raw), DEN, reading)


def as_read(raw: pd.DataFrame) -> Cells:
    """Return cells as those of a file, whose header is line 1."""
    return Cells(raw.reset_index(drop=True), np.arange(len(raw)) + 2, files=(DEN,))


# The log and its counts.


def test_every_row_is_counted_without_counts_in_the_log() -> None:
    counted = count(cells([0, 120, 310]))
    assert counted.prediction.label.tolist() == [0, 1, 3]
    assert counted.truth is None
    assert counted.remarks == ["the model needs no earlier rows (history_s 0)"]


@pytest.mark.parametrize(
    ("missing", "seen", "said"),
    [
        ("keep", [120, np.nan, np.nan, 120], "missing readings, which stay missing"),
        ("hold", [120, 120, np.nan, 120], "missing readings that hold the last one, for 1 rows at most"),
    ],
)
def test_readings_that_could_not_be_used_are_told_by_sensor(missing: str, seen: list[float], said: str) -> None:
    estimator = Estimator()
    counted = count(cells([120, "", "1e308", 120], people=[1, 0, 0, 1]), estimator, missing=missing, max_missing=1)
    assert estimator.seen[0]["air"].tolist() == pytest.approx(seen, nan_ok=True)
    lines = [remark for remark in counted.remarks if remark.startswith(said)]
    longest, rows = ("2 rows on end, 120 s", 2) if missing == "keep" else ("1 rows on end, 60 s", 1)
    assert lines == [f"{said}: air {rows} of 4 (the longest {longest})"]
    assert counted.truth is not None
    assert counted.truth.tolist() == [1, 0, 0, 1], "its counts are right all the same"


def test_the_model_never_sees_the_counts_of_the_log() -> None:
    estimator = Estimator()
    counted = count(cells([0, 120], people=[0, 2]), estimator)
    assert counted.truth is not None
    assert counted.truth.tolist() == [0, 2]
    (seen,) = estimator.seen
    assert list(seen.columns) == ["air"]


def test_complete_counts_are_what_the_scores_are_against() -> None:
    counted = count(cells([0, 120, 310, 0], people=[0, 2, 3, 1]))
    assert counted.truth is not None
    scores = score([(counted.prediction, counted.truth.astype(np.int64))], 100)
    assert scores["mse"] == 0.5
    expected = f"mse 0.500, f1_macro {scores['f1_macro']:.3f}, coverage_90 {scores['coverage_90']:.3f}"
    assert counted.remarks[1].startswith(f"against people: {expected} (no test where")


@pytest.mark.parametrize(
    ("people", "why"),
    [
        ([0, -1, 1], "negative count (1)"),
        ([0, "few", 1], "not a count (1): row 3 people 'few'"),
    ],
)
def test_counts_that_cannot_be_used_are_left_alone_and_it_is_said_why(people: list[Any], why: str) -> None:
    counted = count(cells([0, 120, 310], people=people))
    assert counted.prediction.label.tolist() == [0, 1, 3]
    assert counted.truth is None
    assert counted.remarks[1].startswith(f"without the counts of the log: den.csv: {why}")
    assert len(counted.remarks) == 2


def test_rows_without_a_count_are_counted_and_not_scored() -> None:
    counted = count(cells([0, 120, 310], people=[0, "", 2]))
    assert counted.prediction.label.tolist() == [0, 1, 3]
    assert counted.truth is not None
    assert counted.truth.tolist() == pytest.approx([0, np.nan, 2], nan_ok=True)
    assert counted.remarks[1] == "1 of 3 rows have no people, and are not scored"
    assert counted.remarks[2].startswith("against people: mse 0.500,")


def test_a_count_column_that_is_blank_is_as_good_as_none() -> None:
    counted = count(cells([0, 120, 310], people=["", "", ""]))
    assert counted.truth is None
    assert counted.remarks == ["the model needs no earlier rows (history_s 0)"]


def test_more_people_than_the_model_tells_count_as_at_least_its_most_and_the_row_is_not_answered() -> None:
    counted = count(cells([0, 120, 310], people=[0, 1, 9]))
    assert counted.truth is not None
    assert counted.truth.tolist() == [0, 1, 3]
    assert counted.prediction.is_answered.tolist() == [True, True, False]
    said = "people counts up to 9, the model tells 3 at most: 1 rows count as at least 3, and are not answered"
    assert counted.remarks[1] == said


def test_columns_that_are_not_read_stop_nothing_whatever_they_hold_and_are_named_once() -> None:
    expected = count(cells([0, 120, 310])).prediction.label.tolist()
    counted = count(cells([0, 120, 310], lamp=["on", "", "bright"], note=["x", "y", ""], door=[0, 0, 0]))
    assert counted.prediction.label.tolist() == expected
    assert counted.remarks == ["not used: lamp, note, door", "the model needs no earlier rows (history_s 0)"]


def test_a_column_that_may_be_one_of_the_model_under_a_wrong_name_is_asked_for() -> None:
    with pytest.raises(InputError, match=r"^den\.csv: unknown column airs; did you mean air\? rename it"):
        count(cells([0, 120], lamp=[0, 0]).rename(columns={"air": "airs"}))


def test_the_summary_tells_the_hours_of_the_rows_with_people_at_the_logs_own_step() -> None:
    hour = [0] * 45 + [200] * 15
    assert count(cells(hour)).summary == "0.2 of 1.0 hours occupied, at most 2 people"


def test_a_gap_is_no_time_that_anyone_was_in() -> None:
    """A row before a gap stands for one step; the log ends with such a row too."""
    day = pd.concat([cells([100] * 60), cells([100] * 60, "2024-01-02 10:00:00")])
    assert count(day).summary == "2.0 of 2.0 hours occupied, at most 1 person"


def test_a_slow_row_stands_for_the_time_until_the_next() -> None:
    late = cells([0] * 60 + [100] * 41)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta([*range(0, 3600, 60), *range(3600, 7201, 90)], unit="s")
    late["time"] = times.strftime("%Y-%m-%d %H:%M:%S")
    trained_at_any_step = Estimator(step_s=np.nan)
    assert count(late, trained_at_any_step).summary == "1.0 of 2.0 hours occupied, at most 1 person"


def test_rows_that_are_not_answered_count_for_nobody() -> None:
    estimator = Estimator(silent_at=3)
    told = count(cells([0] * 30 + [300] * 15 + [100] * 15), estimator)
    assert told.summary == "0.2 of 1.0 hours occupied, at most 1 person, 15 rows not answered"


def test_a_lone_row_has_no_duration() -> None:
    assert count(cells([300])).summary == "0.0 of 0.0 hours occupied, at most 3 people"


@pytest.mark.parametrize("people", [[0, 1, 2], [0, "", 2]], ids=["all", "some"])
def test_a_bad_cell_of_a_sensor_is_refused_with_its_row_as_the_file_counts(people: list[Any]) -> None:
    with pytest.raises(InputError) as caught:
        count(cells([0, "warm", 310], people=people))
    assert str(caught.value).startswith("den.csv: not a number (1): row 3 air 'warm'; write a number")
    assert "people" not in str(caught.value)


def test_settings_of_how_the_file_is_read_replace_those_of_the_training() -> None:
    raw = cells([100, "", 310])
    with pytest.raises(InputError, match=r"missing \(1\): row 3 air ''; fill the cell, or set data\.missing=keep"):
        count(raw, missing="refuse")
    assert count(raw, missing="keep").prediction.label.tolist() == [1, 0, 3]
    assert count(raw, missing="hold").prediction.label.tolist() == [1, 1, 3]
    german = raw.assign(time=["01.02.2024 10:00", "01.02.2024 10:01", "01.02.2024 10:02"], air=["0", "1", "2"])
    assert count(german).log.times[0] == pd.Timestamp("2024-02-01 10:00")
    assert count(german, time_format="%m.%d.%Y %H:%M").log.times[0] == pd.Timestamp("2024-01-02 10:00")


def test_a_setting_that_the_model_keeps_is_not_offered() -> None:
    with pytest.raises(
        InputError, match=r"the shortest step is 180 s .*a fitted model keeps its data\.max_gap, so bring"
    ):
        count(cells([0] * 9)[::3])


def test_what_the_model_refuses_is_said_of_the_file() -> None:
    with pytest.raises(InputError, match=r"^den\.csv: missing column lamp, which the model was trained with"):
        count(cells([0, 1]), Estimator(needs=("air", "lamp")))
    reads_all = Config(name="den", features="all", data=Data(max_gap=100))
    assert count(cells([0, 1], lamp=[0, 0]), Estimator(needs=("air", "lamp"), config=reads_all)).truth is None


def test_that_later_rows_were_looked_at_is_said() -> None:
    assert count(cells([0, 1]), Estimator(causal=False)).remarks[1] == "each count rests on later rows too"


def test_how_late_an_answer_is_and_which_rows_get_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = Estimator(causal=False)
    predict = estimator.predict

    def late(frame: pd.DataFrame, rows: Any, past: Any = None) -> Prediction:
        del past
        return dataclasses.replace(predict(frame, rows), delay_s=300.0, answered=np.array([True, False, False]))

    monkeypatch.setattr(estimator, "predict", late)
    remarks = count(cells([0, 1, 2]), estimator).remarks
    assert remarks[1] == "each count rests on later rows too, so that it is 300 s late"
    assert remarks[2] == "2 of 3 rows are not answered (answered: False)"


# How much history there is.


@pytest.mark.parametrize(
    ("history_s", "short"), [(60.0, 1), (61.0, 1), (90.0, 1), (120.0, 2), (600.0, 10), (6000.0, 10)]
)
def test_rows_without_enough_history_are_counted(history_s: float, short: int) -> None:
    remark = count(cells([0] * 10), Estimator(history_s)).remarks[0]
    assert remark.startswith(f"the model looks back {history_s:g} s (history_s); {short} of 10 rows, at the start")


def test_every_recording_begins_without_history() -> None:
    raw = pd.concat([cells([0] * 5), cells([0] * 4, "2024-01-01 10:06:30"), cells([0], "2024-01-01 12:00:00")])
    assert "; 5 of 10 rows," in count(raw, Estimator(120.0)).remarks[0]


def test_a_clock_that_wanders_does_not_cost_a_row_its_history() -> None:
    raw = cells([0] * 5).assign(time=[f"2024-01-01 10:0{minute}:0{second}" for minute, second in enumerate("01000")])
    assert "; 2 of 5 rows," in count(raw, Estimator(120.0)).remarks[0]


def test_a_lone_row_is_counted_and_scored() -> None:
    counted = count(cells([120], people=[1]), Estimator(60.0))
    assert counted.prediction.label.tolist() == [1]
    assert "; 1 of 1 rows," in counted.remarks[0]
    assert "mse 0.000" in counted.remarks[1]


# The picture.


def lines(figure: Figure) -> dict[str, list[float]]:
    axes = figure.axes[0]
    return {str(line.get_label()): np.asarray(line.get_ydata(), np.float64)[:3].tolist() for line in axes.lines}


def test_the_picture_shows_counts_interval_and_truth_and_says_so() -> None:
    counted = count(cells([0, 120, 310], people=[0, 1, 1]))
    figure = picture(counted)
    assert figure.get_suptitle().replace("\n", " ") == (
        "den.csv: people counted by lstm, with the 90 % interval and the truth; 33.3% of 3 rows are wrong"
    )
    assert lines(figure) == {"truth": [0, 1, 1], "predicted count": [0, 1, 3]}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "90 % interval",
        "truth",
        "predicted count",
        "probability of that count",
    ]
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    lower, upper = counted.prediction.lower, counted.prediction.upper
    assert np.asarray(band)[:, 1].min() == pytest.approx(lower.min() - 0.12)
    assert np.asarray(band)[:, 1].max() == pytest.approx(upper.max() + 0.12)
    assert np.asarray(figure.axes[1].collections[0].get_paths()[0].vertices)[:, 1].max() == pytest.approx(0.94)


def test_the_picture_without_truth_shows_and_says_none() -> None:
    figure = picture(count(cells([0, 120, 310])))
    assert figure.get_suptitle() == "den.csv: people counted by lstm, with the 90 % interval"
    assert lines(figure) == {"predicted count": [0, 1, 3]}


def test_the_picture_leaves_out_long_gaps() -> None:
    raw = pd.concat([cells([0] * 5), cells([0] * 4, "2024-01-02 10:00:00")])
    assert len(picture(count(raw)).axes) == 4


def test_the_scores_that_are_shown_exist() -> None:
    counted = count(cells([0, 1], people=[0, 1]))
    assert counted.truth is not None
    assert {*counting.SHOWN} <= score([(counted.prediction, counted.truth.astype(np.int64))], 100).keys()


# One moment.


def moment_of(raw: pd.DataFrame, time: str, history_s: float = 60.0) -> Figure:
    estimator = Estimator(history_s=history_s)
    served = served_by(estimator)
    return moment_picture(served, count_people(served, as_read(raw), DEN, {}), pd.Timestamp(time))


def test_the_picture_of_a_moment_draws_other_readings_from_the_logs_own_earlier_rows_and_says_so() -> None:
    figure = moment_of(cells([0, 120, 310, 0, 120], people=[0, 1, 3, 0, 2]), "2024-01-01 10:04:00")
    title = figure.get_suptitle().replace("\n", " ").replace("\xa0", " ")
    assert title.startswith("den.csv by lstm, 2024-01-01 10:04:00: count 1 (predicted mean 1.0")
    assert "true count 2" in title
    said = " ".join(text.get_text().replace("\xa0", " ") for text in figure.axes[0].texts)
    # The row's own window begins at 10:03, so that two windows of two rows are earlier.
    assert "mean over 2 stretches of this log's own earlier rows, as those learned from are not at hand" in said
    assert "air 120" in said


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (
            "2024-01-01 10:01:40",
            "--explain: den.csv has no row at 2024-01-01 10:01:40; the nearest is at 2024-01-01 10:02",
        ),
        ("2023-01-01", "--explain: den.csv has no row at 2023-01-01 00:00:00; the nearest is at 2024-01-01 10:00:00"),
        (
            "2024-01-01 10:00",
            "--explain: den.csv: at 2024-01-01 10:00:00 the recording has 0 earlier rows",
        ),
        ("2024-01-01 10:01", "--explain: den.csv: the rows from which backgrounds are drawn have no 2"),
    ],
)
def test_a_moment_that_cannot_be_explained_is_refused(time: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        moment_of(cells([0, 120, 310]), time)
    assert str(caught.value).startswith(said)
