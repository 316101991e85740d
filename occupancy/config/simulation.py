"""Settings of the simulator: a room, and how long its log is."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from occupancy.config.section import Duration, Section, Seed, Span, Volume

MOST_ROWS, MOST_PLACES = 2_000_000, 20_000_000
"""The largest simulated log: its rows, and its rows times people; it takes less than 1 GB and 10 s."""


Use = Literal["sessions", "office", "meeting_room", "lecture_room", "home"]
"""What a simulated room is used for, which decides when people are in."""


class Room(Section):
    """A room that is simulated; the defaults resemble the room of the UCI log."""

    use: Use = "sessions"
    """When people are in, within ``opens_h`` and ``closes_h``. ``sessions``: they come together several times a day.
    ``office``: each comes on most days at about the same hour, and leaves for lunch. ``meeting_room``: meetings begin
    on the half hour, some of them every week. ``lecture_room``: lectures by a weekly timetable. In these, nobody comes
    on Saturdays and Sundays. ``home``: people are away on working days between these hours and on some afternoons at
    weekends, and are in at other times, asleep from 23:00 to 7:00."""
    volume_m3: Volume = 77.0
    """Volume of the room, in cubic metres."""
    air_changes_per_h: Annotated[float, Field(ge=0, le=1000)] = 0.75
    """Air changes per hour with outdoor air; with ``ventilation``, those through leaks on a day of usual wind."""
    ventilation: Literal["none", "fan", "window"] = "none"
    """What changes the air besides leaks. ``none``: nothing, and leaks are the same on all days. ``fan``: a fan with
    the levels 0 to 3, higher while the room is open. ``window``: a window that people open now and then, more often
    when CO2 is high or it is warm; on some days a door stays open."""
    ventilated_air_changes_per_h: Annotated[float, Field(ge=0, le=1000)] = 4.0
    """Air changes per hour that the fan adds at level 3, or the open window."""
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
    outdoor_water_g_per_m3: Annotated[float, Field(ge=0, le=100)] = 8.0
    """Mean water in the outdoor air, in grams per cubic metre; it drifts with the weather."""
    water_g_per_h: Annotated[float, Field(ge=0, le=10_000)] = 50.0
    """Water that one person adds to the air, in grams per hour."""
    voc_ml_per_h: Annotated[float, Field(ge=0, le=10_000)] = 4.0
    """Volatile organic compounds (VOC) that one person gives off, in millilitres of gas per hour."""
    voc_events_per_h: Annotated[float, Field(ge=0, le=60)] = 0.05
    """Events per hour that add VOC at once, such as cleaning, while somebody is in."""
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
    step_s: Annotated[float, Field(ge=1, le=600)] = 30.0
    """Seconds between two rows."""
    max_people: Annotated[int, Field(ge=1, le=1000)] = 3
    """Number of people who use the room."""
    opens_h: Annotated[float, Field(ge=0, le=24)] = 10.5
    """Hour of the day when the room opens; at home, when people begin to leave."""
    closes_h: Annotated[float, Field(ge=0, le=24)] = 20.0
    """Hour of the day when the room closes; at home, when the last people come back."""
    sessions_per_day: Annotated[int, Field(ge=1, le=100)] = 2
    """Number of sessions per day, one in each of as many equal parts of the opening hours; only for the use
    ``sessions``."""
    longest_session_s: Span = 12_600.0
    """Longest session in seconds; a session lasts 60 to 100 % of it. At most the opening hours divided by
    ``sessions_per_day``."""
    attendance: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Probability that a person comes to a session or lecture, comes to the office on a working day, or leaves home
    on one."""
    breaks_per_h: Annotated[float, Field(ge=0, le=60)] = 0.2
    """Short breaks per hour in which a person leaves the room."""
    break_s: Span = 240.0
    """Mean length of a break in seconds."""

    @model_validator(mode="after")
    def _check_hours(self) -> Self:
        if self.opens_h >= self.closes_h:
            raise ValueError(f"opens_h {self.opens_h:g} must come before closes_h {self.closes_h:g}")
        part_s = (self.closes_h - self.opens_h) * 3600 / self.sessions_per_day
        if self.use == "sessions" and self.longest_session_s > part_s:
            raise ValueError(
                f"longest_session_s {self.longest_session_s:g} exceeds {part_s:g}, the opening hours divided by "
                f"sessions_per_day {self.sessions_per_day}; lower it, open longer, or set fewer sessions"
            )
        return self


class Simulation(Section):
    """The simulated log: whole days of one room; the same seed gives the same log."""

    days: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Days in the log; the first is a Monday, and nobody comes on Saturdays and Sundays, except at home. At most 2
    million rows, and 20 million rows times ``room.max_people``."""
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
