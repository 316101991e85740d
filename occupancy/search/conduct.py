"""A search from its plan to its result: every trial on every fold, the choice, and the test of what was chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from occupancy.execution.unit import Failure, Outcome, Scored, Source, Unit
from occupancy.execution.workers import Workers
from occupancy.experiments.experiment import Experiment
from occupancy.experiments.report import SHOWN
from occupancy.experiments.run import run_one
from occupancy.search import figures
from occupancy.search.choice import choose_nested, choose_shared, error_of, mean_of, score_of, score_table
from occupancy.search.plan import SearchPlan
from occupancy.search.result import Result, Tested
from occupancy.search.space import Trial
from occupancy.tracking.request import Job

Place = tuple[int, int]
"""The numbers of a trial and a fold."""
Choice = dict[int, tuple[Trial, float]]
"""For each fold, a trial and the score on its validation rows that it was chosen by."""

_Found = TypeVar("_Found")
_Course = Generator[Sequence[Job], None, _Found]
"""Yields jobs, goes on when each of them has an outcome, and returns what it found."""


def conduct(plan: SearchPlan, workers: Workers) -> Result:
    """Return what a search gave, having recorded every unit of it as soon as it was done.

    Args:
        plan: the search.
        workers: what carries it out.

    Raises:
        InputError: every trial failed on a fold, the same search is being run already, or an adaptive one lost a unit
            for a reason that passes.
    """
    return run_one(SearchExperiment(plan), workers)


class SearchExperiment(Experiment[Result]):
    """A search under way. A record that was stopped is continued, and one that is finished is told again."""

    def __init__(self, plan: SearchPlan) -> None:
        super().__init__(plan.config.name, plan.request)
        self.plan = plan
        self._jobs: list[Job] = []
        self._groups: dict[str, list[Unit]] = defaultdict(list)  # units by the run that theirs lie under
        self._unexplored = plan.fits
        self._waiting: dict[str, list[Job]] = defaultdict(list)  # by unit: jobs that are the same one need it once
        self._course = self._search()
        self._result: Result | None = None

    def take_over(self) -> None:
        """Take what the record of a stopped search holds, as far as it goes."""
        self._go_on()

    @property
    def units(self) -> Sequence[Unit]:
        """Of all jobs so far."""
        return [job.unit for job in self._jobs]

    @property
    def size(self) -> int:
        """How many jobs there will be, as far as is known: how many test the choices is not, before these are made."""
        return len(self._jobs) + self._unexplored

    @property
    def waiting(self) -> Sequence[Unit]:
        """One of each of the units that have not ended."""
        return [same[0].unit for same in self._waiting.values()]

    def take(self, unit: Unit, outcome: Outcome) -> None:
        """Record what a unit gave in each of its places, and find out what is to be done next."""
        self._end(unit.key, outcome)
        self._go_on()

    def summarize(self) -> Result:
        """Record what was chosen and how it tested."""
        result, plan, record = self._result, self.plan, self.open()
        assert result is not None, "the search is over"
        for how, tested in (("nested", result.nested), ("shared", result.shared)):
            if tested:
                outcomes = [one.outcome for one in tested]
                metrics = {f"{key}_avg": value for key, value in mean_of(outcomes, SHOWN).items()}
                metrics[f"validation_{plan.search.metric}_avg"] = float(np.mean([one.validation for one in tested]))
                setting = tested[0].trial.setting if how == "shared" else {}
                record.close(how, metrics, setting, error_of(outcomes), selection=how)
                if how == "nested":
                    record.summarize(metrics, {"selection": how})
        if not result.was_finished:
            where = f"{plan.config.name} on {plan.config.data.folds}"
            drawn = figures.draw(result.points, plan.search.over, plan.search.metric, where)
            record.summarize({}, {}, {f"figures/{name}": figure for name, figure in drawn.items()})
        return result

    def _go_on(self) -> None:
        """Follow the course to jobs of which nothing is recorded, or to its end."""
        while not self._waiting and self._result is None:
            try:
                jobs = next(self._course)
            except StopIteration as end:
                self._result = end.value
                return
            for job in jobs:
                self._jobs.append(job)
                self._groups[str(job.group)].append(job.unit)
                self._waiting[job.unit.key].append(job)
            known = self.open().known
            for key in [key for key in self._waiting if key in known]:
                self._end(key, known[key])

    def _end(self, key: str, outcome: Outcome) -> None:
        """Record what a unit gave in each of its places; a trial's run is closed when all its folds have ended."""
        record = self.open()
        for job in self._waiting.pop(key):
            record.write(job, outcome)
            self.outcomes[job.unit] = outcome
            units = self._groups[str(job.group)]
            if job.unit.scored == "validation" and all(unit in self.outcomes for unit in units):
                own = [self.outcomes[unit] for unit in units]
                means = {f"validation_{key}_avg": value for key, value in mean_of(own, SHOWN).items()}
                record.close(str(job.group), means, job.params, error_of(own))

    def _search(self) -> _Course[Result]:
        plan, record = self.plan, self.open()
        metric = plan.search.metric
        trials, outcomes = yield from self._explore()
        scores = score_table(outcomes, metric)
        nested: Choice = {
            fold: (trials[number, fold], score_of(outcomes[number, fold], metric))
            for fold, number in choose_nested(scores, outcomes).items()
        }
        shared, crossed = yield from self._share({fold: trial for fold, (trial, _) in nested.items()}, outcomes)
        return Result(
            record.run_id,
            plan,
            plan.method.points(trials, scores),
            scores,
            {place: one for place, one in {**outcomes, **crossed}.items() if isinstance(one, Failure)},
            **(yield from self._test({"nested": nested, "shared": shared})),
            was_finished=record.is_finished,
        )

    def _explore(self) -> _Course[tuple[dict[Place, Trial], dict[Place, Outcome]]]:
        """Return the trials of each fold and what they gave on its validation rows, by their numbers."""
        plan = self.plan
        trials: dict[Place, Trial] = {}
        outcomes: dict[Place, Outcome] = {}

        def told(fold: int) -> list[tuple[Trial, float]]:
            own = sorted(place for place in trials if place[1] == fold)  # alone: others' rows may be its test rows
            return [(trials[place], score_of(outcomes[place], plan.search.metric)) for place in own]

        while asked := [
            (trial, fold) for fold in plan.base.sources for trial in plan.method.propose(fold.number, told(fold.number))
        ]:
            self._unexplored -= len(asked)
            outcomes |= yield from self._validate(sorted(asked, key=lambda one: one[0].number))
            trials |= {(trial.number, fold.number): trial for trial, fold in asked}
        return trials, outcomes

    def _share(
        self, nested: Mapping[int, Trial], known: Mapping[Place, Outcome]
    ) -> _Course[tuple[Choice, dict[Place, Outcome]]]:
        """Return the one choice for all folds, and what its candidates gave on the validation rows of all folds."""
        plan = self.plan
        candidates = {trial.number: trial for trial in plan.method.candidates(nested)}
        places = [(trial, fold) for trial in candidates.values() for fold in plan.base.sources]
        missing = [(trial, fold) for trial, fold in places if (trial.number, fold.number) not in known]
        if missing and not plan.crossings:
            return {}, {}
        outcomes = {**known, **(yield from self._validate(missing))}
        outcomes = {(trial.number, fold.number): outcomes[trial.number, fold.number] for trial, fold in places}
        chosen = choose_shared(score_table(outcomes, plan.search.metric))
        if chosen is None:
            return {}, outcomes
        scores = {fold: score_of(outcomes[chosen, fold], plan.search.metric) for fold in nested}
        return {fold: (candidates[chosen], score) for fold, score in scores.items()}, outcomes

    def _validate(self, asked: Sequence[tuple[Trial, Source]]) -> _Course[dict[Place, Outcome]]:
        """Return what trials gave on validation rows, by the numbers of trial and fold."""
        jobs = {(trial.number, fold.number): _job(trial.name, trial, fold, "validation") for trial, fold in asked}
        yield [*jobs.values()]
        return {place: self.outcomes[job.unit] for place, job in jobs.items()}

    def _test(self, chosen: Mapping[str, Choice]) -> _Course[dict[str, list[Tested]]]:
        """Return what the chosen trials gave on the test rows of their folds, for each way of choosing."""
        jobs = {
            (how, fold.number): _job(how, choice[fold.number][0], fold, "test")
            for how, choice in chosen.items()
            for fold in self.plan.base.sources
            if choice
        }
        yield [*jobs.values()]
        return {
            how: [
                Tested(fold, trial, validation, self.outcomes[jobs[how, fold].unit])
                for fold, (trial, validation) in choice.items()
            ]
            for how, choice in chosen.items()
        }


def _job(group: str, trial: Trial, fold: Source, scored: Scored) -> Job:
    return Job(
        Unit(trial.config, fold, scored), f"fold {fold.number}", trial.setting, {"fold": str(fold.number)}, group
    )
