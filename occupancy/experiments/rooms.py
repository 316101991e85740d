"""A model per room, from the settings to the result; no log is read but by whoever carries a room out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from occupancy.cli.progress import UnitProgress
from occupancy.config import Config
from occupancy.data.folds import PARTS
from occupancy.data.rooms import StoredRoom, stored_rooms
from occupancy.errors import InputError
from occupancy.execution.unit import Failure, Scores, Unit, code_version
from occupancy.execution.workers import Workers
from occupancy.experiments import room_scores, rooms_report
from occupancy.experiments.run import check_means
from occupancy.explanation import report as explanation
from occupancy.models import check_sensors
from occupancy.plots import rooms
from occupancy.tracking.rooms import record_of


@dataclass(frozen=True)
class Plan:
    """A model for each of many rooms.

    Attributes:
        config: the settings.
        rooms: the rooms, unread.
    """

    config: Config
    rooms: Sequence[StoredRoom]

    @property
    def name(self) -> str:
        """What people call the rooms together."""
        return str(self.config.data.rooms)

    @cached_property
    def digest(self) -> str:
        """Hash of the rooms' names and files."""
        told = "".join(f"{room.name} {room.digest}\n" for room in self.rooms)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def key(self) -> str:
        """Hash of all that decides the result: with the same key it is the same experiment."""
        whole = f"{self.config.key} {self.config.seed} {self.digest} {code_version()}"
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    def check(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of each part of each room, or what is wrong with it; one room is read at a time."""
        for room in self.rooms:
            try:
                fold = room.load()
                check_sensors(fold.log, self.config)
            except InputError as error:
                yield {"room": room.name, "error": str(error)}
            else:
                yield {"room": room.name, **{part: int(getattr(fold, part).sum()) for part in PARTS}}


@dataclass(frozen=True)
class Result:
    """What the rooms gave.

    Attributes:
        run_id: the parent run in MLflow.
        plan: the rooms and their settings.
        table: a row a room, see `occupancy.experiments.room_scores.of_outcomes`.
        metrics: each score over the rooms.
        rows: of all logs that could be read.
    """

    run_id: str
    plan: Plan
    table: pd.DataFrame
    metrics: Mapping[str, float]
    rows: int


def plan(config: Config) -> Plan:
    """Return the experiment that a configuration asks for, after checking device, store and that there are rooms.

    Raises:
        InputError: something about it is wrong; nothing has been written.
    """
    check_means(config)
    explanation.check(config, ())
    return Plan(config, stored_rooms(config.data))


def conduct(experiment: Plan, workers: Workers) -> Result:
    """Return what the rooms gave, having recorded each as soon as it was done.

    A room that can't be read or learned from is recorded with the reason, and the others go on. What an experiment
    with the same key recorded before it was stopped is not done again.

    Raises:
        InputError: no room gave a score, or the same experiment is being run already.
    """
    with record_of(experiment) as record, UnitProgress(len(experiment.rooms)) as progress:
        outcomes = dict(record.known)
        for _ in outcomes:
            progress.advance()
        left = [room for room in experiment.rooms if room.name not in outcomes]
        units = {Unit(experiment.config, room, "test"): room for room in left}
        for unit, outcome in workers.execute(list(units)):
            record.write(units[unit], outcome)
            outcomes[units[unit].name] = outcome
            progress.advance()
        failed = [outcome.error for _, outcome in sorted(outcomes.items()) if isinstance(outcome, Failure)]
        if len(failed) == len(outcomes):
            raise InputError(f"none of {len(failed)} rooms gave a score; the first: {failed[0]}")
        table = room_scores.of_outcomes(outcomes)
        rows = sum(sum(outcome.rows.values()) for outcome in outcomes.values() if isinstance(outcome, Scores))
        result = Result(record.run_id, experiment, table, room_scores.over_rooms(table), rows)
        drawn = rooms.draw(table, f"{experiment.config.name}: a model for each room of {experiment.name}")
        record.summarize(result.metrics, table, rooms_report.description(result), drawn, len(failed))
    return result
