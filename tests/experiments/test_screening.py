from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from occupancy.config import Config, Data, Logistic
from occupancy.data.folds import Fold
from occupancy.data.log import Log, Place
from occupancy.errors import InputError, InputWarning
from occupancy.experiments.screening import refuse, screen
from tests.health.made_logs import SCHEMA, changed, log_of, office

CONFIG = Config(name="it", data=Data(max_count=2), features="all", model=Logistic(name="logistic"))
HALF = 2160


def fold(log: Log, used: slice = slice(0, None)) -> Fold:
    """Return a fold of some rows of a log, in thirds."""
    third = np.full(len(log.frame), 3)
    third[used] = np.arange(len(third[used])) * 3 // len(third[used])
    return Fold(1, log, third == 0, third == 1, third == 2)


def of_file(frame: pd.DataFrame) -> Log:
    """Return a log whose rows have lines in a file, below its header."""
    return dataclasses.replace(log_of(frame), lines=np.arange(len(frame)) + 2)


def fahrenheit() -> Log:
    celsius = office().frame["temperature"]
    return of_file(changed(office().frame, "temperature", celsius[HALF:] * 1.8 + 32, HALF))


def test_sensors_that_work_are_not_spoken_of() -> None:
    log, findings = screen(office())
    assert log is office()
    assert findings == []


def test_error_codes_are_missing_before_anything_is_learned_and_that_is_said() -> None:
    spoilt = of_file(changed(office().frame, "co2", -1.0, 100, 104))
    with pytest.warns(InputWarning, match=r"office\.csv: co2: reads -1 ppm in 4 rows.*rows 102 to 105.*empty these"):
        log, findings = screen(spoilt)
    assert log.missing["co2"].to_numpy().nonzero()[0].tolist() == [100, 101, 102, 103]
    assert log.frame["co2"].isna().sum() == 4
    refuse(findings, [fold(log)], CONFIG)


def test_readings_in_another_unit_are_refused_with_sensor_rows_and_remedy() -> None:
    with pytest.warns(InputWarning, match="temperature"):
        log, findings = screen(fahrenheit())
    with pytest.raises(InputError) as caught:
        refuse(findings, [fold(log)], CONFIG)
    said = str(caught.value)
    assert said.startswith("office.csv: temperature: jumps from")
    assert f"rows {HALF + 2} to {len(log.frame) + 1}" in said
    assert "give all readings in degC; or leave these rows out of all folds, or the column out of the log" in said


def test_each_remedy_of_the_refusal_heals() -> None:
    with pytest.warns(InputWarning, match="temperature"):
        log, findings = screen(fahrenheit())
    refuse(findings, [fold(log, slice(0, HALF))], CONFIG)  # the rows are in no fold
    deaf = CONFIG.model_copy(update={"features": ["co2", "motion"]})
    refuse(findings, [fold(log)], deaf)  # the model does not read it
    columns = [column for column in SCHEMA.columns if column.name != "temperature"]
    ignored = log_of(fahrenheit().frame, SCHEMA.model_copy(update={"columns": columns}))
    assert screen(ignored)[1] == []
    healed = fahrenheit().frame["temperature"].to_numpy()
    healed = np.where(np.arange(len(healed)) >= HALF, (healed - 32) / 1.8, healed)
    assert screen(log_of(fahrenheit().frame.assign(temperature=healed)))[1] == []


def test_what_is_only_likely_is_told_and_not_refused() -> None:
    dead = log_of(office().frame.assign(motion=0.0))
    with pytest.warns(InputWarning, match="motion: no motion in 4,320 rows on end"):
        log, findings = screen(dead)
    assert log is dead
    refuse(findings, [fold(log)], CONFIG)


def test_each_room_is_looked_at_alone_and_at_its_own_times() -> None:
    good, week = office().frame, pd.Timedelta(weeks=1)
    bad = changed(good, "co2", -1.0, 100, 104)
    frame = pd.concat([good, bad.set_index(pd.DatetimeIndex(bad.index, name="time") + week)])
    rows = len(good)
    rooms = (Place("east", 0, rows, pd.Timedelta(0)), Place("west", rows, 2 * rows, week))
    whole = Log("rooms", "office", SCHEMA, frame, frame[SCHEMA.sensors].isna(), 120.0, rooms)
    with pytest.warns(InputWarning, match="co2: in room west: reads -1 ppm"):
        log, (finding,) = screen(whole)
    assert finding.first == good.index[100]
    assert log.missing["co2"].to_numpy().nonzero()[0].tolist() == [rows + 100 + row for row in range(4)]
