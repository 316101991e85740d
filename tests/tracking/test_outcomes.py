"""What a unit gave, written into its run and read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from occupancy.execution.unit import Failure, Scores
from occupancy.tracking.outcomes import read, write

GIVEN = Scores({"mse": 0.1, "parameters_used": 3.0}, {"fit_s": 2.5, "parameters": 7.0}, 4, {"train": 5, "test": 2})


@pytest.fixture
def client(tmp_path: Path, new_store: Callable[[Path], str]) -> MlflowClient:
    return MlflowClient(new_store(tmp_path / "mlflow.db"))


def begun(client: MlflowClient) -> Run:
    return client.create_run("0")


def now(client: MlflowClient, run: Run) -> Run:
    return client.get_run(run.info.run_id)


@pytest.mark.parametrize(("scored", "named"), [("test", "mse"), ("validation", "validation_mse")])
def test_what_is_read_back_is_what_was_written_and_validation_scores_cannot_be_taken_for_test_scores(
    client: MlflowClient, scored: Literal["validation", "test"], named: str
) -> None:
    run = begun(client)
    assert write(client, run, GIVEN, {"model.window": 3}, scored) == "FINISHED"
    found = now(client, run)
    assert read(found) == GIVEN
    assert {"mse", "validation_mse"} & found.data.metrics.keys() == {named}
    assert found.data.metrics["fit_s"] == 2.5  # a cost is one on whatever rows
    assert found.data.params["model.window"] == "3"


def test_a_score_that_could_not_be_computed_is_left_out(client: MlflowClient) -> None:
    run = begun(client)
    write(client, run, Scores({"mse": 1.0, "f1": float("nan")}, {}, 0), {})
    assert read(now(client, run)) == Scores({"mse": 1.0}, {}, 0)


def test_a_failure_is_forgotten_where_the_unit_then_succeeds_and_its_settings_stay(client: MlflowClient) -> None:
    run = begun(client)
    assert write(client, run, Failure("MemoryError: too large" + "!" * 6_000), {"file": "here.csv"}) == "FAILED"
    failed = now(client, run)
    assert len(failed.data.tags["error"]) == 5_000
    assert write(client, failed, GIVEN, {"file": "moved.csv", "room": "hall"}) == "FINISHED"
    found = now(client, run)
    assert "error" not in found.data.tags
    assert {name: found.data.params[name] for name in ("file", "room")} == {"file": "here.csv", "room": "hall"}
    assert read(found) == GIVEN
