from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from occupancy.data.log import Log
from occupancy.health.examine import examine
from occupancy.health.finding import lines
from tests.health.made_logs import changed, found, log_of, office, profile, third_day

Change = Callable[[pd.DataFrame], pd.DataFrame]
FAULTS: dict[str, Change] = {
    "co2 stuck": lambda frame: changed(frame, "co2", 350.0, 60),
    "motion silent": lambda frame: changed(frame, "motion", 0.0),
    "sound unit": lambda frame: frame.assign(sound=20 * np.log10(frame["sound"] / 0.001)),
    "temperature unit": lambda frame: changed(frame, "temperature", frame["temperature"][200:] * 1.8 + 32, 200),
    "co2 shifted": lambda frame: frame.assign(co2=frame["co2"] - 200),
    "co2 beyond": lambda frame: frame.assign(co2=345 + 3 * (frame["co2"] - 345)),
    "co2 impossible": lambda frame: changed(frame, "co2", 65535.0, 100, 103),
    "all sensors rhythm": lambda frame: frame[np.random.default_rng(0).random(len(frame)) < 0.5],
}


def test_working_sensors_give_no_finding() -> None:
    assert found(third_day(), profile()) == []
    assert examine(office()) == []


def test_the_real_log_gives_no_finding(uci_log: Log) -> None:
    assert examine(uci_log) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_by_the_rows_up_to_where_it_is_named_and_not_sooner(fault: str) -> None:
    frame = FAULTS[fault](third_day())
    tags = [each.tag for each in found(frame, profile())]
    assert fault in tags
    finding = next(each for each in found(frame, profile()) if each.tag == fault)
    until = frame.loc[: finding.named]
    assert fault in [each.tag for each in found(until, profile())]
    assert fault not in [each.tag for each in found(until.iloc[:-1], profile())]


def test_only_sensors_that_the_model_reads_are_told_and_others_still_show_people() -> None:
    frame = FAULTS["sound unit"](third_day())
    deaf = profile().model_copy(update={"read": ["co2", "motion"]})
    assert found(frame, deaf) == []
    assert [each.tag for each in found(FAULTS["motion silent"](third_day()), deaf)] == ["motion silent"]


def test_a_model_that_reads_no_sensor_has_no_finding() -> None:
    blind = profile().model_copy(update={"read": []})
    for change in FAULTS.values():
        assert found(change(third_day()), blind) == []


def test_findings_of_one_kind_are_told_in_one_line() -> None:
    frame = changed(changed(third_day(), "motion", 1.0, 0, 200), "motion", 1.0, 300, 520)
    findings = found(frame, profile())
    assert [each.tag for each in findings] == ["motion stuck", "motion stuck"]
    (line,) = lines(findings)
    assert "and 1 more" in line


def test_a_sensor_that_the_log_lacks_is_not_looked_at() -> None:
    assert examine(log_of(third_day().drop(columns=["sound", "temperature"])), profile()) == []
