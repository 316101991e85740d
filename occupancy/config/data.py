"""Settings of the log: where it comes from, how it is read, and the room that stands in for one."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from occupancy.config.section import Count, Positive, Section

LEAVE_ROOMS_OUT, EACH_ROOM = "leave_rooms_out", "each_room"
"""The folds of many rooms: one model over all, tested on rooms it never saw; or a model per room."""


class Room(Section):
    """A room for the simulator; the defaults resemble the room of the UCI log."""

    volume_m3: Positive = 77.0
    """Volume of the room, in cubic metres."""
    air_changes_per_h: Annotated[float, Field(ge=0)] = 0.75
    """How often an hour the room's air is replaced by air from outdoors."""
    generation_l_per_h: Positive = 17.0
    """The CO2 that one person breathes out, in litres an hour."""
    outdoor_ppm: Positive = 345.0
    """The CO2 outdoors, in ppm."""
    co2_noise_ppm: Annotated[float, Field(ge=0)] = 2.0
    """Standard deviation of the CO2 sensor's own noise, new with every reading, in ppm."""
    co2_mixing_share: Annotated[float, Field(ge=0, lt=1)] = 0.03
    """Standard deviation of the slow wander at the sensor because air is never fully mixed, as a share of the
    room's CO2 above outdoors."""
    co2_resolution_ppm: Positive = 5.0
    """The steps in which the CO2 sensor reads, in ppm."""
    base_temperature_c: Annotated[float, Field(gt=-273.15)] = 25.0
    """Temperature of the empty room, in degrees Celsius."""
    temperature_rise_c_per_person: Annotated[float, Field(ge=0)] = 0.35
    """How much warmer each person makes it in the end, in degrees."""
    temperature_time_constant_s: Positive = 3600.0
    """Seconds in which the temperature goes 63 % of the way to its new value."""
    light_when_occupied_lux: Annotated[float, Field(ge=0)] = 120.0
    """What the sensors receive from one desk's lamp, in lux, before their gains."""
    daylight_lux: Annotated[float, Field(ge=0)] = 60.0
    """Light from the sky when the sun is highest, in lux, before clouds and the sensors' gains."""
    sound_when_occupied_v: Annotated[float, Field(ge=0)] = 0.25
    """Median level of one person, in volts at the amplifier's output, before the sensors' gains."""
    movements_per_min: Annotated[float, Field(ge=0)] = 0.8
    """Movements of one person a minute that a motion sensor facing the desk sees."""
    disturbances_per_h: Annotated[float, Field(ge=0)] = 0.3
    """Sounds and movements an hour that nobody in the room makes."""
    step_s: Annotated[float, Field(ge=1, le=300)] = 30.0
    """Seconds between two rows."""
    max_people: Count = 3
    """People who use the room."""
    opens_h: Annotated[float, Field(ge=0, le=24)] = 10.5
    """Hour of the day at which the room opens."""
    closes_h: Annotated[float, Field(ge=0, le=24)] = 20.0
    """Hour of the day at which it closes."""
    sessions_per_day: Count = 2
    """Opening hours are cut into so many equal parts, with one session in each."""
    longest_session_s: Positive = 12_600.0
    """Sessions last 60 to 100 % of it; at most the opening hours divided by ``sessions_per_day``."""
    attendance: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Probability that a person comes to a session."""
    breaks_per_h: Annotated[float, Field(ge=0)] = 0.2
    """Short absences an hour of a person who is in."""
    break_s: Positive = 240.0
    """Mean seconds of such an absence."""

    @model_validator(mode="after")
    def _check_hours(self) -> Self:
        if self.opens_h >= self.closes_h:
            raise ValueError(f"opens_h {self.opens_h:g} must come before closes_h {self.closes_h:g}")
        part_s = (self.closes_h - self.opens_h) * 3600 / self.sessions_per_day
        if self.longest_session_s > part_s:
            raise ValueError(
                f"longest_session_s {self.longest_session_s:g} exceeds {part_s:g}, the opening hours divided by "
                f"sessions_per_day {self.sessions_per_day}; shorten it, open longer or hold fewer sessions"
            )
        return self


class Simulation(Section):
    """What the simulator writes: whole days of one room from a Monday on, the same for the same seed."""

    days: Count = 5
    """Days in the log, the first a Monday; nobody comes on Saturdays and Sundays."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Where the simulator's chance starts; the experiment's ``seed`` leaves the log as it is."""
    room: Room = Room()
    """The room."""


class Data(Section):
    """Where the log comes from, how it is read, and into which folds it is cut."""

    source: str = "auto"
    """The log: ``uci``, found or downloaded; ``simulated``; ``auto``, which is ``uci`` or, where that can't be had,
    ``simulated``, with a warning; or the path of a CSV file."""
    folds: str = "forward"
    """The folds: ``forward`` or ``blocked`` for the UCI log, ``simulated`` for the simulated one, or a fold file. For
    ``rooms``: ``leave_rooms_out``, one model over all rooms, tested on rooms that it never saw; or ``each_room``, a
    model per room, which trains on its first 60 % (of these, the last quarter validates) and is tested on the rest."""
    rooms: str | None = None
    """Many rooms in place of ``source``: a folder, of which every ``*.csv`` is the log of a room, or a glob such as
    ``logs/*/march.csv``. It takes ``folds: leave_rooms_out`` or ``each_room``."""
    room_folds: Annotated[int, Field(ge=2)] | None = None
    """Into how many groups ``leave_rooms_out`` deals the rooms, each the test of one fold; at most one for a room, and
    of three rooms always three, so that one is left to train and one to choose with; none: 4."""
    log_schema: str = Field("uci", alias="schema")
    """What the columns mean: ``uci``, or the path of a schema file, which goes with a CSV."""
    max_count: Count = 3
    """The most people there can be; a model tells 0 to so many apart."""
    max_gap: Positive = 120.0
    """Seconds that may lie between two rows of a recording; beyond them a new one begins, and nothing looks back over
    that."""
    time_format: str | None = None
    """How times are written, as ``strptime`` reads them (``%d.%m.%Y %H:%M``); none: as the schema says."""
    missing: Literal["refuse", "interpolate"] = "refuse"
    """What to do about missing cells of sensors: refuse the log, or hold the sensor's last reading."""
    max_missing: Count = 10
    """Samples in a row that may be missing, under ``missing: interpolate``."""
    simulation: Simulation = Simulation()
    """What the simulator writes."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if self.time_format is not None and "%z" in self.time_format.lower():
            raise ValueError(f"time_format {self.time_format!r} reads a time zone; times must be local and naive")
        if self.source == "simulated" and self.time_format is not None:
            raise ValueError("time_format conflicts with source 'simulated', which reads no file; drop one of them")
        if self.rooms is not None and self.source != "auto":
            raise ValueError(f"rooms {self.rooms!r} conflicts with source {self.source!r}; drop one of them")
        if self.rooms is not None and self.folds not in {LEAVE_ROOMS_OUT, EACH_ROOM}:
            raise ValueError(
                f"folds {self.folds!r} cuts a single log; with rooms, take {LEAVE_ROOMS_OUT!r} (one model, tested on "
                f"rooms it never saw) or {EACH_ROOM!r} (a model per room)"
            )
        if self.rooms is None and self.folds in {LEAVE_ROOMS_OUT, EACH_ROOM}:
            raise ValueError(f"folds {self.folds!r} is for many rooms; give rooms, a folder or glob of CSV files")
        if self.room_folds is not None and self.folds != LEAVE_ROOMS_OUT:
            raise ValueError(
                f"room_folds {self.room_folds} conflicts with folds {self.folds!r}: it is for {LEAVE_ROOMS_OUT!r} "
                "alone; drop one of them"
            )
        if self.rooms is None and self.log_schema != "uci" and self.source in {"uci", "simulated", "auto"}:
            raise ValueError(
                f"schema {self.log_schema!r} conflicts with source {self.source!r}, whose columns are those of "
                "schema 'uci'; give the path of a CSV as source"
            )
        return self
