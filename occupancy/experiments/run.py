"""Experiments from their plans to their records: all units of all of them go through the same workers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing

from occupancy.cli.progress import UnitProgress
from occupancy.errors import InputError, InputWarning
from occupancy.execution.unit import Failure, Outcome, Unit
from occupancy.execution.workers import Workers
from occupancy.experiments.experiment import Experiment, Given
from occupancy.experiments.folds import FoldsExperiment
from occupancy.experiments.plan import Plan
from occupancy.experiments.result import Result
from occupancy.experiments.rooms import RoomsExperiment


def conduct(plans: Sequence[Plan], workers: Workers) -> list[Result | Failure]:
    """Return what experiments gave, in their order, having recorded each unit as soon as it was done.

    An experiment of which a unit fails is recorded as FAILED, and the others go on.

    Args:
        plans: the experiments.
        workers: what carries out their units.

    Raises:
        InputError: if a store or its experiment cannot be used, or the same experiment is being run already.
    """
    return run([_experiment(plan) for plan in plans], workers)


def conduct_one(plan: Plan, workers: Workers) -> Result:
    """Return what an experiment gave; see `conduct`.

    Raises:
        InputError: if a unit of it failed, too.
    """
    return run_one(_experiment(plan), workers)


def run(experiments: Sequence[Experiment[Given]], workers: Workers) -> list[Given | Failure]:
    """Return what experiments gave, in their order; see `conduct`."""
    results: dict[Experiment[Given], Given | Failure] = {}
    told: set[str] = set()
    with ExitStack() as stack:
        for experiment in experiments:
            stack.enter_context(experiment)
        experiments[0].open()  # so that its record shows what is being trained; those of others begin when they do
        for experiment in experiments:
            experiment.take_over()
        with UnitProgress(_size(experiments), _done(experiments)) as progress:
            results |= {experiment: experiment.finish() for experiment in experiments if experiment.is_over}
            while waiting := {unit: one for one in experiments if one not in results for unit in one.waiting}:
                with closing(workers.execute([*waiting], progress.share)) as carried_out:
                    for unit, outcome in carried_out:
                        experiment = waiting[unit]
                        _warn(experiment.title, unit, outcome, told)
                        if experiment not in results:  # else another unit of it failed
                            experiment.take(unit, outcome)
                            if experiment.is_over:
                                results[experiment] = experiment.finish()
                        progress.advance(unit, _done(experiments), _size(experiments))
                        if len(results) == len(experiments):
                            break  # what is left belongs to experiments that failed
    return [results[experiment] for experiment in experiments]


def run_one(experiment: Experiment[Given], workers: Workers) -> Given:
    """Return what an experiment gave; see `conduct_one`."""
    (result,) = run([experiment], workers)
    if isinstance(result, Failure):
        raise InputError(result.error)
    return result


def _experiment(plan: Plan) -> Experiment[Result]:
    return FoldsExperiment(plan) if plan.log is not None else RoomsExperiment(plan)


def _size(experiments: Iterable[Experiment[Given]]) -> int:
    return sum(experiment.size for experiment in experiments)


def _done(experiments: Iterable[Experiment[Given]]) -> int:
    return sum(len(experiment.outcomes) for experiment in experiments)


def _warn(title: str, unit: Unit, outcome: Outcome, told: set[str]) -> None:
    """Tell what a unit warned of, once for all units that warn of the same."""
    if isinstance(outcome, Failure):
        return
    where = "the model to use" if unit.scored == "nothing" else unit.source.name
    for text in outcome.warnings:
        if text not in told:
            told.add(text)
            warnings.warn(f"{title}, {where}: {text}", InputWarning, stacklevel=3)
