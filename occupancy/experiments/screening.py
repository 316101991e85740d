"""The sensors of a log before anything is learned from it: error codes are taken out, and what is wrong is told."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from occupancy.arrays import Rows
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.data.log import Log, Place
from occupancy.errors import InputError, InputWarning
from occupancy.health.effects import believed
from occupancy.health.examine import examine
from occupancy.health.finding import Finding, lines
from occupancy.models.inputs import columns_read


def screen(log: Log) -> tuple[Log, list[Finding]]:
    """Return a log in which readings that no room has are missing, and what is wrong with its sensors.

    Warns:
        InputWarning: something is.
    """
    findings = list(_in_rooms(log)) if log.rooms else examine(log)
    for line in lines(findings):
        warnings.warn(f"{log.name}: {line}", InputWarning, stacklevel=2)
    return believed(log, [finding for finding in findings if finding.fault == "impossible"]), findings


def refuse(findings: Collection[Finding], folds: Sequence[Fold], config: Config) -> None:
    """Check that no readings that are certainly wrong, and that stay in the log, would be learned or scored.

    Raises:
        InputError: the model would read some; it names the sensor, the rows and the remedy.
    """
    log = folds[0].log
    read = {column.name for column in columns_read(config, log.schema)}
    used: Rows = np.logical_or.reduce([part for fold in folds for part in (fold.train, fold.validation, fold.test)])
    for finding in findings:
        wrong = finding.distrusts and finding.surety == "certain" and finding.fault != "impossible"
        if wrong and read & {*finding.sensors} and (finding.rows & used).any():
            raise InputError(
                f"{log.name}: {finding}; or leave these rows out of all folds, or the column out of the log (ignore in "
                "the schema)"
            )


def _in_rooms(log: Log) -> Iterator[Finding]:
    """Yield what is wrong in each room of a log of many."""
    for room in log.rooms:
        rows = slice(room.first, room.end)
        alone = dataclasses.replace(log, frame=log.frame[rows], missing=log.missing[rows], lines=None, rooms=())
        for finding in examine(alone):
            yield _moved(finding, log, room)


def _moved(finding: Finding, log: Log, room: Place) -> Finding:
    """Return a finding of a room as one of the log that holds the room."""
    rows = np.zeros(len(log.frame), bool)
    rows[room.first : room.end] = finding.rows
    first, last, named = (time - room.shift for time in (finding.first, finding.last, finding.named))
    what = f"in room {room.name}: {finding.what}"
    return dataclasses.replace(finding, first=first, last=last, named=named, what=what, rows=rows)
