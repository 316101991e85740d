"""Half a day of an office whose sensors or clock fail, counted by models that learned there: told, or not answered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from occupancy.config import Calibration, Config, Data, Logistic, MassBalance, Mixture, RandomForest
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.reading import read_files
from occupancy.errors import InputError
from occupancy.health.finding import lines
from occupancy.health.profile import learn
from occupancy.models import make_estimator
from occupancy.models.estimator import NO_STEPS
from occupancy.models.inputs import columns_read
from occupancy.serving.counting import Counted, count_people
from occupancy.serving.model import ServedModel, save
from tests.health.made_logs import SCHEMA, changed, office

BALANCE = MassBalance(name="mass_balance", volume_m3=77)
DATA = Data(max_count=2)
CONFIGS = {
    "balance": Config(name="balance", data=DATA, model=BALANCE),
    "pool": Config(
        name="pool",
        data=DATA,
        features="physics",
        model=Mixture(
            name="mixture",
            members=[BALANCE, Logistic(name="logistic"), RandomForest(name="random_forest", trees=10, balanced=True)],
        ),
        calibration=Calibration(),
    ),
}


@dataclass(frozen=True)
class Models:
    """The models of the office's first day and a half, and the rest of its second day, which they have not seen."""

    served: dict[str, ServedModel]
    window: pd.DataFrame
    folder: Path

    def count(self, model: str, frame: pd.DataFrame, **reading: Any) -> tuple[Counted, str]:
        """Return the people in a log, and all that is said of it."""
        path = self.folder / "office.csv"
        frame.to_csv(path, index_label="when", date_format="%Y-%m-%d %H:%M:%S")
        counted = count_people(self.served[model], read_files([path], 10**8), path, reading)
        return counted, "; ".join([*counted.remarks, *lines(counted.findings)])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder, log = tmp_path_factory.mktemp("office"), office()
    served = {name: _learned(config, log, folder / name) for name, config in CONFIGS.items()}
    window = log.frame.loc["2024-01-03 12:15":"2024-01-03 19:29"]
    assert len(window) == 435
    assert (window["people"] > 0).sum() > 100
    return Models(served, window, folder)


def _learned(config: Config, log: Log, folder: Path) -> ServedModel:
    day = np.asarray(log.times.day)
    late = np.asarray(log.times >= pd.Timestamp("2024-01-02 12:00")) & (day == 2)
    estimator = make_estimator(config)
    estimator.fit(Fold(1, log, (day < 3) & ~late, late, day == 3).sealed(), NO_STEPS)
    folder.mkdir()
    read = [column.name for column in columns_read(config, SCHEMA)]
    save(estimator, SCHEMA, folder, learn(log, day < 3, read))
    return ServedModel(folder)


def unanswered(counted: Counted) -> np.ndarray:
    return np.flatnonzero(~counted.prediction.is_answered)


def test_a_window_of_working_sensors_is_counted_and_nothing_is_found_p00(models: Models) -> None:
    for model in models.served:
        counted, said = models.count(model, models.window)
        assert counted.findings == []
        assert "against people: mse " in said
        assert counted.truth is not None
        answered = counted.prediction.is_answered
        assert answered.mean() > 0.9
        assert np.square(counted.prediction.label - counted.truth)[answered].mean() < 0.4


def test_readings_that_are_held_through_a_visit_are_told_and_their_rows_not_answered_p01c(models: Models) -> None:
    frame = models.window.drop(columns="people")
    start = int((models.window["people"] > 0).to_numpy().argmax())
    frame = changed(frame, "co2", np.nan, start, start + 130)
    counted, said = models.count("balance", frame, missing="hold", max_missing=200)
    assert "hold the last one, for 200 rows at most: co2 130 of 435 (the longest 130 rows on end, 7800 s)" in said
    assert "125 rows rest on readings held for more than 300 s, and are not answered" in said
    assert {*range(start + 5, start + 130)} <= {*unanswered(counted)}


def test_co2_that_stopped_is_told_against_the_training_and_its_rows_are_not_answered_p04(models: Models) -> None:
    counted, said = models.count("balance", changed(models.window.drop(columns="people"), "co2", 355.0, 34))
    assert "co2: reads 355 ppm in 401 rows on end" in said
    assert "at most where the model was trained" in said
    assert "rows 36 to 436" in said
    assert {*range(34, 435)} <= {*unanswered(counted)}
    assert "DO NOT USE these counts" in said


def test_a_dead_motion_sensor_is_told_by_what_the_others_show_p05(models: Models) -> None:
    counted, said = models.count("balance", models.window.drop(columns="people").assign(motion=0))
    assert "motion: no motion in 435 rows on end, while others show people for " in said
    assert "co2 rises to " in said
    assert len(unanswered(counted)) == 435


def test_rows_that_come_three_times_as_fast_are_told_once_and_the_advised_step_heals_p06i(models: Models) -> None:
    frame = models.window.drop(columns="people")
    fast = frame.iloc[55:85].loc[frame.index[55:85].repeat(3)]
    fast.index = pd.date_range(frame.index[55], periods=90, freq="20s", name="time")
    counted, said = models.count("balance", pd.concat([frame.iloc[:55], fast, frame.iloc[85:]]))
    assert said.count("90 rows, the first at ") == said.count("come every 20 s, not every 60 s as in training") == 1
    assert {*range(56, 146)} <= {*unanswered(counted)}
    assert "set data.step=60s" in said
    healed, again = models.count("balance", pd.concat([frame.iloc[:55], fast, frame.iloc[85:]]), step=60.0)
    assert "every 20 s" not in again
    plain, _ = models.count("balance", frame)
    assert (healed.prediction.label == plain.prediction.label).mean() > 0.95


def test_a_crowd_beyond_the_training_is_told_and_not_answered_p08(models: Models) -> None:
    rest = models.window["co2"].min()
    frame = models.window.drop(columns="people").assign(co2=rest + 3 * (models.window["co2"] - rest))
    counted, said = models.count("pool", frame)
    assert "above all that the model was trained on (" in said
    assert "% of the rows; it tells 2 people at most" in said
    beyond = next(finding for finding in counted.findings if finding.fault == "beyond")
    assert {*np.flatnonzero(beyond.rows)} <= {*unanswered(counted)}


def test_co2_below_all_of_the_training_is_told_p09b(models: Models) -> None:
    counted, said = models.count("pool", models.window.drop(columns="people").assign(co2=models.window["co2"] - 200))
    assert "below all that the model was trained on (" in said
    assert counted.log.frame["co2"].isna().all(), "what is shifted is not used"


def test_more_people_than_the_model_tells_are_told_without_advice_that_cannot_be_followed_p14(models: Models) -> None:
    counted, said = models.count("balance", changed(models.window, "people", 5, 100, 130))
    assert "people counts up to 5, the model tells 2 at most: 30 rows count as at least 2, and are not answered" in said
    assert "data.max_count" not in said
    assert {*range(100, 130)} <= {*unanswered(counted)}


def test_sound_in_decibels_is_told_p15b(models: Models) -> None:
    decibels = 20 * np.log10(models.window["sound"].clip(lower=0.01) / 0.001)
    counted, said = models.count("pool", models.window.drop(columns="people").assign(sound=decibels))
    assert "above all that the model was trained on (" in said
    assert "in 100 % of the rows" in said
    assert counted.log.frame["sound"].isna().all()


def test_a_clock_that_goes_back_is_refused_at_its_row_p21d(models: Models) -> None:
    times = pd.DatetimeIndex(models.window.index).to_numpy(copy=True)
    times[345:] -= np.timedelta64(3600 - 23, "s")
    frame = models.window.drop(columns="people").set_axis(pd.DatetimeIndex(times, name="when"))
    with pytest.raises(InputError, match=r"the clock went back about an hour at row 347 .* do not sort them"):
        models.count("balance", frame)
