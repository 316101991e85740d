"""An experiment with a model per room; no room is read except by whoever carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from occupancy.data.rooms import StoredRoom
from occupancy.errors import InputError
from occupancy.execution.unit import Failure, Outcome, Scores, Unit
from occupancy.experiments import room_scores, rooms_report
from occupancy.experiments.experiment import Experiment
from occupancy.experiments.plan import Plan
from occupancy.experiments.result import Result
from occupancy.files import to_csv
from occupancy.plots import rooms as figures
from occupancy.tracking.request import Job


class RoomsExperiment(Experiment[Result]):
    """A model per room. A room that fails is recorded with the reason, and the others go on.

    A record that was stopped is continued: what it holds is not done again, but rooms that failed are tried again.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.title, plan.request)
        self.plan = plan

    def take_over(self) -> None:
        """Take what the record of a stopped experiment holds."""
        for unit in self.units:
            if (known := self.open().known.get(unit.key)) is not None:
                self.outcomes[unit] = known

    @cached_property
    def units(self) -> Sequence[Unit]:
        """A unit a room."""
        return [Unit(self.plan.config, source, "test") for source in self.plan.sources]

    def take(self, unit: Unit, outcome: Outcome) -> None:
        """Record what a room gave, as a run of its own: the one that it failed in, if it was tried before."""
        self.outcomes[unit] = outcome
        room = unit.source
        assert isinstance(room, StoredRoom), "only rooms have a model each"
        told = {"room": room.name, "file": str(room.path), "file_digest": room.digest}
        self.open().write(Job(unit, room.name, told, {"room": room.name}), outcome)

    def summarize(self) -> Result:
        """Record the scores over all rooms."""
        plan, record = self.plan, self.open()
        outcomes = {unit.source.name: outcome for unit, outcome in self.outcomes.items()}
        failed = [outcome.error for _, outcome in sorted(outcomes.items()) if isinstance(outcome, Failure)]
        if len(failed) == len(outcomes):
            raise InputError(f"none of {len(failed)} rooms gave a score; the first: {failed[0]}")
        table = room_scores.of_outcomes(outcomes)
        rows = sum(sum(outcome.rows.values()) for outcome in outcomes.values() if isinstance(outcome, Scores))
        result = Result(record.run_id, plan, room_scores.over_rooms(table), rows, rooms=table)
        title = f"{plan.config.name}: a model for each room of {plan.dataset['name']}"
        record.summarize(
            result.metrics,
            {"failed_rooms": str(len(failed))},
            {"figures/rooms": figures.draw(table, title)},
            {"rooms.csv": to_csv(table)},
            rooms_report.description(result),
        )
        return result
