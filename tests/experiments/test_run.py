"""Several experiments through the same workers, and how each ends whatever happens to another."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from occupancy.config import Config
from occupancy.errors import InputError, InputWarning, Interrupted
from occupancy.execution.unit import Failure, Outcome, Scores, Unit
from occupancy.experiments import folds as folds_module
from occupancy.experiments.plan import plan, plan_all
from occupancy.experiments.result import Result
from occupancy.experiments.run import conduct, conduct_one
from tests.experiments.made_experiments import MLFLOW_WARNS, Recording, children_of, majority, runs_of, tracking_apart

pytestmark = [*MLFLOW_WARNS, pytest.mark.usefixtures("no_drawing")]


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, new_store: Callable[[Path], str]) -> Iterator[None]:
    new_store(tmp_path / "mlflow.db")
    with tracking_apart():
        yield


def parents(config: Config) -> dict[str, Run]:
    """Return the parent runs by name and seed."""
    found = [run for run in runs_of(config) if "mlflow.parentRunId" not in run.data.tags]
    return {f"{run.info.run_name} {run.data.params['seed']}": run for run in found}


def failing(name: str, number: int) -> Recording:
    """Return workers who fail at a fold of an experiment."""

    def change(unit: Unit, outcome: Outcome) -> Outcome:
        fails = (unit.config.name, unit.source.number) == (name, number)
        return Failure("MemoryError: no room left") if fails else outcome

    return Recording(change)


def test_several_experiments_are_told_in_their_order_and_recorded_each_by_itself(tmp_path: Path) -> None:
    configs = [majority(tmp_path, seed=1), majority(tmp_path, "other"), majority(tmp_path, seed=0)]
    results = conduct(plan_all(configs), Recording())
    assert [(one.plan.title, len(one.folds)) for one in results if isinstance(one, Result)] == [
        ("small, seed 1", 2),
        ("other, seed 0", 2),
        ("small, seed 0", 2),
    ]
    found = parents(configs[0])
    assert [found[name].info.run_id for name in ("small 1", "other 0", "small 0")] == [
        one.run_id for one in results if isinstance(one, Result)
    ]
    for run in found.values():
        names = [child.info.run_name for child in children_of(configs[0], run.info.run_id)]
        assert (names, run.info.status) == (["fold 1", "fold 2"], "FINISHED")


@pytest.mark.parametrize("number", [1, 2])
def test_an_experiment_of_which_a_fold_fails_ends_as_failed_and_the_others_are_finished(
    tmp_path: Path, number: int
) -> None:
    configs = [majority(tmp_path), majority(tmp_path, "broken"), majority(tmp_path, "last")]
    before, broken, after = conduct(plan_all(configs), failing("broken", number))
    assert broken == Failure("MemoryError: no room left")
    assert isinstance(before, Result)
    assert isinstance(after, Result)
    assert {name: run.info.status for name, run in parents(configs[0]).items()} == {
        "small 0": "FINISHED",
        "broken 0": "FAILED",
        "last 0": "FINISHED",
    }
    children = children_of(configs[0], parents(configs[0])["broken 0"].info.run_id)
    ended = [(run.info.run_name, run.info.status, run.data.tags.get("error")) for run in children]
    fine = [("fold 1", "FINISHED", None)] if number == 2 else []
    assert ended == [*fine, (f"fold {number}", "FAILED", "MemoryError: no room left")]
    registered = MlflowClient().search_registered_models()
    assert sorted(model.name for model in registered) == ["occupancy-last", "occupancy-small"]


def test_a_single_experiment_that_fails_is_an_error_of_one_line(tmp_path: Path) -> None:
    config = majority(tmp_path)
    with pytest.raises(InputError, match=r"^MemoryError: no room left$"):
        conduct_one(plan(config), failing("small", 2))
    assert [run.info.status for run in parents(config).values()] == ["FAILED"]


def test_an_error_in_a_unit_says_which_in_the_record_and_to_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = majority(tmp_path)
    planned = plan(config)
    monkeypatch.setattr(type(planned.folds[0]), "sealed", lambda _: 1 / 0)
    with pytest.raises(InputError, match=r"^ZeroDivisionError: division by zero$"):
        conduct_one(planned, Recording())
    (run,) = parents(config).values()
    (child,) = children_of(config, run.info.run_id)
    assert (run.info.status, child.info.status) == ("FAILED", "FAILED")
    assert child.data.tags["error"] == "ZeroDivisionError: division by zero"


def test_what_units_warn_of_is_told_once(tmp_path: Path) -> None:
    def warn(unit: Unit, outcome: Outcome) -> Outcome:
        assert isinstance(outcome, Scores)
        own = (f"{unit.config.name} is odd",) if unit.source.number == 2 else ()
        return dataclasses.replace(outcome, warnings=("the sensors are old", *own))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        conduct(plan_all([majority(tmp_path), majority(tmp_path, "other")]), Recording(warn))
    assert [str(each.message) for each in caught if each.category is InputWarning] == [
        "small, seed 0, the model to use: the sensors are old",
        "small, seed 0, fold 2: small is odd",
        "other, seed 0, fold 2: other is odd",
    ]


@pytest.mark.parametrize("error", [Interrupted(), KeyboardInterrupt()], ids=["interrupted", "ctrl-c"])
def test_a_wish_to_stop_ends_what_is_under_way_as_killed_and_leaves_what_is_finished(
    tmp_path: Path, error: BaseException
) -> None:
    def stop(unit: Unit, outcome: Outcome) -> Outcome:
        if (unit.config.name, unit.source.number) == ("other", 2):
            raise error
        return outcome

    configs = [majority(tmp_path), majority(tmp_path, "other"), majority(tmp_path, "never")]
    with pytest.raises(type(error)):
        conduct(plan_all(configs), Recording(stop))
    found = parents(configs[0])
    assert {name: run.info.status for name, run in found.items()} == {"small 0": "FINISHED", "other 0": "KILLED"}
    children = children_of(configs[0], found["other 0"].info.run_id)
    assert [(run.info.run_name, run.info.status) for run in children] == [("fold 1", "FINISHED")]
    assert mlflow.active_run() is None


def test_a_store_that_fails_in_the_middle_of_a_fold_leaves_no_run_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MlflowException("no space left")

    config = majority(tmp_path)
    monkeypatch.setattr(folds_module, "log_fold", full)
    with pytest.raises(InputError, match="no space left"):
        conduct_one(plan(config), Recording())
    assert {run.info.run_name: run.info.status for run in runs_of(config)} == {"small": "FAILED", "fold 1": "FAILED"}


@pytest.mark.parametrize("causal", [True, False])
def test_the_parent_says_whether_its_counts_rest_on_earlier_rows_alone(tmp_path: Path, causal: bool) -> None:
    def change(unit: Unit, outcome: Outcome) -> Outcome:
        if unit.scored == "nothing" or unit.source.number == 1 or causal:
            return outcome
        assert isinstance(outcome, Scores)
        kept = outcome.kept
        looks_ahead = dataclasses.replace(kept.prediction, causal=False)
        return dataclasses.replace(outcome, kept=dataclasses.replace(kept, prediction=looks_ahead))

    config = majority(tmp_path)
    result = conduct_one(plan(config), Recording(change))
    assert MlflowClient().get_run(result.run_id).data.tags["causal"] == str(causal)


def test_the_report_protocol_is_a_tag_of_every_run(tmp_path: Path) -> None:
    config = majority(tmp_path, protocol="report")
    conduct_one(plan(config), Recording())
    assert {run.data.tags["protocol"] for run in runs_of(config)} == {"report"}


def test_nothing_is_recorded_if_a_run_of_the_callers_own_is_open(tmp_path: Path) -> None:
    config = majority(tmp_path)
    mlflow.set_tracking_uri(config.tracking.uri)
    said = "^MLflow run .* is open in this process; end it by mlflow.end_run\\(\\) first$"
    with mlflow.start_run(), pytest.raises(InputError, match=said):
        conduct_one(plan(config), Recording())
    assert MlflowClient(config.tracking.uri).get_experiment_by_name(config.tracking.experiment) is None
