"""Counts as people write them: words, open ranges, blanks, and less often than the sensors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from occupancy.config import Data
from occupancy.data.labels import hold_counts, on_words, read_counts
from occupancy.data.schema import Column, Schema
from occupancy.data.table import validate
from occupancy.errors import InputError

NONE = float("nan")


def counts(cells: list[str], labels: dict[str, int] | None = None, max_count: str = "3") -> list[float]:
    columns = [Column(name="warm", kind="temperature", unit="degC")]
    schema = Schema(name="room", time=["time"], columns=columns, count="people", labels=labels or {})
    settings = Data.model_validate(
        {"source": "room.csv", "max_count": max_count if "+" in max_count else int(max_count)}
    )
    return read_counts(pd.Series(cells), schema, settings)[0].tolist()


def test_words_mean_what_the_schema_says_and_others_nothing() -> None:
    found = counts(["Occupied", "not_occupied ", "2", "", "vacant"], {"occupied": 1, "not_occupied": 0})
    np.testing.assert_array_equal(found, [1, 0, 2, NONE, NONE])


def test_an_open_range_is_its_end_where_counts_are_capped_there() -> None:
    np.testing.assert_array_equal(counts(["3+", "3 +", "2+", "5", "1"], max_count="3+"), [3, 3, NONE, 3, 1])
    np.testing.assert_array_equal(counts(["3+", "5"]), [NONE, 5])


def test_counts_above_the_most_are_told_and_error_codes_are_none_of_them() -> None:
    columns = [Column(name="warm", kind="temperature", unit="degC")]
    schema = Schema(name="room", time=["time"], columns=columns, count="people")
    settings = Data.model_validate({"source": "room.csv", "max_count": "3+"})
    found, said = read_counts(pd.Series(["1", "4", "", "7"]), schema, settings)
    np.testing.assert_array_equal(found, [1, 3, NONE, 3])
    assert said == "2 counts above 3, up to 7, count as 3"
    cells = pd.DataFrame(
        {"time": [f"2024-01-01 10:0{n}:00" for n in range(4)], "warm": "20", "people": ["1", "4", "9999", "65535"]}
    )
    with pytest.raises(InputError, match=r"count above data.max_count \(2\): row 2 people '9999', row 3"):
        validate(cells, schema, settings, "room")
    cells["people"] = ["1", "4", "0", "2"]
    assert "1 counts above 3, up to 4, count as 3" in validate(cells, schema, settings, "room").notes


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["not_occupied", "occupied"], ", such as labels: {not_occupied: 0, occupied: 1}"),
        (["on", "off"], ", such as labels: {'on': 1, 'off': 0}"),
        (["low", "two"], ", such as labels: {low: N, two: 2} with a number for each N"),
        (["3+"], ", such as labels: {'3+': 3}; or, where 3+ means so many people or more, set data.max_count=3+"),
        (["3-5"], ", such as labels: {'3-5': 3}"),
    ],
)
def test_the_remedy_for_words_is_the_mapping_itself(cells: list[str], said: str) -> None:
    assert on_words(pd.Series(cells), Data()) == said


def test_a_count_holds_for_so_long_and_not_across_a_gap() -> None:
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta([0, 60, 120, 180, 900, 960], unit="s")
    series = pd.Series([2, NONE, NONE, NONE, NONE, 1], pd.DatetimeIndex(times))
    np.testing.assert_array_equal(hold_counts(series, 120, 120.0), [2, 2, 2, NONE, NONE, 1])
    np.testing.assert_array_equal(hold_counts(series, 120, None), series)
