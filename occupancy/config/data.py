"""Settings of the log: where it comes from, how it is read, and the room that stands in for one."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from occupancy.config.section import Count, Positive, Section


class Room(Section):
    """A room for the simulator; the defaults resemble the room of the UCI log.

    Names carry the unit. What they do not say:

    Attributes:
        generation_l_per_h: the CO2 that one person breathes out.
        co2_noise_ppm: standard deviation of the sensor's own noise, new with every reading.
        co2_mixing_share: standard deviation of the slow wander at the sensor because air is never
            fully mixed, as a share of the room's CO2 above outdoors.
        light_when_occupied_lux: what the sensors receive from one desk's lamp, before their gains.
        sound_when_occupied_v: median level of one person, before the sensors' gains.
        movements_per_min: movements of one person that a motion sensor facing the desk sees.
        disturbances_per_h: sounds and movements that nobody in the room makes.
        max_people: people who use the room.
        sessions_per_day: opening hours are cut into so many equal parts, with one session in each.
        longest_session_s: sessions last 60 to 100 % of it.
        attendance: probability that a person comes to a session.
        breaks_per_h: short absences of a person who is in.
        break_s: mean length of such an absence.
    """

    volume_m3: Positive = 77.0
    air_changes_per_h: Annotated[float, Field(ge=0)] = 0.75
    generation_l_per_h: Positive = 17.0
    outdoor_ppm: Positive = 345.0
    co2_noise_ppm: Annotated[float, Field(ge=0)] = 2.0
    co2_mixing_share: Annotated[float, Field(ge=0, lt=1)] = 0.03
    co2_resolution_ppm: Positive = 5.0
    base_temperature_c: Annotated[float, Field(gt=-273.15)] = 25.0
    temperature_rise_c_per_person: Annotated[float, Field(ge=0)] = 0.35
    temperature_time_constant_s: Positive = 3600.0
    light_when_occupied_lux: Annotated[float, Field(ge=0)] = 120.0
    daylight_lux: Annotated[float, Field(ge=0)] = 60.0
    sound_when_occupied_v: Annotated[float, Field(ge=0)] = 0.25
    movements_per_min: Annotated[float, Field(ge=0)] = 0.8
    disturbances_per_h: Annotated[float, Field(ge=0)] = 0.3
    step_s: Annotated[float, Field(ge=1, le=300)] = 30.0
    max_people: Count = 3
    opens_h: Annotated[float, Field(ge=0, le=24)] = 10.5
    closes_h: Annotated[float, Field(ge=0, le=24)] = 20.0
    sessions_per_day: Count = 2
    longest_session_s: Positive = 12_600.0
    attendance: Annotated[float, Field(gt=0, le=1)] = 0.95
    breaks_per_h: Annotated[float, Field(ge=0)] = 0.2
    break_s: Positive = 240.0

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
    seed: Annotated[int, Field(ge=0)] = 0
    room: Room = Room()


class Data(Section):
    """Where the log comes from, how it is read, and into which folds it is cut."""

    source: str = "auto"
    folds: str = "forward"
    log_schema: str = Field("uci", alias="schema")
    max_count: Count = 3
    max_gap: Positive = 120.0
    time_format: str | None = None
    missing: Literal["refuse", "interpolate"] = "refuse"
    max_missing: Count = 10
    simulation: Simulation = Simulation()

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if self.time_format is not None and "%z" in self.time_format.lower():
            raise ValueError(f"time_format {self.time_format!r} reads a time zone; times must be local and naive")
        if self.source == "simulated" and self.time_format is not None:
            raise ValueError("time_format conflicts with source 'simulated', which reads no file; drop one of them")
        if self.log_schema != "uci" and self.source in {"uci", "simulated", "auto"}:
            raise ValueError(
                f"schema {self.log_schema!r} conflicts with source {self.source!r}, whose columns are those of "
                "schema 'uci'; give the path of a CSV as source"
            )
        return self
