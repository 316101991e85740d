"""The record of a command: its parent run and the runs of its units, however it ends, and how it is gone on with."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, INTERNAL_ERROR

from occupancy.config import Tracking
from occupancy.data.log import Log
from occupancy.errors import InputError, Interrupted
from occupancy.execution.unit import Failure, Scores
from occupancy.tracking import run as run_module
from occupancy.tracking.record import HOLES, open_record
from occupancy.tracking.request import Job, Request
from tests.execution.made_units import units_of
from tests.experiments.made_experiments import tracking_apart
from tests.models.made_visits import simulated
from tests.places import ROOT

GIVEN = Scores({"mse": 0.25, "f1": math.nan}, {"fit_s": 1.0}, 0, {"test": 9})


@pytest.fixture
def request_(tmp_path: Path, new_store: Callable[[Path], str]) -> Iterator[Request]:
    tracking = Tracking(uri=new_store(tmp_path / "mlflow.db"))
    with tracking_apart():
        yield Request(tracking, "small", {"protocol": "honest"}, {"seed": 0}, {"config.yaml": "seed: 0\n"})


@pytest.fixture
def client(request_: Request) -> MlflowClient:
    return MlflowClient(request_.tracking.uri)


def jobs(count: int, group: str | None = None) -> list[Job]:
    return [
        Job(unit, f"fold {number}", tags={"fold": str(number)}, group=group)
        for number, unit in enumerate(units_of(count), start=1)
    ]


def runs_of(client: MlflowClient) -> list[Run]:
    found = client.get_experiment_by_name("occupancy")
    assert found is not None
    return list(client.search_runs([found.experiment_id]))


def ended(client: MlflowClient) -> dict[str, str]:
    return {str(run.info.run_name): run.info.status for run in runs_of(client)}


def test_a_record_is_a_parent_run_with_settings_files_and_tags_and_a_run_for_each_unit(
    client: MlflowClient, request_: Request
) -> None:
    with open_record(request_) as record:
        assert client.get_run(record.run_id).info.status == "RUNNING"
        for job in jobs(2):
            record.write(job, GIVEN)
    assert ended(client) == {"small": "FINISHED", "fold 1": "FINISHED", "fold 2": "FINISHED"}
    parent = client.get_run(record.run_id)
    assert parent.data.params == {"seed": "0"}
    assert mlflow.artifacts.load_text(f"{parent.info.artifact_uri}/config.yaml") == "seed: 0\n"
    for run in runs_of(client):
        assert run.data.tags.items() >= {"protocol": "honest", "host": socket.gethostname()}.items()
        if run.info.run_id != record.run_id:
            assert run.data.tags["mlflow.parentRunId"] == record.run_id
            assert run.data.metrics == {"validation_mse": 0.25, "fit_s": 1.0}
            assert run.info.run_name == f"fold {run.data.tags['fold']}"


def test_the_parent_counts_the_missing_readings_of_its_log(client: MlflowClient, request_: Request) -> None:
    whole = simulated()
    missing = whole.missing.copy()
    missing.iloc[[3, 4, 9], 0] = True
    frame = whole.frame.copy()
    frame.iloc[[4, 9], 0] = np.nan
    with open_record(
        dataclasses.replace(request_, log=dataclasses.replace(whole, frame=frame, missing=missing))
    ) as one:
        pass
    text = mlflow.artifacts.load_text(f"{client.get_run(one.run_id).info.artifact_uri}/{HOLES}")
    assert json.loads(text) == {
        whole.missing.columns[0]: {"rows": len(frame), "missing": 3, "longest": 2, "held": 1},
    }
    with open_record(dataclasses.replace(request_, log=whole)) as other:
        pass
    assert [file.path for file in client.list_artifacts(other.run_id)] == ["config.yaml"]


def test_the_parent_names_the_commit_of_the_code(client: MlflowClient, request_: Request) -> None:
    asked = subprocess.run(["git", "-C", str(ROOT), "rev-list", "-n", "3", "HEAD"], capture_output=True, check=False)
    if asked.returncode != 0:
        pytest.skip("the package lies in no checkout")
    with open_record(request_) as record:
        pass
    assert client.get_run(record.run_id).data.tags["mlflow.source.git.commit"] in asked.stdout.decode().split()


def test_code_that_lies_in_no_checkout_has_no_commit(
    client: MlflowClient, request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "__file__", str(tmp_path / "run.py"))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "train.py")])
    with open_record(request_) as record:
        pass
    assert "mlflow.source.git.commit" not in client.get_run(record.run_id).data.tags


def test_a_failed_unit_is_recorded_with_the_reason_and_the_record_goes_on(
    client: MlflowClient, request_: Request
) -> None:
    first, second = jobs(2)
    with open_record(request_) as record:
        record.write(first, Failure("MemoryError: no room left"))
        record.write(second, GIVEN)
    assert ended(client) == {"small": "FINISHED", "fold 1": "FAILED", "fold 2": "FINISHED"}
    (failed,) = [run for run in runs_of(client) if run.info.status == "FAILED"]
    assert failed.data.tags["error"] == "MemoryError: no room left"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("broken"), "FAILED"),
        (InputError("mistaken"), "FAILED"),
        (Interrupted(), "KILLED"),
        (KeyboardInterrupt(), "KILLED"),
    ],
    ids=["error", "mistake", "interrupted", "ctrl-c"],
)
def test_an_error_ends_a_record_as_failed_and_a_wish_to_stop_as_killed_with_the_groups_that_are_open(
    client: MlflowClient, request_: Request, error: BaseException, status: str
) -> None:
    with (  # noqa: PT012 - the record is to be open
        pytest.raises(type(error)),
        open_record(request_) as record,
    ):
        record.write(jobs(1, "trial 1")[0], GIVEN)
        record.close("trial 1", {}, {}, None)
        record.write(jobs(2, "trial 2")[1], GIVEN)
        raise error
    assert ended(client) == {
        "small": status,
        "trial 1": "FINISHED",
        "fold 1": "FINISHED",
        "trial 2": status,
        "fold 2": "FINISHED",
    }


def test_an_error_in_the_middle_of_a_units_run_ends_it_as_failed(client: MlflowClient, request_: Request) -> None:
    def fail(_run_id: str) -> None:
        raise OSError("no space left")

    with pytest.raises(InputError, match="no space left on its disk"), open_record(request_) as record:
        record.write(jobs(1)[0], GIVEN, fail)
    assert ended(client) == {"small": "FAILED", "fold 1": "FAILED"}


@pytest.mark.usefixtures("hears_ctrl_c")
def test_a_stop_while_the_parent_run_begins_ends_it_as_killed(
    client: MlflowClient, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_run = MlflowClient.create_run

    def stopped(*args: Any, **options: Any) -> Run:
        run = create_run(*args, **options)
        os.kill(os.getpid(), signal.SIGINT)
        return run

    monkeypatch.setattr(MlflowClient, "create_run", stopped)
    with pytest.raises(KeyboardInterrupt), open_record(request_):
        pytest.fail("it began")
    assert ended(client) == {"small": "KILLED"}


def test_what_could_not_be_computed_is_left_out_of_a_summary_and_the_rest_is_there(
    client: MlflowClient, request_: Request
) -> None:
    with open_record(request_) as record:
        record.summarize(
            {"mse_avg": 0.25, "latency_s_avg": math.nan},
            {"causal": "False"},
            {"figures/folds": Figure()},
            {"rooms.csv": "room\n"},
            "what was done",
        )
    run = client.get_run(record.run_id)
    assert run.data.metrics == {"mse_avg": 0.25}
    assert run.data.tags.items() >= {"causal": "False", "mlflow.note.content": "what was done"}.items()
    paths = {found.path for folder in (None, "figures") for found in client.list_artifacts(record.run_id, folder)}
    assert paths == {"config.yaml", "figures", "figures/folds.png", "rooms.csv"}


@pytest.mark.parametrize(("refusals", "status"), [(0, "FINISHED"), (1, "FINISHED"), (2, "FAILED")])
def test_a_log_that_another_run_brought_at_the_same_moment_is_named_all_the_same(
    client: MlflowClient,
    request_: Request,
    simulated_log: Log,
    monkeypatch: pytest.MonkeyPatch,
    refusals: int,
    status: str,
) -> None:
    refuse(monkeypatch, [MlflowException("duplicate key value", BAD_REQUEST)] * refusals)
    request = dataclasses.replace(request_, log=simulated_log)
    if status == "FAILED":
        with pytest.raises(InputError, match="duplicate key value"), open_record(request):
            pass
    else:
        with open_record(request):
            pass
    (run,) = runs_of(client)
    assert run.inputs is not None
    digests = [given.dataset.digest for given in run.inputs.dataset_inputs]
    assert (run.info.status, digests) == (status, [simulated_log.digest] if status == "FINISHED" else [])


def test_another_error_of_the_store_is_not_taken_for_that(
    client: MlflowClient, request_: Request, simulated_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, [MlflowException("down", INTERNAL_ERROR)])
    with pytest.raises(InputError, match="down"), open_record(dataclasses.replace(request_, log=simulated_log)):
        pass
    assert ended(client) == {"small": "FAILED"}


def refuse(monkeypatch: pytest.MonkeyPatch, answers: list[MlflowException]) -> None:
    """Let the store answer so often with errors when it is told of a log."""
    log_inputs = MlflowClient.log_inputs

    def answer(self: MlflowClient, *arguments: Any, **settings: Any) -> None:
        if answers:
            raise answers.pop()
        log_inputs(self, *arguments, **settings)

    monkeypatch.setattr(MlflowClient, "log_inputs", answer)


def test_a_record_without_a_key_is_always_a_new_one(client: MlflowClient, request_: Request) -> None:
    for _ in range(2):
        with pytest.raises(Interrupted), open_record(request_) as record:  # noqa: PT012 - the record is to be open
            assert record.known == {}
            record.write(jobs(1)[0], GIVEN)
            raise Interrupted
    assert len(runs_of(client)) == 4


def test_a_record_that_was_stopped_is_gone_on_with_and_knows_what_it_holds(
    client: MlflowClient, request_: Request
) -> None:
    request = dataclasses.replace(request_, key="k1")
    done, failed = jobs(2)
    with pytest.raises(Interrupted), open_record(request) as first:  # noqa: PT012 - the record is to be open
        first.write(done, GIVEN)
        first.write(failed, Failure("it was too large"))
        raise Interrupted
    with open_record(request) as again:
        assert again.run_id == first.run_id
        assert again.known == {done.unit.key: Scores({"mse": 0.25}, {"fit_s": 1.0}, 0, {"test": 9})}
        again.write(failed, GIVEN)
    assert ended(client) == {"small": "FINISHED", "fold 1": "FINISHED", "fold 2": "FINISHED"}
    assert len(runs_of(client)) == 3, "the unit that failed has a second run"
    with open_record(request) as new:
        assert new.run_id != first.run_id, "a finished record is not written into again"


def test_a_record_that_is_under_way_in_a_live_process_is_refused(request_: Request) -> None:
    request = dataclasses.replace(request_, key="k1")
    with open_record(request) as record:
        said = f"^tracking.uri: run {record.run_id} is this very command, under way in process {os.getpid()} on "
        with pytest.raises(InputError, match=said), open_record(request):
            pytest.fail("it began")
