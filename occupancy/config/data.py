"""Settings of the log: where it comes from and how it is read."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from occupancy.config.section import Duration, Format, Place, Section
from occupancy.config.simulation import Simulation

LEAVE_ROOMS_OUT, EACH_ROOM = "leave_rooms_out", "each_room"
"""The folds of many rooms: one model for all rooms, tested on rooms it has not seen; or one model for each room."""


class Data(Section):
    """Where the log comes from, how it is read, and how it is cut into folds."""

    source: Place = "auto"
    """The log: ``uci``, found on disk or downloaded; ``simulated``; ``auto``, which is ``uci`` or, if that log is
    neither on disk nor can be downloaded, ``simulated`` with a warning; or the path of a CSV file."""
    folds: Place = "forward"
    """The folds: ``forward`` or ``blocked`` for the UCI log, ``simulated`` for the simulated log, or the path of a fold
    file. With ``rooms``: ``leave_rooms_out``, one model for all rooms, tested on rooms that it has not seen; or
    ``each_room``, one model for each room, trained on the first 60 % of its rows (the last quarter of these is
    validation) and tested on the rest."""
    rooms: Place | None = None
    """Logs of many rooms, used instead of ``source``: a folder with one CSV file for each room, or a glob such as
    ``logs/*/march.csv``. It needs ``folds: leave_rooms_out`` or ``each_room``."""
    room_folds: Annotated[int, Field(ge=2, le=10_000)] | None = None
    """Number of folds of ``leave_rooms_out``: the rooms are divided into as many groups, and each group is tested once.
    At most the number of rooms; for three rooms always three, so that one room is left to train and one to validate;
    null: 4."""
    max_csv_mb: Annotated[int, Field(ge=1, le=100_000)] = 200
    """The largest CSV file that is read, in millions of bytes; 200 are about two million rows of the UCI log."""
    log_schema: Place = Field("uci", alias="schema")
    """The meaning of the columns: ``uci``, or the path of a schema file for a CSV."""
    max_count: Annotated[int, Field(ge=1, le=1000)] = 3
    """The largest number of people; a model has one class for each count from 0 to it."""
    max_gap: Duration = 120.0
    """Longest time in seconds between two rows of one recording. After a longer gap a new recording begins, and nothing
    looks back across it."""
    time_format: Format | None = None
    """Format of the times, as ``strptime`` reads it (``%d.%m.%Y %H:%M``); null: the format of the schema."""
    missing: Literal["refuse", "interpolate"] = "refuse"
    """What to do about missing sensor cells: ``refuse`` the log, or ``interpolate``: hold the last reading of the
    sensor."""
    max_missing: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Longest run of missing samples under ``missing: interpolate``."""
    simulation: Simulation = Simulation()
    """Settings of the simulated log."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if self.time_format is not None and "%z" in self.time_format.lower():
            raise ValueError(
                f"time_format {self.time_format!r} reads a time zone, expected local times without a zone; "
                "remove the zone from it"
            )
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
        if self.room_folds is not None and self.folds != LEAVE_ROOMS_OUT:
            raise ValueError(
                f"room_folds {self.room_folds} conflicts with folds {self.folds!r}: it is only for "
                f"{LEAVE_ROOMS_OUT!r}; remove one of them"
            )
        if self.rooms is None and self.log_schema != "uci" and self.source in {"uci", "simulated", "auto"}:
            raise ValueError(
                f"schema {self.log_schema!r} conflicts with source {self.source!r}, which has the columns of schema "
                "'uci'; set source to the path of a CSV file"
            )
        return self
