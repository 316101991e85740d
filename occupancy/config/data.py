"""Settings of the log: where it comes from and how it is read."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import BeforeValidator, Field, field_validator, model_validator

from occupancy.config.section import PRINTABLE, Duration, Format, Name, Period, Place, Section, Volume
from occupancy.config.simulation import Simulation
from occupancy.errors import shortened

_CAPPED = re.compile(r"\s*(\d{1,4})\s*\+\s*")  # 12+

LEAVE_ROOMS_OUT, EACH_ROOM = "leave_rooms_out", "each_room"
"""The folds of many rooms: one model for all rooms, tested on rooms it has not seen; or one model for each room."""


def _renamed(value: Any) -> Any:
    return "hold" if value == "interpolate" else value  # as versions before 2 called it


class Data(Section):
    """Where the log comes from, how it is read, and how it is cut into folds."""

    source: Place | Annotated[list[Place], Field(min_length=1, max_length=1000)] = "auto"
    """The log: ``uci``, found on disk or downloaded; ``simulated``; ``auto``, which is ``uci`` or, if that log is
    neither on disk nor can be downloaded, ``simulated`` with a warning; the path of a file (``.csv``, ``.csv.gz``,
    ``.zip`` of one file, ``.parquet``); or a list of files of one room, with rows of other times or other sensors."""
    folds: Place = "forward"
    """The folds: ``forward`` or ``blocked`` for the UCI log, ``simulated`` for the simulated log, or the path of a fold
    file. With ``rooms``: ``leave_rooms_out``, one model for all rooms, tested on rooms that it has not seen; or
    ``each_room``, one model for each room, trained on the first 60 % of its rows (the last quarter of these is
    validation) and tested on the rest."""
    rooms: Place | None = None
    """Logs of many rooms, used instead of ``source``: a folder with one CSV file for each room, or a glob such as
    ``logs/*/march.csv``. It needs ``folds: leave_rooms_out`` or ``each_room``."""
    volumes: Annotated[dict[Name, Volume], Field(max_length=100_000)] | None = None
    """The volume of rooms of ``rooms`` in cubic metres, by the name of the room: the path of its file below the folder
    that all files have in common; the others, and with null all, have that of the schema or else of the model."""
    room_folds: Annotated[int, Field(ge=2, le=10_000)] | None = None
    """Number of folds of ``leave_rooms_out``: the rooms are divided into as many groups, and each group is tested once.
    At most the number of rooms; for three rooms always three, so that one room is left to train and one to validate;
    null: 4."""
    max_csv_mb: Annotated[int, Field(ge=1, le=100_000)] = 200
    """The largest file that is read, in millions of bytes, also after it is unpacked; 200 are about two million rows of
    the UCI log."""
    log_schema: Place = Field("uci", alias="schema")
    """The meaning of the columns: ``uci``, or the path of a schema file for a CSV."""
    max_count: Annotated[int, Field(ge=1, le=1000)] = 3
    """The largest number of people; a model has one class for each count from 0 to it. ``12+`` stands for 12 with
    ``cap_counts: true``."""
    cap_counts: bool = False
    """Whether a larger count is read as ``max_count``, which then means so many people or more; otherwise a log with
    one is refused."""
    hold_counts: Period | None = None
    """How long a count holds for the rows after it that have none, in seconds or as ``5min``, for counts that are
    written down less often than the sensors; null: rows without a count are not labelled. Rows without a count serve
    as history; nothing is learned from them or scored on them."""
    max_gap: Duration = 120.0
    """Longest time in seconds between two rows of one recording. After a longer gap a new recording begins, and nothing
    looks back across it."""
    time_format: Format | None = None
    """Format of the times, as ``strptime`` reads it (``%d.%m.%Y %H:%M``), or ``iso``, ``epoch_s``, ``epoch_ms``,
    ``epoch_us``, ``epoch_ns``; null: the format of the schema, or where that does not read them, the one that they are
    in, if only one can be meant."""
    time_zone: Annotated[str, Field(max_length=100), PRINTABLE] | None = None
    """The time zone of the room by its IANA name, such as ``Europe/Berlin``. Times with an offset or in UTC (also
    seconds since 1970) become local times of this zone, and local times that occur twice or never, when clocks go back
    or forward, are told apart by the order of the rows. The times of a log are those of the wall clock at its first
    row, and run on from there; counts are written with the time of the wall clock and its offset. null: times without
    an offset are taken as they are, and those with one as they stand; times in UTC stay in UTC."""
    step: Period | None = None
    """The step of the grid that readings are put on, in seconds or as ``30s``, ``5min``; by a rule for each kind of
    sensor, see the guide to your own log. null: the rows are used as they are."""
    max_age: Period | None = None
    """How long a reading holds on the grid of ``step`` until the next one; an older one is missing. null: by the kind
    of the sensor."""
    missing: Annotated[Literal["keep", "hold", "refuse"], BeforeValidator(_renamed)] = "keep"
    """What to do about missing readings: ``keep`` them missing, so that a count rests on the other sensors; ``hold``
    the last reading of the sensor for at most ``max_missing`` samples; or ``refuse`` the log."""
    max_missing: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Longest run of missing samples under ``missing: hold``."""
    simulation: Simulation = Simulation()
    """Settings of the simulated log."""

    @model_validator(mode="before")
    @classmethod
    def _read_cap(cls, tree: Any) -> Any:
        most = tree.get("max_count") if isinstance(tree, dict) else None
        if isinstance(most, str) and (found := _CAPPED.fullmatch(most)):
            return {**tree, "max_count": int(found[1]), "cap_counts": True}
        return tree

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, name: str | None) -> str | None:
        if name is not None and name not in available_timezones():
            near = difflib.get_close_matches(name, available_timezones(), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"got {shortened(name)}, expected an IANA name such as 'Europe/Berlin'{hint}")
        return name

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if self.source == "simulated" and self.time_format is not None:
            raise ValueError("time_format conflicts with source 'simulated', which reads no file; remove one of them")
        if self.rooms is not None and self.source != "auto":
            raise ValueError(f"rooms {self.rooms!r} conflicts with source {self.source!r}; remove one of them")
        if self.rooms is not None and self.folds not in {LEAVE_ROOMS_OUT, EACH_ROOM}:
            raise ValueError(
                f"folds {self.folds!r} is for a single log; with rooms, set it to {LEAVE_ROOMS_OUT!r} (one model, "
                f"tested on rooms it has not seen) or {EACH_ROOM!r} (one model for each room)"
            )
        if self.rooms is None and self.folds in {LEAVE_ROOMS_OUT, EACH_ROOM}:
            raise ValueError(f"folds {self.folds!r} is for many rooms; set rooms to a folder or glob of CSV files")
        if self.volumes and self.rooms is None:
            raise ValueError("volumes is for rooms; for a single log, give volume_m3 in the schema, or set rooms")
        if self.room_folds is not None and self.folds != LEAVE_ROOMS_OUT:
            raise ValueError(
                f"room_folds {self.room_folds} conflicts with folds {self.folds!r}: it is only for "
                f"{LEAVE_ROOMS_OUT!r}; remove one of them"
            )
        if self.rooms is None and self.log_schema != "uci" and self.source in ("uci", "simulated", "auto"):
            raise ValueError(
                f"schema {self.log_schema!r} conflicts with source {self.source!r}, which has the columns of schema "
                "'uci'; set source to the path of a CSV file"
            )
        return self
