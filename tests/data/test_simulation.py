from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from occupancy.config import Data, Room, Simulation
from occupancy.data.simulation import UNITS, simulate, simulate_kinds, simulate_rooms
from occupancy.data.source import open_log
from occupancy.data.table import read_log
from occupancy.errors import InputError

OFFICE = Simulation(days=3, room=Room(use="office", ventilation="fan", step_s=600.0, max_people=5))


def digest(frame: pd.DataFrame) -> str:
    return hashlib.sha256(np.round(frame.to_numpy(np.float64), 6).tobytes()).hexdigest()[:16]


def test_logs_of_earlier_versions_come_out_the_same() -> None:
    other = Room(step_s=60.0, max_people=8, air_changes_per_h=0.0)
    assert digest(simulate(Simulation())) == "464f2f8dbe247ad0"
    assert digest(simulate(Simulation(days=9, seed=3, room=other))) == "4c1c6480cb882838"
    assert [digest(frame) for frame in simulate_rooms(Simulation(days=2, seed=5), 2)] == [
        "48b85d71df26e3a9",
        "0564a2866622fe64",
    ]


def test_a_log_has_a_column_for_each_kind_and_its_schema_reads_it(tmp_path: Path) -> None:
    frame, schema = simulate_kinds(OFFICE, list(UNITS))
    assert list(frame.columns) == [*UNITS, "people"]
    assert [column.unit for column in schema.columns][-1] == "level"
    assert set(frame["ventilation"]) <= {0.0, 1.0, 2.0, 3.0}
    frame.to_csv(tmp_path / "log.csv")
    log = read_log(tmp_path / "log.csv", schema, Data(source="log.csv", max_count=5, max_gap=1500.0))
    np.testing.assert_allclose(log.frame[list(frame.columns)], frame, atol=1e-9)


def test_the_kinds_that_the_uci_log_has_are_those_of_its_first_sensors() -> None:
    frame, _ = simulate_kinds(OFFICE, ["co2", "temperature", "motion"])
    uci = simulate(OFFICE)
    assert frame.to_numpy().tolist() == uci[["S5_CO2", "S1_Temp", "S6_PIR", "Room_Occupancy_Count"]].to_numpy().tolist()


def test_a_kind_that_is_not_simulated_is_refused() -> None:
    with pytest.raises(InputError, match="kinds: got door, expected some of temperature, light"):
        simulate_kinds(OFFICE, ["co2", "door"])


def test_the_source_simulated_takes_every_use_and_the_longest_step() -> None:
    log, _ = open_log(Data(source="simulated", max_count=5, max_gap=1500.0, simulation=OFFICE))
    assert len(log.frame) == 3 * 144
    assert log.frame["S5_CO2_Slope"].abs().max() > 0
