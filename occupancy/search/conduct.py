"""A search from its plan to its result: every trial on every fold, the choice, and the test of what was chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from occupancy.console import UnitProgress
from occupancy.data.folds import Fold
from occupancy.engine.pool import Pool
from occupancy.engine.unit import Failure, Outcome, Unit
from occupancy.search import figures
from occupancy.search.choice import choose_nested, choose_shared, error_of, mean_of, score_table
from occupancy.search.grid import Trial
from occupancy.search.plan import Plan
from occupancy.search.record import Job, Record, record_of
from occupancy.summary import SHOWN


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
    plan: Plan
    scores: pd.DataFrame
    failures: Mapping[tuple[int, int], Failure]
    nested: Sequence[Tested]
    shared: Sequence[Tested]
    was_finished: bool


def conduct(plan: Plan, pool: Pool) -> Result:
    """Return what a search gave, having recorded every unit of it as soon as it was done.

    Args:
        plan: the search.
        pool: what carries it out.

    Raises:
        InputError: every trial failed on a fold, or the same search is being run already.
    """
    with record_of(plan) as record, UnitProgress(len(plan.trials) * len(plan.folds)) as progress:
        outcomes = _try_all(plan, record, pool, progress)
        scores = score_table(outcomes, plan.search.metric)
        nested, shared = choose_nested(scores, outcomes), choose_shared(scores)
        chosen = {"nested": nested, "shared": dict.fromkeys(nested, shared) if shared is not None else {}}
        tested = _test(plan, chosen, scores, record, pool, progress)
        failures = {place: outcome for place, outcome in outcomes.items() if isinstance(outcome, Failure)}
        result = Result(record.run_id, plan, scores, failures, tested["nested"], tested["shared"], record.is_finished)
        _summarize(result, record)
        if not record.is_finished:
            where = f"{plan.config.name} on {plan.config.data.folds}"
            record.draw(figures.draw(plan.trials, scores, plan.search.metric, where))
    return result


def _try_all(plan: Plan, record: Record, pool: Pool, progress: UnitProgress) -> dict[tuple[int, int], Outcome]:
    """Return what each trial gave on each fold's validation rows, by their numbers."""
    waiting = {trial.number: len(plan.folds) for trial in plan.trials}
    trials = {f"trial {trial.number}": trial for trial in plan.trials}
    jobs = [_job(name, trial, fold, "validation") for name, trial in trials.items() for fold in plan.folds]
    outcomes: dict[tuple[int, int], Outcome] = {}
    for job, outcome in _complete(jobs, record, pool):
        trial = trials[job.group]
        outcomes[trial.number, job.unit.fold.number] = outcome
        waiting[trial.number] -= 1
        progress.advance()
        if not waiting[trial.number]:
            own = [outcomes[trial.number, fold.number] for fold in plan.folds]
            means = {f"validation_{key}_avg": value for key, value in mean_of(own, SHOWN).items()}
            record.close(job.group, means, trial.setting, error_of(own))
    return outcomes


def _test(
    plan: Plan,
    chosen: Mapping[str, Mapping[int, int]],
    scores: pd.DataFrame,
    record: Record,
    pool: Pool,
    progress: UnitProgress,
) -> dict[str, list[Tested]]:
    """Return what the chosen trials gave on the test rows of their folds, for each way of choosing."""
    by_number = {trial.number: trial for trial in plan.trials}
    jobs = [
        _job(how, by_number[trials[fold.number]], fold, "test")
        for how, trials in chosen.items()
        for fold in plan.folds
        if trials
    ]
    progress.add(len(jobs))
    outcomes = {}
    for job, outcome in _complete(jobs, record, pool):
        outcomes[job.group, job.unit.fold.number] = outcome
        progress.advance()
    return {
        how: [
            Tested(fold, by_number[number], _at(scores, number, fold), outcomes[how, fold])
            for fold, number in trials.items()
        ]
        for how, trials in chosen.items()
    }


def _at(scores: pd.DataFrame, trial: int, fold: int) -> float:
    return float(scores.loc[[trial], [fold]].to_numpy().item())


def _complete(jobs: Iterable[Job], record: Record, pool: Pool) -> Iterable[tuple[Job, Outcome]]:
    """Yield each job with what it gave, once it is recorded; what is known already is not carried out again."""
    waiting: dict[str, list[Job]] = defaultdict(list)  # jobs that are the same unit need it once
    for job in jobs:
        waiting[job.unit.key].append(job)
    known = {key: waiting.pop(key) for key in record.known.keys() & waiting.keys()}
    done = ((same, record.known[key]) for key, same in known.items())
    fresh = ((waiting[unit.key], what) for unit, what in pool.execute([same[0].unit for same in waiting.values()]))
    for results in (done, fresh):
        for same, outcome in results:
            for job in same:
                record.write(job, outcome)
                yield job, outcome


def _job(group: str, trial: Trial, fold: Fold, scored: Any) -> Job:
    return Job(group, Unit(trial.config, fold, scored), trial.setting)


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
