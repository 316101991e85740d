from __future__ import annotations

import json
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run
from rich.console import Console

from occupancy.errors import InputError, InputWarning
from occupancy.execution.process_pool import Pool
from occupancy.execution.unit import Failure, OnShare, Outcome, Scores, Unit, carry_out, ignore
from occupancy.search import report
from occupancy.search.conduct import conduct
from occupancy.search.plan import SearchPlan, plan_search
from occupancy.search.request import load_search
from occupancy.search.result import Result
from tests.places import ROOT

pytestmark = [
    pytest.mark.usefixtures("no_drawing"),
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]

FOLDS = ROOT / "tests" / "e2e" / "two_folds.yaml"
Act = Callable[[Unit], Outcome]


class InProcess(Pool):
    """Carries units out in this process, the last first, and counts them."""

    def __init__(self, act: Act = carry_out) -> None:
        super().__init__(1)
        self.act = act
        self.asked: list[Unit] = []

    def execute(self, units: Sequence[Unit], _on_share: OnShare = ignore) -> Generator[tuple[Unit, Outcome]]:
        for unit in reversed(units):
            self.asked.append(unit)
            yield unit, self.act(unit)


@pytest.fixture
def search(tmp_path: Path, new_store: Callable[[Path], str]) -> Iterator[SearchPlan]:
    data = {"source": "simulated", "folds": str(FOLDS), "max_gap": 600}
    data["simulation"] = {"days": 3, "room": {"step_s": 300}}
    tree = {
        "data": data,
        "model": {"name": "random_forest", "trees": 3},
        "tracking": {"uri": new_store(tmp_path / "m.db")},
    }
    path = tmp_path / "forest.yaml"
    path.write_text(yaml.safe_dump({**tree, "search": {"over": {"model.min_samples_leaf": [1, 20, 60]}}}))
    tracked_in = mlflow.get_tracking_uri()
    yield plan_search(load_search(path))
    mlflow.set_tracking_uri(tracked_in)


def told(result: Result) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(report.to_json(result))
    return tree


def recorded(search: SearchPlan) -> dict[str, list[Run]]:
    """Return the runs by the group that they belong to; the parent belongs to none."""
    client = MlflowClient(search.tracking.uri)
    experiment = client.get_experiment_by_name("occupancy-search")
    assert experiment is not None
    runs: dict[str, list[Run]] = {}
    for run in client.search_runs([experiment.experiment_id]):
        runs.setdefault(run.data.tags.get("group", ""), []).append(run)
    return runs


def fails_at(leaf: int, fold: int, scored: str = "validation") -> Act:
    def act(unit: Unit) -> Outcome:
        model: Any = unit.config.model
        if (model.min_samples_leaf, unit.source.number, unit.scored) == (leaf, fold, scored):
            return Failure("MemoryError: too large a forest")
        return carry_out(unit)

    return act


def test_no_test_row_is_scored_but_by_what_was_chosen(search: SearchPlan) -> None:
    pool = InProcess()
    result = conduct(search, pool)
    tested = {unit.key for unit in pool.asked if unit.scored == "test"}
    chosen = [*result.nested, *result.shared]
    assert tested == {Unit(one.trial.config, search.base.sources[one.fold - 1], "test").key for one in chosen}
    assert [unit.scored for unit in pool.asked[:6]] == ["validation"] * 6
    assert len(pool.asked) == 6 + len(tested)


def test_a_trial_that_fails_is_recorded_with_its_error_and_the_search_goes_on(search: SearchPlan) -> None:
    result = conduct(search, InProcess(fails_at(20, fold=2)))
    tree = told(result)
    assert tree["failed"] == [{"trial": 2, "name": "trial 2", "fold": 2, "error": "MemoryError: too large a forest"}]
    assert result.scores.isna().loc[2, 2]
    runs = recorded(search)
    statuses = {(run.info.run_name, run.info.status, run.data.tags.get("error")) for run in runs["trial 2"]}
    failed = ("FAILED", "MemoryError: too large a forest")
    assert statuses == {("trial 2", *failed), ("fold 2", *failed), ("fold 1", "FINISHED", None)}
    assert {run.info.status for run in runs[""]} == {"FINISHED"}
    shown = Console(width=200)
    with shown.capture() as capture:
        shown.print(report.table(result))
    assert "failed   1 fits, the first trial 2 on fold 2: MemoryError: too large a forest" in capture.get()


def test_what_fits_warn_of_is_told_once(search: SearchPlan) -> None:
    def act(unit: Unit) -> Outcome:
        return Scores({"mse": 1.0, "mse_mean": 1.0}, {"fit_s": 1.0}, 0, warnings=("the sensors are old",))

    with pytest.warns(InputWarning) as caught:
        conduct(search, InProcess(act))
    assert [str(each.message) for each in caught] == ["forest, fold 2: the sensors are old"]


def test_figures_and_the_search_lie_beside_the_parent_run(search: SearchPlan) -> None:
    run_id = conduct(search, InProcess()).run_id
    client = MlflowClient(search.tracking.uri)
    assert {file.path for file in client.list_artifacts(run_id)} == {"search.yaml", "figures"}
    assert {file.path for file in client.list_artifacts(run_id, "figures")} == {
        "figures/boxes.png",
        "figures/parallel.png",
    }
    written = Path(mlflow.artifacts.download_artifacts(f"runs:/{run_id}/search.yaml", tracking_uri=search.tracking.uri))
    assert load_search(written).samples() == search.method.samples()


def test_a_finished_search_is_read_back_as_it_was_its_failures_too(search: SearchPlan) -> None:
    first = conduct(search, InProcess(fails_at(20, fold=2)))
    idle = InProcess()
    again = conduct(search, idle)
    assert idle.asked == []
    assert told(again) == told(first)
    assert (first.was_finished, again.was_finished) == (False, True)


def test_what_failed_is_tried_again_where_a_stopped_search_goes_on(search: SearchPlan) -> None:
    def act(unit: Unit) -> Outcome:
        if unit.scored == "test":
            raise KeyboardInterrupt
        return fails_at(20, fold=2)(unit)

    with pytest.raises(KeyboardInterrupt):
        conduct(search, InProcess(act))
    assert {run.info.status for run in recorded(search)[""]} == {"KILLED"}
    pool = InProcess()
    result = conduct(search, pool)
    assert [unit.scored for unit in pool.asked].count("validation") == 1
    assert told(result)["failed"] == []
    runs = [run for group in recorded(search).values() for run in group]
    assert {(run.info.status, run.data.tags.get("error")) for run in runs} == {("FINISHED", None)}


def test_a_test_that_fails_leaves_its_fold_without_scores_and_not_the_others(search: SearchPlan) -> None:
    def act(unit: Unit) -> Outcome:
        return Failure("RuntimeError: no") if (unit.scored, unit.source.number) == ("test", 1) else carry_out(unit)

    tree = told(conduct(search, InProcess(act)))
    assert tree["nested"]["metrics"]["mse_avg"] is None
    assert [one["metrics"]["mse"] is None for one in tree["nested"]["folds"]] == [True, False]


def test_a_fold_on_which_all_fail_ends_the_search_as_failed(search: SearchPlan) -> None:
    def act(unit: Unit) -> Outcome:
        return Failure("RuntimeError: no") if unit.source.number == 2 else carry_out(unit)

    with pytest.raises(InputError, match="fold 2: none of 3 trials gave a score; the first: RuntimeError: no"):
        conduct(search, InProcess(act))
    assert {run.info.status for run in recorded(search)[""]} == {"FAILED"}


def test_a_search_that_is_under_way_is_not_begun_twice(search: SearchPlan) -> None:
    def act(_: Unit) -> Outcome:
        with pytest.raises(InputError, match="is this very command, under way in process"):
            conduct(search, InProcess())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conduct(search, InProcess(act))


def test_another_search_on_the_same_store_begins_anew(search: SearchPlan, tmp_path: Path) -> None:
    conduct(search, InProcess())
    other = plan_search(load_search(tmp_path / "forest.yaml", ["search.over.model.min_samples_leaf=[1,20]"]))
    pool = InProcess()
    assert not conduct(other, pool).was_finished
    assert len(pool.asked) >= 4
    assert len(recorded(search)[""]) == 2


@pytest.mark.usefixtures("hears_ctrl_c")
def test_ctrl_c_while_a_unit_is_written_comes_when_it_is_recorded_and_leaves_no_run_open(
    search: SearchPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = MlflowClient.log_batch

    def interrupted(self: MlflowClient, run_id: str, *arguments: Any, **named: Any) -> Any:
        if "chosen_epochs" in {param.key for param in named.get("params", ())}:
            signal.raise_signal(signal.SIGINT)
        return write(self, run_id, *arguments, **named)

    with monkeypatch.context() as slow, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        slow.setattr(MlflowClient, "log_batch", interrupted)
        conduct(search, InProcess())
    groups = recorded(search)
    assert {run.info.status for run in groups.pop("")} == {"KILLED"}
    ((group, runs),) = groups.items()
    assert {run.info.run_name: run.info.status for run in runs} == {group: "KILLED", "fold 2": "FINISHED"}
    pool = InProcess()
    conduct(search, pool)
    assert [unit.scored for unit in pool.asked].count("validation") == 5
