"""Looks at a log that nobody labelled: its sensors, its times and its step, but no counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from occupancy.config import Data
from occupancy.data.reading.cells import Cells
from occupancy.data.schema import Schema
from occupancy.errors import InputError
from occupancy.setup.answers import Answers
from occupancy.setup.clock import settle_zone
from occupancy.setup.look import times_of, understand_all
from occupancy.setup.meaning import schema_of
from occupancy.setup.names import people_in
from occupancy.setup.people import People, find_people
from occupancy.setup.values import Values


@dataclass(frozen=True)
class Unlabelled:
    """What was understood of a log without counts.

    Attributes:
        schema: the meaning of its columns; that of the counts may not be in the file.
        data: the settings with which it is read.
        checks: what is doubtful, for people to look at.
    """

    schema: Schema
    data: Data
    checks: tuple[str, ...]


def look_unlabelled(cells: Cells, settings: Data, name: str) -> Unlabelled:
    """Return what can be seen in the cells of a log, which may have counts or not.

    Args:
        cells: what its files hold.
        settings: those of the log; the zone, the format of times and the step are found where they are not given.
        name: name of the room.

    Raises:
        InputError: they are no log, or no column is a sensor.
    """
    answers = Answers(time_zone=settings.time_zone, time_format=settings.time_format, step=settings.step)
    time, time_format, moments = times_of(cells, answers)
    zone = settle_zone(moments.clock, settings.time_zone, moments.changing)
    columns, people, rhythm = understand_all(cells, time, moments, answers, _people_if_any)
    found = {"time_zone": zone.name, "step": rhythm.grid_s, "max_gap": max(rhythm.max_gap_s, settings.max_gap)}
    schema = schema_of(name, time, time_format, columns, people, answers)
    checks = [f"{column.name}: {column.check}" for column in columns if column.check]
    checks.append(people.check)
    if zone.name is not None or moments.changing:  # else the log says the same when it is read
        checks.append(zone.check.replace(" time_zone=", " data.time_zone="))
    return Unlabelled(schema, settings.model_copy(update=found), tuple(filter(None, checks)))


def _people_if_any(text: pd.DataFrame, values: Mapping[str, Values], asked: str | None) -> People:
    """Return the column with the number of people, or where there is none, the name of one that is not there."""
    try:
        return find_people(text, values, asked)
    except InputError as error:
        name = "people"
        while name in text:
            name += "_"
        doubt = str(error) if any(people_in(str(column)) for column in text) else ""
        return People(name, {}, 0, False, 0.0, "", doubt, ())
