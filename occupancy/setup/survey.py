"""What was understood of a log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from occupancy.data.log import Log
from occupancy.data.schema import Schema
from occupancy.setup.choice import Choice
from occupancy.setup.clock import Zone
from occupancy.setup.columns import Column
from occupancy.setup.folds import Parts
from occupancy.setup.people import People
from occupancy.setup.rhythm import Rhythm


@dataclass(frozen=True)
class Survey:
    """What was understood of a log, and the settings that follow from it.

    Attributes:
        name: name of the room.
        files: the files as they were given.
        columns: all columns, in the order of the file.
        schema: the meaning of the columns.
        people: the column with the number of people.
        zone: the zone of the times.
        rhythm: the step.
        data: the settings of the log as a config has them, but for the paths of schema and folds.
        log: the log as training reads it.
        folds: its folds.
        choice: the model.
        notes: how the files were read.
        checks: what is doubtful, for people to look at.
    """

    name: str
    files: tuple[str, ...]
    columns: tuple[Column, ...]
    schema: Schema
    people: People
    zone: Zone
    rhythm: Rhythm
    data: dict[str, Any]
    log: Log
    folds: tuple[Parts, ...]
    choice: Choice
    notes: tuple[str, ...]
    checks: tuple[str, ...]
