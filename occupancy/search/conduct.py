"""A search from its plan to its result: every trial on every fold, the choice, and the test of what was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from occupancy.cli.progress import UnitProgress
from occupancy.execution.unit import Failure, Outcome
from occupancy.execution.workers import Workers
from occupancy.experiments.report import SHOWN
from occupancy.search import figures
from occupancy.search.bench import Bench
from occupancy.search.choice import choose_nested, choose_shared, error_of, mean_of, score_of, score_table
from occupancy.search.plan import SearchPlan
from occupancy.search.space import Trial
from occupancy.tracking.record import Record, open_record

Place = tuple[int, int]
"""The numbers of a trial and a fold."""
Choice = dict[int, tuple[Trial, float]]
"""For each fold, a trial and the score on its validation rows that it was chosen by."""


@dataclass(frozen=True)
class Tested:
    """A setting that was chosen for a fold, and its test there.

    Attributes:
        fold: the number of the fold.
        trial: the setting.
        validation: the score that it was chosen by, nan where it has none on this fold.
        outcome: what it gave on the fold's test rows.
    """

    fold: int
    trial: Trial
    validation: float
    outcome: Outcome


@dataclass(frozen=True)
class Result:
    """What a search gave.

    Attributes:
        run_id: its parent run in MLflow.
        plan: the search.
        scores: of each trial (rows, by number) on the validation rows of each fold (columns); nan: it failed.
        failures: what failed, by trial and fold.
        nested: each fold with its own choice.
        shared: each fold with the one choice for all; empty if every trial failed on some fold.
        was_finished: whether all of it was recorded before.
    """

    run_id: str
    plan: SearchPlan
    scores: pd.DataFrame
    failures: Mapping[tuple[int, int], Failure]
    nested: Sequence[Tested]
    shared: Sequence[Tested]
    was_finished: bool


def conduct(plan: SearchPlan, workers: Workers) -> Result:
    """Return what a search gave, having recorded every unit of it as soon as it was done.

    Args:
        plan: the search.
        workers: what carries it out.

    Raises:
        InputError: every trial failed on a fold, the same search is being run already, or an adaptive one lost a unit
            for a reason that passes.
    """
    metric = plan.search.metric
    with open_record(plan.request) as record, UnitProgress(plan.fits) as progress:
        bench = Bench(workers, record, progress)
        trials, outcomes = _explore(plan, bench)
        scores = score_table(outcomes, metric)
        nested: Choice = {
            fold: (trials[number, fold], score_of(outcomes[number, fold], metric))
            for fold, number in choose_nested(scores, outcomes).items()
        }
        shared, crossed = _share(plan, {fold: trial for fold, (trial, _) in nested.items()}, outcomes, bench)
        tested = _test(plan, {"nested": nested, "shared": shared}, bench)
        failures = {place: one for place, one in {**outcomes, **crossed}.items() if isinstance(one, Failure)}
        result = Result(record.run_id, plan, scores, failures, tested["nested"], tested["shared"], record.is_finished)
        _summarize(result, record)
        if not record.is_finished:
            where = f"{plan.config.name} on {plan.config.data.folds}"
            drawn = figures.draw(plan.method.points(trials, scores), plan.search.over, metric, where)
            record.summarize({}, {}, {f"figures/{name}": figure for name, figure in drawn.items()})
    return result


def _explore(plan: SearchPlan, bench: Bench) -> tuple[dict[Place, Trial], dict[Place, Outcome]]:
    """Return the trials of each fold and what they gave on its validation rows, by the numbers of trial and fold."""
    trials: dict[Place, Trial] = {}
    outcomes: dict[Place, Outcome] = {}

    def told(fold: int) -> list[tuple[Trial, float]]:
        own = sorted(place for place in trials if place[1] == fold)  # alone: others' rows may be its test rows
        return [(trials[place], score_of(outcomes[place], plan.search.metric)) for place in own]

    while asked := [
        (trial, fold) for fold in plan.base.sources for trial in plan.method.propose(fold.number, told(fold.number))
    ]:
        outcomes |= bench.validate(sorted(asked, key=lambda one: one[0].number))
        trials |= {(trial.number, fold.number): trial for trial, fold in asked}
    return trials, outcomes


def _share(
    plan: SearchPlan, nested: Mapping[int, Trial], known: Mapping[Place, Outcome], bench: Bench
) -> tuple[Choice, dict[Place, Outcome]]:
    """Return the one choice for all folds, and what its candidates gave on the validation rows of all folds."""
    candidates = {trial.number: trial for trial in plan.method.candidates(nested)}
    places = [(trial, fold) for trial in candidates.values() for fold in plan.base.sources]
    missing = [(trial, fold) for trial, fold in places if (trial.number, fold.number) not in known]
    if missing and not plan.crossings:
        return {}, {}
    bench.progress.add(len(missing))
    outcomes = {**known, **bench.validate(missing)}
    outcomes = {(trial.number, fold.number): outcomes[trial.number, fold.number] for trial, fold in places}
    chosen = choose_shared(score_table(outcomes, plan.search.metric))
    if chosen is None:
        return {}, outcomes
    scores = {fold: score_of(outcomes[chosen, fold], plan.search.metric) for fold in nested}
    return {fold: (candidates[chosen], score) for fold, score in scores.items()}, outcomes


def _test(plan: SearchPlan, chosen: Mapping[str, Choice], bench: Bench) -> dict[str, list[Tested]]:
    """Return what the chosen trials gave on the test rows of their folds, for each way of choosing."""
    asked = [
        (how, choice[fold.number][0], fold) for how, choice in chosen.items() for fold in plan.base.sources if choice
    ]
    bench.progress.add(len(asked))
    outcomes = bench.test(asked)
    return {
        how: [Tested(fold, trial, validation, outcomes[how, fold]) for fold, (trial, validation) in choice.items()]
        for how, choice in chosen.items()
    }


def _summarize(result: Result, record: Record) -> None:
    for how, tested in (("nested", result.nested), ("shared", result.shared)):
        if tested:
            outcomes = [one.outcome for one in tested]
            metrics = {f"{key}_avg": value for key, value in mean_of(outcomes, SHOWN).items()}
            metrics[f"validation_{result.plan.search.metric}_avg"] = float(np.mean([one.validation for one in tested]))
            setting = tested[0].trial.setting if how == "shared" else {}
            record.close(how, metrics, setting, error_of(outcomes), selection=how)
            if how == "nested":
                record.summarize(metrics, {"selection": how})
