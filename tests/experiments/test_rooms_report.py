"""What is told of a model per room: the references beside the scores over rooms."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from occupancy.config import Config, Data, RandomForest
from occupancy.execution.references import MEANS
from occupancy.execution.unit import Outcome, Scores
from occupancy.experiments.plan import Plan
from occupancy.experiments.report import SHOWN
from occupancy.experiments.result import Result
from occupancy.experiments.room_scores import of_outcomes, over_rooms
from occupancy.experiments.rooms_report import closing_table, description

KEYS = (*dict.fromkeys((*SHOWN, "brier", *MEANS)),)


def result_of(mse_clock: float) -> Result:
    """Return two rooms whose scores are all 0.5, but those of the clock."""
    scores = {**dict.fromkeys(KEYS, 0.5), "mse_nobody": 2.0, "mse_shares": 1.5, "mse_clock": mse_clock}
    rooms: dict[str, Outcome] = {name: Scores(scores, {}, 0, {"train": 9, "test": 10}) for name in ("a", "b")}
    table = of_outcomes(rooms)
    config = Config(name="each", model=RandomForest(), data=Data(rooms="logs", folds="each_room"))
    return Result(
        "run", Plan(config, {"name": "logs", "digest": "d"}, [], "f", None), over_rooms(table), 38, rooms=table
    )


def printed(result: Result) -> list[str]:
    output = io.StringIO()
    Console(file=output, width=80).print(closing_table(result), crop=False)
    return output.getvalue().splitlines()


def test_the_references_are_means_over_rooms_below_the_worst_rooms() -> None:
    lines = [line.split() for line in printed(result_of(0.9))]
    assert ["mean,", "nobody", "2.000"] in lines
    assert ["mean,", "clock", "0.900", "0.500"] in lines
    assert "| mean, clock | 0.900 |" in description(result_of(0.9))


@pytest.mark.parametrize(("mse_clock", "cautions"), [(0.9, 0), (0.5, 1)])
def test_sensors_that_tell_less_than_the_clock_are_a_caution_about_all_rooms(mse_clock: float, cautions: int) -> None:
    caution = "CAUTION  each: the sensors of these rooms tell less than the clock"
    assert printed(result_of(mse_clock)).count(caution) == cautions
    assert description(result_of(mse_clock)).splitlines().count(caution) == cautions
