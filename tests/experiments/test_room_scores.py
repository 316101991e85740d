"""The table of many rooms."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd
import pytest

from occupancy.execution.references import MEANS
from occupancy.execution.unit import Failure, Outcome, Scores
from occupancy.experiments.report import room_line, room_tree
from occupancy.experiments.room_scores import of_outcomes, over_rooms, worst

KEYS = ("mse", "mse_mean", "f1_micro", "nll", "brier", *MEANS)


def scored(mse: float, rows: int) -> Scores:
    return Scores({**dict.fromkeys(KEYS, mse), "latency_s": math.nan}, {}, 0, {"train": 9, "test": rows})


OUTCOMES: dict[str, Outcome] = {"c": scored(0.4, 30), "a": scored(0.1, 10), "b": Failure("b.csv: is empty")}


def test_scores_over_rooms_leave_out_rooms_without_scores_and_weigh_rows_where_pooled() -> None:
    metrics = over_rooms(of_outcomes(OUTCOMES))
    assert metrics["mse_avg"] == pytest.approx(0.25)
    assert metrics["mse_std"] == pytest.approx(0.15)
    assert metrics["mse_median"] == pytest.approx(0.25)
    assert metrics["mse_worst"] == 0.4
    assert metrics["mse_pooled"] == pytest.approx((0.4 * 30 + 0.1 * 10) / 40)
    assert math.isnan(metrics["latency_s_avg"])


def test_the_worst_rooms_come_first_and_a_room_that_failed_is_none_of_them() -> None:
    assert worst(of_outcomes(OUTCOMES), 5)["room"].tolist() == ["c", "a"]


def test_a_room_is_told_with_its_scores_or_with_its_error() -> None:
    metrics = {**dict.fromkeys(KEYS, 0.1), "latency_s": None}
    first, second, _ = room_tree(of_outcomes(OUTCOMES))
    assert first == {"room": "a", "rows": 10, "metrics": metrics}
    assert second == {"room": "b", "rows": 0, "error": "b.csv: is empty"}


def test_rooms_are_told_in_one_line_however_many_they_are() -> None:
    table = pd.DataFrame({"room": ["a", "b", "c"], "rows": 1, "mse": [0.1, 0.5, 0.3]})
    line = "3, mse mean 0.300, median 0.300, worst 0.500 (b); each is in the run's rooms.csv"
    assert room_line(table) == line


def test_references_are_pooled_by_rows_and_their_skill_is_that_of_the_pooled_errors() -> None:
    rooms = dict(OUTCOMES)
    for name, mse_clock in (("a", 1.0), ("c", 0.5)):
        room = scored(0.1 if name == "a" else 0.4, 10 if name == "a" else 30)
        rooms[name] = dataclasses.replace(room, metrics={**room.metrics, "mse_clock": mse_clock})
    metrics = over_rooms(of_outcomes(rooms))
    assert metrics["mse_clock_pooled"] == pytest.approx((1.0 * 10 + 0.5 * 30) / 40)
    assert metrics["skill_clock_pooled"] == pytest.approx(1 - (0.1 * 10 + 0.4 * 30) / (1.0 * 10 + 0.5 * 30))
