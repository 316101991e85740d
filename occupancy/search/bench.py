"""Where jobs are carried out: each unit once, recorded as soon as it is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from occupancy.cli.progress import UnitProgress
from occupancy.execution.unit import Outcome, Scored, Source, Unit
from occupancy.execution.workers import Workers
from occupancy.experiments.report import SHOWN
from occupancy.search.choice import error_of, mean_of
from occupancy.search.space import Trial
from occupancy.tracking.record import Record
from occupancy.tracking.request import Job


@dataclass(frozen=True)
class Bench:
    """What carries out, records and counts the jobs of a search.

    Attributes:
        workers: carry them out.
        record: knows what is done already.
        progress: shows how far they are.
    """

    workers: Workers
    record: Record
    progress: UnitProgress

    def validate(self, asked: Sequence[tuple[Trial, Source]]) -> dict[tuple[int, int], Outcome]:
        """Return what trials gave on validation rows, by the numbers of trial and fold; each trial's run is closed."""
        folds: dict[str, list[int]] = defaultdict(list)
        for trial, fold in asked:
            folds[trial.name].append(fold.number)
        trials = {trial.name: trial for trial, _ in asked}
        waiting = {name: len(numbers) for name, numbers in folds.items()}
        outcomes = {}
        for job, outcome in self._complete(_job(trial.name, trial, fold, "validation") for trial, fold in asked):
            assert job.group is not None, "a trial has a run of its own"
            trial = trials[job.group]
            outcomes[trial.number, job.unit.source.number] = outcome
            waiting[job.group] -= 1
            if not waiting[job.group]:
                own = [outcomes[trial.number, fold] for fold in folds[job.group]]
                means = {f"validation_{key}_avg": value for key, value in mean_of(own, SHOWN).items()}
                self.record.close(job.group, means, trial.setting, error_of(own))
        return outcomes

    def test(self, asked: Sequence[tuple[str, Trial, Source]]) -> dict[tuple[str, int], Outcome]:
        """Return what trials gave on test rows, by the group that each was chosen for and the number of the fold."""
        done = self._complete(_job(group, trial, fold, "test") for group, trial, fold in asked)
        return {(str(job.group), job.unit.source.number): outcome for job, outcome in done}

    def _complete(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
        """Yield each job with what it gave, once it is recorded; what is known already is not carried out again."""
        waiting: dict[str, list[Job]] = defaultdict(list)  # jobs that are the same unit need it once
        for job in jobs:
            waiting[job.unit.key].append(job)
        known = {key: (waiting.pop(key), self.record.known[key]) for key in [*waiting] if key in self.record.known}
        units = [same[0].unit for same in waiting.values()]
        fresh = ((waiting[unit.key], outcome) for unit, outcome in self.workers.execute(units, self.progress.share))
        for results in (known.values(), fresh):
            for same, outcome in results:
                for job in same:
                    self.record.write(job, outcome)
                    self.progress.advance(job.unit)
                    yield job, outcome


def _job(group: str, trial: Trial, fold: Source, scored: Scored) -> Job:
    name = f"fold {fold.number}"
    return Job(Unit(trial.config, fold, scored), name, trial.setting, {"fold": str(fold.number)}, group)
