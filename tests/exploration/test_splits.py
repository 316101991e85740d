from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from occupancy.exploration import splits
from tests.exploration.made_logs import subject, times

PARTS = ["train"] * 4 + ["validation"] * 2 + ["test"] * 4
COUNTS = [0, 1, 2, 0, 0, 1, 0, 0, 2, 2]
AIR = np.array([1.0, 2, 3, 4, 5, 6, 0, 3, 7, 8])


def test_distance_and_range_are_those_of_test_against_all_labelled_rows() -> None:
    made = subject(times(range(10)), COUNTS, {"air": AIR, "warmth": np.arange(10.0)}, parts=[PARTS])
    distance, outside = splits.distances(made), splits.shares_outside(made)
    assert distance.loc["fold 1", "air"] == ks_2samp(AIR[:6], AIR[6:]).statistic
    assert outside.to_numpy().tolist()[0] == [0.75, 1.0]  # 0, 7 and 8 of four; all of four
    found = splits.drift(made)
    assert found is not None
    assert "most from training rows in warmth, fold 1 (distance 1.00 of at most 1)" in found.finding
    assert "100% of the test readings of warmth in fold 1 are outside" in found.finding


def test_parts_that_are_alike_are_said_to_be() -> None:
    made = subject(times(range(10)), COUNTS, {"air": [1, 2, 3, 1, 2, 3, 1, 2, 2, 3]}, parts=[PARTS])
    found = splits.drift(made)
    assert found is not None
    assert "No test reading is outside the range of the training readings" in found.finding


def test_the_counts_of_each_part_and_those_never_tested_are_told() -> None:
    made = subject(times(range(10)), COUNTS, {"air": AIR}, parts=[PARTS, PARTS[::-1]])
    found = splits.folds(made)
    assert found.table is not None
    assert found.table[1][:3] == [
        ["1", "train", "4", "2", "1", "1"],
        ["1", "validation", "2", "1", "1", "0"],
        ["1", "test", "4", "2", "0", "2"],
    ]
    assert found.finding == (
        "Scheme by hand: 2 folds, whose test parts hold 40% to 40% of the rows. "
        "Some counts are not in every test part: fold 1 lacks 1."
    )
    assert [text.get_text() for text in found.pictures[0].draw(10.0).axes[0].get_yticklabels()] == ["fold 1", "fold 2"]


def test_without_folds_the_reason_is_told() -> None:
    made = subject(times(range(3)), [0, 1, 0], {"air": [1, 2, 3]})
    assert splits.folds(made).finding == "No folds are shown: none fits"
    assert splits.drift(made) is None


@pytest.mark.parametrize("width", [10.0, 4.8])
def test_the_cells_of_the_drift_hold_their_numbers(width: float) -> None:
    made = subject(times(range(10)), COUNTS, {"air": AIR, "warmth": np.arange(10.0)}, parts=[PARTS])
    found = splits.drift(made)
    assert found is not None
    left, right = found.pictures[0].draw(width).axes[:2]
    assert [text.get_text() for text in left.texts] == [f"{ks_2samp(AIR[:6], AIR[6:]).statistic:.2f}", "1.00"]
    assert [text.get_text() for text in right.texts] == ["0.75", "1.00"]


@pytest.mark.parametrize("blank", [slice(0, 6), slice(6, 10)], ids=["training", "test"])
def test_a_sensor_that_is_blank_over_a_whole_part_is_not_compared(blank: slice) -> None:
    made = subject(times(range(10)), COUNTS, {"air": AIR, "warmth": np.arange(10.0)}, parts=[PARTS])
    made.log.frame.loc[made.log.times[blank], "air"] = np.nan
    assert splits.distances(made)["air"].isna().all()
    assert splits.shares_outside(made)["air"].isna().all()
    found = splits.drift(made)
    assert found is not None
    assert "most from training rows in warmth, fold 1" in found.finding
    assert [text.get_text() for text in found.pictures[0].draw(10.0).axes[0].texts] == ["-", "1.00"]
    made.log.frame.loc[made.log.times[blank], "warmth"] = np.nan
    assert splits.drift(made) is None
