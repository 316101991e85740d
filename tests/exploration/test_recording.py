from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from occupancy.data.log import Log
from occupancy.exploration import recording
from occupancy.exploration.parts import Subject
from tests.drawn import bars
from tests.exploration.made_logs import subject, times


def test_the_gaps_of_the_real_log_are_those_that_its_readme_lists(uci_log: Log) -> None:
    gaps = recording.gaps_of(uci_log)
    assert [round(length / 60, 1) for length in gaps["length_s"][:5]] == [2.6, 25.5, 3.6, 3.1, 2.6]
    assert gaps["length_s"].iloc[5] == pytest.approx(24 * 3600, rel=0.01)
    assert gaps["length_s"].iloc[6] == pytest.approx(15.26 * 86_400, rel=0.01)
    assert (gaps["end"] - gaps["start"]).dt.total_seconds().tolist() == gaps["length_s"].tolist()


def test_rows_lost_inside_recordings_are_counted_and_those_of_gaps_are_not() -> None:
    # Minutes 3 and 7 are lost; from 10 to 30 is a gap.
    made = subject(times([0, 1, 2, 4, 5, 6, 8, 9, 10, 30, 31]), None, {"air": np.arange(11.0)})
    assert recording.lost_rows(made.log) == (2, 13)
    found = recording.times(made)
    assert found.finding.startswith("11 rows from 2024-03-04 08:00 to 2024-03-04 08:31, one every 60 s, with 1 gap of ")
    assert "Rows lost inside the recordings: 2 (15.4%)." in found.finding
    assert found.table is not None
    assert found.table[1] == [["2024-03-04 08:10", "2024-03-04 08:30", "20 min"]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(61, "61 s"), (154, "2.57 min"), (1532, "25.5 min"), (5400, "1.5 h"), (86_452, "24 h"), (1_318_500, "15.3 days")],
)
def test_a_gap_is_told_in_the_unit_people_would_use(seconds: float, text: str) -> None:
    made = subject(times([0, 1, 1 + seconds / 60]), None, {"air": [1.0, 2.0, 3.0]}, max_gap=60.5)
    found = recording.times(made)
    assert found.table is not None
    assert found.table[1][0][2] == text


def test_a_log_without_gaps_says_so_and_has_no_table() -> None:
    found = recording.times(subject(times(range(5)), None, {"air": np.arange(5.0)}))
    assert "without a gap of more than 120 s" in found.finding
    assert found.table is None


def test_columns_that_say_nothing_are_named_with_the_reason() -> None:
    made = subject(times(range(4)), [0, 1, 1, 0], {"air": [400, np.nan, np.nan, 410], "warmth": [21, 21, 21, 21]})
    made = dataclasses.replace(made, blank=["lamp"], refused="missing (2): row 3 air")
    found = recording.columns(made)
    assert found.finding == (
        "Of 4 sensor columns, 1 without any reading (lamp); 1 with a single value (warmth); "
        "1 not in the file (stir); 1 with missing cells (air)."
    )
    assert "CAUTION  Training would refuse this log as it is: missing (2): row 3 air" in found.notes
    assert found.table is not None
    assert found.table[1] == [
        ["air\nppm", "400 to 410", "405", "2", "2 (50.0%)"],
        ["warmth\n°C", "21 to 21", "21", "1", "0"],
        ["lamp\nlux", "-", "-", "0", "all"],
    ]


def test_a_sound_log_has_nothing_to_complain_of(uci_log: Log) -> None:
    found = recording.columns(Subject(uci_log))
    assert found.finding == "Sensor columns: 16. Each has a reading in every row, and each varies."
    assert not found.notes


def test_the_bars_show_where_rows_are_lost() -> None:
    minutes = [minute for minute in range(600) if not (300 <= minute < 310 and minute % 2)]  # half of ten minutes
    (picture,) = recording.times(subject(times(minutes), None, {"air": np.arange(595.0)}, max_gap=150)).pictures
    lane, axes = picture.draw(10.0).axes
    shares = [bar.get_height() for bar in bars(axes)]
    assert len(lane.collections[0].get_paths()) == 1
    assert min(shares) == pytest.approx(0.5, abs=0.15)
    assert sum(share < 0.99 for share in shares) <= 3
