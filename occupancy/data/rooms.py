"""Many rooms: their files, and one log of all rooms on one time axis."""

from __future__ import annotations

import glob
import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.config import EACH_ROOM, LEAVE_ROOMS_OUT, Data
from occupancy.data.clock import Clock
from occupancy.data.folds import Fold
from occupancy.data.log import Log, Place
from occupancy.data.room_folds import cut_within
from occupancy.data.schema import Schema, load_schema
from occupancy.data.table import read_log
from occupancy.data.times import STEP_TOLERANCE
from occupancy.errors import InputError, InputWarning, escaped

FEWEST_ROOMS = 3  # one for training, one for validation, one for test
UNREADABLE = "unreadable"  # instead of a digest; the gate says why
LISTED_ROOMS = 3  # rooms that a message lists
_WEEK = pd.Timedelta(weeks=1)


def find_rooms(rooms: str) -> dict[str, Path]:
    """Return the file of each room by the name of the room, sorted by name.

    The name is the path of the file below the folder that all files have in common.

    Args:
        rooms: a folder with one ``*.csv`` for each room, or a glob.

    Raises:
        InputError: if there is no such file.
    """
    is_folder = os.path.isdir(rooms)  # noqa: PTH112 (not of pathlib, which raises for a name that is too long)
    pattern = str(Path(glob.escape(rooms)) / "*.csv") if is_folder else rooms
    paths = [Path(found) for found in sorted(glob.glob(pattern, recursive=True)) if Path(found).is_file()]  # noqa: PTH207
    if not paths:
        got = "a folder without *.csv files" if is_folder else "which matches no file"
        raise InputError(f"data.rooms: got {rooms!r}, {got}; expected a folder of CSV files, or a glob of them")
    common = os.path.commonpath([path.parent for path in paths])
    return {escaped(path.relative_to(common).as_posix()): path for path in paths}


def open_rooms(settings: Data) -> Log:
    """Return one log of all rooms, validated and placed one after another on one time axis.

    Each room is shifted by whole weeks, so that it begins after the end of the room before it and a gap: hours and
    weekdays stay the same, and nothing that looks back in time reads another room.

    Warns:
        InputWarning: if some rooms lack an optional column, which is then left out of all rooms, or something in a file
            was skipped or converted.

    Raises:
        InputError: if there are too few rooms, a log is not valid, two logs are the same, or their steps differ.
    """
    assert settings.rooms is not None, "these settings are of a single log"
    if settings.folds == EACH_ROOM:
        raise InputError(
            f"data.folds: got {EACH_ROOM!r}, which only train and tune can use; give {LEAVE_ROOMS_OUT!r} (one model "
            "for all rooms), or one room with data.source and a fold file"
        )
    paths = find_rooms(settings.rooms)
    if len(paths) < FEWEST_ROOMS:
        raise InputError(
            f"data.rooms: got {_listed(list(paths))}, expected {FEWEST_ROOMS} rooms or more for {LEAVE_ROOMS_OUT}: one "
            "for training, one for validation and one for test; add rooms"
        )
    schema = load_schema(settings.log_schema)
    logs = _read_all(paths, schema, settings)
    _tell(logs)
    _check_twins(logs, paths)
    _check_steps(logs, paths)
    columns = _common_columns(logs, schema)
    places = tuple(_places(logs, settings.max_gap, _volumes(paths, schema, settings)))
    moved = {place.name: logs[place.name].times + place.shift for place in places}
    frame = pd.concat([logs[name].frame[[*columns, schema.count]].set_axis(times) for name, times in moved.items()])
    missing = pd.concat([logs[name].missing[columns].set_axis(times) for name, times in moved.items()])
    for table in (frame, missing):
        table.index.name = "time"
    return Log(settings.rooms, schema.name, schema, frame, missing, settings.max_gap, places)


@dataclass(frozen=True)
class StoredRoom:
    """A room whose log is not read yet, so that thousands of rooms need little memory; the worker reads it.

    Attributes:
        number: position among the rooms, from 1.
        name: name of the room.
        path: absolute path of its file, since a worker may have another working directory.
        digest: hash of the content of the file when it was found.
        schema: the meaning of its columns.
        settings: how the file is read.
    """

    number: int
    name: str
    path: Path
    digest: str
    schema: Schema
    settings: Data

    @property
    def key(self) -> str:
        """Hash of the room's name and file."""
        return f"room {self.name} {self.digest}"

    def load(self) -> Fold:
        """Return the fold of the room.

        Raises:
            InputError: if the file has changed since it was found, is not valid, or can't be cut.
        """
        if (digest := _digest_of(self.path, self.schema)) not in {self.digest, UNREADABLE}:
            raise InputError(
                f"{self.path}: got digest {digest}, expected {self.digest} as when the command began: the file was "
                "changed, or this machine has another file there; run the command again, and on a cluster put the "
                "same files on all machines"
            )
        return cut_within(read_log(self.path, self.schema, self.settings), str(self.path))


def stored_rooms(settings: Data) -> list[StoredRoom]:
    """Return the rooms that the settings ask for, without reading their logs.

    Raises:
        InputError: if there are no rooms, or the schema is not valid.
    """
    assert settings.rooms is not None, "these settings are of a single log"
    paths, schema = find_rooms(settings.rooms), load_schema(settings.log_schema)
    volumes = _volumes(paths, schema, settings)
    schemas = {name: schema.model_copy(update={"volume_m3": volumes[name]}) for name in paths}
    return [
        StoredRoom(number, name, path.resolve(), _digest_of(path, schemas[name]), schemas[name], settings)
        for number, (name, path) in enumerate(paths.items(), start=1)
    ]


def _digest_of(path: Path, schema: Schema) -> str:
    """Return a hash of the bytes of a file and of its schema, or `UNREADABLE`."""
    digest = hashlib.sha256(schema.model_dump_json().encode())
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return UNREADABLE
    return digest.hexdigest()[:16]


def _read_all(paths: Mapping[str, Path], schema: Schema, settings: Data) -> dict[str, Log]:
    logs, problems = {}, []
    for name, path in paths.items():
        try:
            logs[name] = read_log(path, schema, settings)
        except InputError as error:
            problems.append(str(error))
    if problems:
        more = f"; and {len(problems) - LISTED_ROOMS} more rooms with problems" if len(problems) > LISTED_ROOMS else ""
        raise InputError("; ".join(problems[:LISTED_ROOMS]) + more)
    return logs


def _tell(logs: Mapping[str, Log]) -> None:
    noted = {name: log.notes for name, log in logs.items() if log.notes}
    if noted:
        first = next(iter(noted))
        said = (
            f"data.rooms: of the files of {_listed(list(noted))} rooms, something was skipped or converted; {first}: "
        )
        warnings.warn(said + "; ".join(noted[first]), InputWarning, stacklevel=4)


def _check_twins(logs: Mapping[str, Log], paths: Mapping[str, Path]) -> None:
    seen: dict[str, str] = {}
    for name, log in logs.items():
        if (twin := seen.setdefault(log.digest, name)) != name:
            raise InputError(
                f"{paths[name]}: has the same rows as {paths[twin]}, so a fold could train on the room that it tests; "
                "remove one of them"
            )


def _check_steps(logs: Mapping[str, Log], paths: Mapping[str, Path]) -> None:
    steps = {name: log.step_s for name, log in logs.items() if not np.isnan(log.step_s)}  # a single row has no step
    if not steps:
        return
    shortest, longest = min(steps, key=steps.__getitem__), max(steps, key=steps.__getitem__)
    # A fold may train on any room, so the steps of all rooms must be as close as a model allows.
    if steps[longest] / steps[shortest] - 1 > STEP_TOLERANCE:
        raise InputError(
            f"{paths[longest]}: has a row every {steps[longest]:g} s, but {paths[shortest]} one every "
            f"{steps[shortest]:g} s; one model for all rooms needs one step, so resample them, or give "
            "data.folds=each_room"
        )


def _common_columns(logs: Mapping[str, Log], schema: Schema) -> list[str]:
    """Return the sensor columns that every room has."""
    having = {column: [name for name, log in logs.items() if column in log.missing] for column in schema.sensors}
    partial = {column: names for column, names in having.items() if 0 < len(names) < len(logs)}
    if partial:
        lacking = sorted({name for names in partial.values() for name in logs.keys() - set(names)})
        warnings.warn(
            f"data.rooms: {_listed(lacking)} of {len(logs)} rooms lack {', '.join(partial)}, which is left out of all",
            InputWarning,
            stacklevel=4,
        )
    return [column for column, names in having.items() if len(names) == len(logs)]


def _volumes(paths: Mapping[str, Path], schema: Schema, settings: Data) -> dict[str, float | None]:
    """Return the volume of each room in cubic metres, None if it is not known.

    Raises:
        InputError: if a volume is given for a room that is not there.
    """
    given = settings.volumes or {}
    if unknown := sorted(given.keys() - paths.keys()):
        raise InputError(
            f"data.volumes: got {_listed(unknown)} that no room is called; the rooms are {_listed(list(paths))}"
        )
    return {name: given.get(name, schema.volume_m3) for name in paths}


def _places(logs: Mapping[str, Log], max_gap: float, volumes: Mapping[str, float | None]) -> Iterator[Place]:
    row, end = 0, None
    for name, log in logs.items():
        try:
            weeks = 0 if end is None else (end + pd.Timedelta(seconds=max_gap) - log.times[0]) // _WEEK + 1
            end = log.times[-1] + weeks * _WEEK
        except (OverflowError, pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta):
            raise InputError(
                f"data.rooms: {len(logs)} rooms one after another, data.max_gap {max_gap:g} s apart, reach past the "
                "year 2262, the last that pandas can store; give a smaller data.max_gap, fewer rooms, shorter logs, or "
                "data.folds=each_room"
            ) from None
        shift = weeks * _WEEK
        yield Place(name, row, row + len(log.frame), shift, volumes[name], _moved(log.clock, shift))
        row += len(log.frame)


def _moved(clock: Clock | None, shift: pd.Timedelta) -> Clock | None:
    """Return how times that were moved stand to UTC; None if their zone is not known."""
    if clock is None or clock.zone is None:
        return None
    return replace(clock, offset_s=clock.offset_s + shift.total_seconds())


def _listed(names: list[str]) -> str:
    """Return the number of rooms, and the names of the first."""
    more = ", ..." if len(names) > LISTED_ROOMS else ""
    return f"{len(names)} ({', '.join(names[:LISTED_ROOMS])}{more})"
