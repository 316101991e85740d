"""Settings of the log: where it comes from, how it is read, and the simulator."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from occupancy.config.section import Duration, Format, Place, Section, Seed, Span, Volume

LEAVE_ROOMS_OUT, EACH_ROOM = "leave_rooms_out", "each_room"
"""The folds of many rooms: one model for all rooms, tested on rooms it has not seen; or one model for each room."""
MOST_ROWS, MOST_PLACES = 2_000_000, 20_000_000
"""The largest simulated log: its rows, and its rows times people; it takes less than 1 GB and 10 s."""


class Room(Section):
    """A room that is simulated; the defaults resemble the room of the UCI log."""

    volume_m3: Volume = 77.0
    """Volume of the room, in cubic metres."""
    air_changes_per_h: Annotated[float, Field(ge=0, le=1000)] = 0.75
    """Air changes per hour with outdoor air."""
    generation_l_per_h: Annotated[float, Field(gt=0, le=1000)] = 17.0
    """CO2 that one person breathes out, in litres per hour."""
    outdoor_ppm: Annotated[float, Field(gt=0, le=10_000)] = 345.0
    """CO2 outdoors, in ppm."""
    co2_noise_ppm: Annotated[float, Field(ge=0, le=10_000)] = 2.0
    """Standard deviation of the noise of the CO2 sensor, independent for each reading, in ppm."""
    co2_mixing_share: Annotated[float, Field(ge=0, lt=1)] = 0.03
    """Standard deviation of the slow changes at the sensor because air is never fully mixed, as a share of the
    room's CO2 above outdoors."""
    co2_resolution_ppm: Annotated[float, Field(ge=1e-6, le=10_000)] = 5.0
    """Resolution of the CO2 sensor, in ppm."""
    base_temperature_c: Annotated[float, Field(gt=-273.15, le=100)] = 25.0
    """Temperature of the empty room, in degrees Celsius."""
    temperature_rise_c_per_person: Annotated[float, Field(ge=0, le=100)] = 0.35
    """How much one person finally raises the temperature, in degrees Celsius."""
    temperature_time_constant_s: Duration = 3600.0
    """Seconds in which the temperature covers 63 % of the way to its new value."""
    light_when_occupied_lux: Annotated[float, Field(ge=0, le=1e6)] = 120.0
    """Light of the lamp of one desk, in lux, before the gains of the sensors."""
    daylight_lux: Annotated[float, Field(ge=0, le=1e6)] = 60.0
    """Daylight when the sun is highest, in lux, before clouds and the gains of the sensors."""
    sound_when_occupied_v: Annotated[float, Field(ge=0, le=1000)] = 0.25
    """Median sound level of one person, in volts at the output of the amplifier, before the gains of the sensors."""
    movements_per_min: Annotated[float, Field(ge=0, le=10_000)] = 0.8
    """Movements per minute of one person that a motion sensor facing the desk detects."""
    disturbances_per_h: Annotated[float, Field(ge=0, le=10_000)] = 0.3
    """Sounds and movements per hour that are not made by people in the room."""
    step_s: Annotated[float, Field(ge=1, le=300)] = 30.0
    """Seconds between two rows."""
    max_people: Annotated[int, Field(ge=1, le=1000)] = 3
    """Number of people who use the room."""
    opens_h: Annotated[float, Field(ge=0, le=24)] = 10.5
    """Hour of the day when the room opens."""
    closes_h: Annotated[float, Field(ge=0, le=24)] = 20.0
    """Hour of the day when the room closes."""
    sessions_per_day: Annotated[int, Field(ge=1, le=100)] = 2
    """Number of sessions per day, one in each of as many equal parts of the opening hours."""
    longest_session_s: Span = 12_600.0
    """Longest session in seconds; a session lasts 60 to 100 % of it. At most the opening hours divided by
    ``sessions_per_day``."""
    attendance: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Probability that a person comes to a session."""
    breaks_per_h: Annotated[float, Field(ge=0, le=60)] = 0.2
    """Short breaks per hour in which a person leaves the room."""
    break_s: Span = 240.0
    """Mean length of a break in seconds."""

    @model_validator(mode="after")
    def _check_hours(self) -> Self:
        if self.opens_h >= self.closes_h:
            raise ValueError(f"opens_h {self.opens_h:g} must come before closes_h {self.closes_h:g}")
        part_s = (self.closes_h - self.opens_h) * 3600 / self.sessions_per_day
        if self.longest_session_s > part_s:
            raise ValueError(
                f"longest_session_s {self.longest_session_s:g} exceeds {part_s:g}, the opening hours divided by "
                f"sessions_per_day {self.sessions_per_day}; lower it, open longer, or set fewer sessions"
            )
        return self


class Simulation(Section):
    """The simulated log: whole days of one room; the same seed gives the same log."""

    days: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Days in the log; the first is a Monday, and nobody comes on Saturdays and Sundays. At most 2 million rows, and 20
    million rows times ``room.max_people``."""
    seed: Seed = 0
    """Seed of the simulator; the ``seed`` of the experiment does not change the log."""
    room: Room = Room()
    """The simulated room."""

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        rows = self.days * 86_400 / self.room.step_s
        if rows > MOST_ROWS or rows * self.room.max_people > MOST_PLACES:
            raise ValueError(
                f"days {self.days} with a row every {self.room.step_s:g} s are {rows:,.0f} rows of "
                f"{self.room.max_people} people, expected at most {MOST_ROWS:,} rows, and {MOST_PLACES:,} rows times "
                "people; lower days or room.max_people, or raise room.step_s"
            )
        return self


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
