"""What is said, and what is answered, of a log whose sensors fail: by a model as it was saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from occupancy.config import Config, Data, MassBalance
from occupancy.data.folds import Fold
from occupancy.data.reading import read_files
from occupancy.errors import InputError
from occupancy.health.profile import FILE
from occupancy.models import make_estimator
from occupancy.models.estimator import NO_STEPS
from occupancy.serving.counting import Counted, count_people
from occupancy.serving.model import ServedModel, save
from tests.health.made_logs import SCHEMA, changed, office, profile, third_day


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mass balance of the first two days, saved with its profile."""
    config = Config(name="it", data=Data(max_count=2), model=MassBalance(name="mass_balance", volume_m3=77))
    day = np.asarray(office().times.day)
    estimator = make_estimator(config)
    estimator.fit(Fold(1, office(), day == 1, day == 2, day == 3), NO_STEPS)
    made = tmp_path_factory.mktemp("model")
    save(estimator, SCHEMA, made, profile().model_copy(update={"read": ["co2", "motion"]}))
    return made


def count(folder: Path, frame: pd.DataFrame) -> Counted:
    when = pd.DatetimeIndex(frame.index).strftime("%Y-%m-%d %H:%M:%S")
    cells = frame.reset_index(drop=True).astype(str)
    cells.insert(0, "when", when)
    path = folder.parent / "office.csv"
    cells.to_csv(path, index=False)
    return count_people(ServedModel(folder), read_files([path], 10**8), path, {})


def test_a_log_of_working_sensors_is_counted_as_ever(folder: Path) -> None:
    counted = count(folder, third_day())
    assert counted.findings == []
    assert {*counted.health} == {""}
    assert counted.prediction.answered is None or counted.prediction.answered.all()


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (changed(third_day(), "co2", 355.0, 60), "co2: reads 355 ppm in 840 rows on end"),
        (changed(third_day(), "motion", 0.0, 60), "motion: no motion in"),
        (third_day().assign(co2=third_day()["co2"] - 200), "co2: reads 145 to"),
    ],
    ids=["co2 stuck", "motion dead", "co2 shifted"],
)
def test_rows_of_a_sensor_that_fails_are_named_and_not_answered(folder: Path, frame: pd.DataFrame, said: str) -> None:
    counted = count(folder, frame)
    (finding,) = counted.findings
    assert str(finding).startswith(said)
    assert [text != "" for text in counted.health] == finding.rows.tolist()
    assert counted.prediction.answered is not None
    assert not counted.prediction.answered[finding.rows].any()
    assert any(remark.startswith("DO NOT USE these counts") for remark in counted.remarks)


def test_the_profile_is_sealed_with_the_model(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert ServedModel(tmp_path).profile is not None
    (tmp_path / FILE).write_text((tmp_path / FILE).read_text().replace("60.0", "61.0", 1))
    with pytest.raises(InputError, match=r"the model is damaged \(health\.json is not as it was saved\)"):
        ServedModel(tmp_path)
