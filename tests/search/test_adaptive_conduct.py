"""An adaptive search carried out: stopped, failing, recorded, and led by each fold's own scores alone."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from rich.console import Console

from occupancy.errors import InputError
from occupancy.execution.process_pool import Pool
from occupancy.execution.unit import Failure, OnShare, Outcome, Scores, Unit, ignore
from occupancy.search import report
from occupancy.search.conduct import conduct
from occupancy.search.plan import SearchPlan, plan_search
from occupancy.search.request import load_search
from occupancy.search.result import Result
from tests.search.made_search import STORE, search_in

pytestmark = [
    pytest.mark.usefixtures("no_drawing"),
    # MLflow asks SQLAlchemy for what SQLAlchemy is about to give up.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"),
    # MLflow says so of a class of its own when its pyfunc module is imported.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]

Act = Callable[[Unit], Outcome]


@dataclass
class Fake(Pool):
    """Gives each unit what a function says, in an order of its own, and counts the units."""

    act: Act
    order: Callable[[list[Unit]], None] = list.reverse
    most: int = 10_000

    def __post_init__(self) -> None:
        self.asked: list[Unit] = []

    def execute(self, units: Sequence[Unit], _on_share: OnShare = ignore) -> Generator[tuple[Unit, Outcome]]:
        units = list(units)
        self.order(units)
        for unit in units:
            if len(self.asked) == self.most:
                raise KeyboardInterrupt
            self.asked.append(unit)
            yield unit, self.act(unit)


def scores(unit: Unit) -> Scores:
    """Return what a setting gives: each fold has a best learning rate of its own, and small windows are better."""
    model: Any = unit.config.model
    rate = np.log10(unit.config.train.learning_rate)
    mse = float((rate + 1.5 + unit.source.number / 2) ** 2 + model.window / 100 + (unit.scored == "test"))
    return Scores({"mse": mse, "mse_mean": mse}, {"fit_s": 1.0}, 3)


def failing(*numbers: int, fold: int = 2) -> Act:
    """Return what fails at these validation fits of a fold, counted from 1, whatever they try."""
    seen: list[str] = []

    def act(unit: Unit) -> Outcome:
        if unit.scored == "validation" and unit.source.number == fold:
            seen.append(unit.key)
            if len(seen) in numbers:
                return Failure("MemoryError: too large a network")
        return scores(unit)

    return act


@pytest.fixture
def search(tmp_path: Path, new_store: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[SearchPlan]:
    """A search of five trials a fold, all of which but the first two are led by scores."""
    monkeypatch.setattr("occupancy.search.adaptive._RANDOM", 2)
    tracked_in = mlflow.get_tracking_uri()
    new_store(tmp_path / STORE)
    yield plan_search(search_in(tmp_path))
    mlflow.set_tracking_uri(tracked_in)


def told(result: Result) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(report.to_json(result))
    del tree["run_id"]
    return tree


def elsewhere(folder: Path, new_store: Callable[[Path], str]) -> SearchPlan:
    """Return the same search on another store."""
    folder.mkdir()
    new_store(folder / STORE)
    return plan_search(search_in(folder))


def tried(pool: Fake, fold: int) -> list[str]:
    """Return the settings that a fold tried."""
    return sorted(unit.config.key for unit in pool.asked if unit.source.number == fold and unit.scored == "validation")


def recorded(search: SearchPlan) -> dict[str, list[Run]]:
    """Return the runs by the run that they lie under; the parent lies under none."""
    client = MlflowClient(search.tracking.uri)
    experiment = client.get_experiment_by_name("occupancy-search")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    names = {run.info.run_id: run.info.run_name for run in found}
    runs: dict[str, list[Run]] = {}
    for run in found:
        runs.setdefault(names.get(run.data.tags.get("mlflow.parentRunId", ""), ""), []).append(run)
    return runs


def test_a_search_stopped_after_every_three_fits_ends_as_one_that_was_let_be_in_any_order(
    search: SearchPlan, tmp_path: Path, new_store: Callable[[Path], str]
) -> None:
    whole = conduct(elsewhere(tmp_path / "whole", new_store), Fake(scores))
    fits, stops = 0, 0
    while True:
        pool = Fake(scores, random.Random(stops).shuffle, most=3)
        try:
            result = conduct(search, pool)
            break
        except KeyboardInterrupt:
            fits, stops = fits + len(pool.asked), stops + 1
    fits += len(pool.asked)
    assert told(result) == told(whole)
    assert stops >= 3
    assert fits <= 2 * 5 + 2 + 4
    assert {run.info.status for runs in recorded(search).values() for run in runs} == {"FINISHED"}


def test_what_one_fold_tries_does_not_depend_on_how_another_fold_scores(
    search: SearchPlan, tmp_path: Path, new_store: Callable[[Path], str]
) -> None:
    def turned(unit: Unit) -> Outcome:
        given = scores(unit)
        return Scores({"mse": -given.metrics["mse"]}, {}, 3) if unit.source.number == 2 else given

    one, other = Fake(scores), Fake(turned)
    first, second = conduct(search, one), conduct(elsewhere(tmp_path / "turned", new_store), other)
    own = [pool.asked for pool in (one, other)]
    early = [[unit.config.key for unit in units if unit.source.number == 1][:5] for units in own]
    assert sorted(early[0]) == sorted(early[1])
    assert told(first)["nested"]["folds"][0] == told(second)["nested"]["folds"][0]
    assert tried(one, 2) != tried(other, 2)


def test_each_fold_tests_its_own_best_and_all_share_the_best_mean_of_these(search: SearchPlan) -> None:
    pool = Fake(scores)
    result = conduct(search, pool)
    for one in result.nested:
        own = result.scores[one.fold]
        assert (one.trial.number, one.validation) == (own.idxmin(), own.min())
    chosen = [one.trial for one in result.nested]
    means = [
        np.mean([scores(Unit(trial.config, fold, "validation")).metrics["mse"] for fold in search.base.sources])
        for trial in chosen
    ]
    shared = chosen[int(np.argmin(means))]
    assert [one.trial.setting for one in result.shared] == [shared.setting] * 2
    assert np.mean([one.validation for one in result.shared]) == pytest.approx(min(means))
    tests = {unit.key for unit in pool.asked if unit.scored == "test"}
    wanted = [(one.trial.config, one.fold) for one in [*result.nested, *result.shared]]
    assert tests == {Unit(config, search.base.sources[fold - 1], "test").key for config, fold in wanted}
    assert len({unit.key for unit in pool.asked}) == len(pool.asked) == 2 * 5 + 2 + len(tests)
    tree = told(result)
    assert (tree["trials"], tree["shared"]["selection"], tree["shared"]["optimistic"]) == (5, "shared", True)


def test_the_record_is_one_parent_with_trials_and_under_each_the_fold_that_tried_it(search: SearchPlan) -> None:
    run_id = conduct(search, Fake(scores)).run_id
    runs = recorded(search)
    (parent,) = runs[""]
    assert parent.info.run_id == run_id
    params = parent.data.params
    assert (params["method"], params["trials"], params["batch"], params["metric"]) == ("adaptive", "5", "2", "mse")
    assert json.loads(params["over.model.window"]) == {"low": 2, "high": 20, "log": False, "step": 3}
    trials = {f"fold {fold} trial {number}" for fold in (1, 2) for number in range(1, 6)}
    assert {run.info.run_name for run in runs["crf"]} == trials | {
        "choice of fold 1",
        "choice of fold 2",
        "nested",
        "shared",
    }
    for name in trials:
        assert [run.info.run_name for run in runs[name]] == [name.partition(" trial")[0]]
    assert {run.info.run_name for run in runs["choice of fold 2"]} == {"fold 1", "fold 2"}
    tags = {run.info.run_name: run.data.tags.get("selection") for run in runs["crf"]}
    assert {name: tag for name, tag in tags.items() if tag} == {"nested": "nested", "shared": "shared"}
    written = Path(mlflow.artifacts.download_artifacts(f"runs:/{run_id}/search.yaml", tracking_uri=search.tracking.uri))
    again = load_search(written)
    assert again.propose(1, []) == search.method.propose(1, [])


def test_a_trial_that_fails_is_recorded_and_the_search_goes_on_and_it_stands_after_a_stop(search: SearchPlan) -> None:
    act = failing(2, 3)

    def stopped(unit: Unit) -> Outcome:
        if unit.scored == "test":
            raise KeyboardInterrupt
        return act(unit)

    with pytest.raises(KeyboardInterrupt):
        conduct(search, Fake(stopped))
    pool = Fake(scores)
    result = conduct(search, pool)
    assert {unit.scored for unit in pool.asked} == {"test"}
    assert result.scores[2].isna().sum() == 2
    tree = told(result)
    assert [(one["fold"], one["error"]) for one in tree["failed"]] == [(2, "MemoryError: too large a network")] * 2
    errors = {run.info.run_name: run.data.tags.get("error") for run in recorded(search)["crf"]}
    failed = {f"fold 2 trial {one['trial']}" for one in tree["failed"]}
    assert {name for name, error in errors.items() if error} == failed


def test_a_worker_that_died_ends_the_search_and_the_same_command_ends_as_if_it_had_not(
    search: SearchPlan, tmp_path: Path, new_store: Callable[[Path], str]
) -> None:
    whole = conduct(elsewhere(tmp_path / "whole", new_store), Fake(scores))
    lost: list[str] = []

    def act(unit: Unit) -> Outcome:
        if unit.scored == "validation" and unit.source.number == 2:
            lost.append(unit.key)
            if len(lost) == 4:
                return Failure("its worker died twice", passing=True)
        return scores(unit)

    with pytest.raises(
        InputError, match=r"fold 2 trial \d on fold 2: its worker died twice; that is not recorded.*same"
    ):
        conduct(search, Fake(act))
    assert {run.info.status for run in recorded(search)[""]} == {"FAILED"}
    pool = Fake(scores)
    result = conduct(search, pool)
    assert lost[3] in {unit.key for unit in pool.asked}
    assert not {*lost[:3]} & {unit.key for unit in pool.asked}
    assert told(result) == told(whole)
    runs = [run for group in recorded(search).values() for run in group]
    assert {(run.info.status, run.data.tags.get("error")) for run in runs} == {("FINISHED", None)}


def test_a_number_beyond_the_trials_has_the_name_of_the_choice_that_it_stands_for(search: SearchPlan) -> None:
    tree = told(conduct(search, Fake(failing(2, 6))))  # the sixth is the choice of fold 1 on fold 2
    own, crossed = tree["failed"]
    assert own["name"] == f"fold 2 trial {own['trial']}"
    assert (crossed["trial"], crossed["fold"], crossed["name"]) == (6, 2, "choice of fold 1")
    assert {one["name"] for one in tree["shared"]["folds"]} == {"choice of fold 2"}
    groups = {run.info.run_name for run in recorded(search)["crf"]}
    assert {own["name"], crossed["name"], *(one["name"] for one in tree["nested"]["folds"])} <= groups


def test_a_fold_on_which_all_fail_ends_the_search_in_one_line(search: SearchPlan) -> None:
    with pytest.raises(InputError, match="fold 2: none of 5 trials gave a score; the first: MemoryError") as caught:
        conduct(search, Fake(failing(1, 2, 3, 4, 5)))
    assert "\n" not in str(caught.value)
    assert {run.info.status for run in recorded(search)[""]} == {"FAILED"}


def test_equal_proposals_are_carried_out_once(tmp_path: Path, new_store: Callable[[Path], str]) -> None:
    new_store(tmp_path / STORE)
    tracked_in = mlflow.get_tracking_uri()
    pool = Fake(scores)
    result = conduct(plan_search(search_in(tmp_path, over={"model.window": [5, 6]}, trials=5)), pool)
    mlflow.set_tracking_uri(tracked_in)
    assert result.scores.shape == (5, 2)
    assert len([unit for unit in pool.asked if unit.scored == "validation"]) == 4
    assert {one.trial.setting["model.window"] for one in [*result.nested, *result.shared]} == {5}


def test_a_dry_run_says_how_much_there_is_to_do(search: SearchPlan) -> None:
    shown = Console(width=120)
    with shown.capture() as capture:
        shown.print(report.plan_table(search))
    lines = " ".join(capture.get().split())
    assert "5 trials on each of 2 folds = 10 fits" in lines
    assert "0.0001 to 0.1, any number, log" in lines
    assert "then up to 2 fits to try what each fold chooses on the other folds" in lines
    tree = json.loads(report.plan_json(search))
    assert (tree["trials"], tree["units"], tree["crossings"], tree["tests"]) == (5, 10, 2, 4)
