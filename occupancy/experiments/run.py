"""Experiments from their plans to their records: all units of all of them go through the same workers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import ExitStack, closing

from occupancy.cli.progress import UnitProgress
from occupancy.errors import InputError, InputWarning
from occupancy.execution.unit import Failure, Outcome, Unit
from occupancy.execution.workers import Workers
from occupancy.experiments.experiment import Experiment
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
    results: dict[Experiment, Result | Failure] = {}
    told: set[str] = set()
    with ExitStack() as stack:
        experiments = [stack.enter_context(_experiment(plan)) for plan in plans]
        experiments[0].open()  # so that its record shows what is being trained; those of others begin when they do
        units: dict[Unit, Experiment] = {unit: experiment for experiment in experiments for unit in experiment.units}
        left = [unit for unit, experiment in units.items() if unit not in experiment.outcomes]
        with UnitProgress(len(units), done=len(units) - len(left)) as progress:
            results |= {experiment: experiment.finish() for experiment in experiments if experiment.is_over}
            with closing(workers.execute(left, progress.share)) as carried_out:
                for unit, outcome in carried_out:
                    experiment = units[unit]
                    _warn(experiment.plan, unit, outcome, told)
                    progress.advance(unit)
                    if experiment not in results:  # else another unit of it failed
                        experiment.take(unit, outcome)
                        if experiment.is_over:
                            results[experiment] = experiment.finish()
                    if len(results) == len(experiments):
                        break  # what is left belongs to experiments that failed
    return [results[experiment] for experiment in experiments]


def conduct_one(plan: Plan, workers: Workers) -> Result:
    """Return what an experiment gave; see `conduct`.

    Raises:
        InputError: if a unit of it failed, too.
    """
    (result,) = conduct([plan], workers)
    if isinstance(result, Failure):
        raise InputError(result.error)
    return result


def _experiment(plan: Plan) -> Experiment:
    return FoldsExperiment(plan) if plan.log is not None else RoomsExperiment(plan)


def _warn(plan: Plan, unit: Unit, outcome: Outcome, told: set[str]) -> None:
    """Tell what a unit warned of, once for all units that warn of the same."""
    if isinstance(outcome, Failure):
        return
    for text in outcome.warnings:
        if text not in told:
            told.add(text)
            warnings.warn(f"{plan.title}, {unit.source.name}: {text}", InputWarning, stacklevel=3)
