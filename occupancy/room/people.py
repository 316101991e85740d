"""Who is in a simulated room at each row, and when visits begin and end by the use of the room.

Each use is a function that first draws what stays the same for all weeks, such as the usual hours of each person, and
returns a function that yields the visits of one day. So a longer log begins with the shorter one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from occupancy.config import Room

Booleans = NDArray[np.bool_]
Visit = tuple[int, float, float]
"""A person, the arrival and the departure, in seconds from the start of the log."""
Day = Callable[[int], Iterator[Visit]]
"""Yields the visits of a day, given its number; day 0 is a Monday."""

DAY_S = 86_400
WORKING_DAYS = 5
HALF_HOUR_S = 1800.0
LUNCH = 0.42  # share of the opening hours after which people of an office leave for lunch
LATE_S = 1200.0  # standard deviation of the hours of a person from day to day
SLEEPS_H = (23.0, 7.0)


@dataclass(frozen=True)
class People:
    """Who is in a room, and what they do there.

    Attributes:
        present: (N, people) who is in.
        lamps: (N, people) whose lamp is on; it stays on during breaks.
        noticed: (N, people) who can be heard and seen to move, if present.
    """

    present: Booleans
    lamps: Booleans
    noticed: Booleans


def people_of(room: Room, days: int, rows: int, rng: Generator) -> People:
    """Return who is in at each row of whole days.

    Args:
        room: its use, hours, people, breaks and step.
        days: number of days.
        rows: N, rows in these days.
        rng: draws the visits, day by day.
    """
    present = np.zeros((rows, room.max_people), dtype=np.bool_)
    lamps = np.zeros_like(present)

    def span(start_s: float, end_s: float) -> slice:
        return slice(math.ceil(start_s / room.step_s), math.ceil(end_s / room.step_s))

    visits_of = USES[room.use](room, rng)
    for day in range(days):
        for person, arrival_s, departure_s in visits_of(day):
            present[span(arrival_s, departure_s), person] = True
            lamps[span(arrival_s, departure_s), person] = rng.random() < 0.9
            for _ in range(rng.poisson(room.breaks_per_h * (departure_s - arrival_s) / 3600)):
                start_s = rng.uniform(arrival_s, departure_s)
                present[span(start_s, min(start_s + rng.exponential(room.break_s), departure_s)), person] = False
    if room.use == "home":
        return _at_home(room, present, lamps, rng.spawn(1)[0])
    return People(present, lamps, np.ones_like(present))


def _at_home(room: Room, present: Booleans, lamps: Booleans, rng: Generator) -> People:
    """Return who is in at home, with lamps on only while it is dark and somebody is awake.

    Its sensors, save that of CO2, notice nobody asleep, and for half of the half hours nobody who is in another room.
    """
    half_hour = (np.arange(len(present)) * room.step_s // HALF_HOUR_S).astype(np.int64)
    near = (rng.random((half_hour[-1] + 1, room.max_people)) < 0.5)[half_hour]
    hour = np.arange(len(present)) * room.step_s % DAY_S / 3600
    awake = (hour < SLEEPS_H[0]) & (hour >= SLEEPS_H[1])
    dark = (hour < 8.5) | (hour > 16.5)
    return People(present, lamps & (awake & dark)[:, None], near & awake[:, None])


def _sessions(room: Room, rng: Generator) -> Day:
    """Return the days of a room to which people come together, several times a day."""
    part_s = (room.closes_h - room.opens_h) * 3600 / room.sessions_per_day

    def visits(day: int) -> Iterator[Visit]:
        for part in range(room.sessions_per_day if day % 7 < WORKING_DAYS else 0):
            length_s = rng.uniform(0.6, 1.0) * room.longest_session_s
            start_s = day * DAY_S + room.opens_h * 3600 + part * part_s + rng.uniform(0, part_s - length_s)
            for person in range(room.max_people):
                if rng.random() >= room.attendance:
                    continue
                # Half of the people leave together at the end, as in the UCI log.
                early_s = rng.uniform(0, length_s / 2) if rng.random() < 0.5 else 0.0
                yield person, start_s + rng.uniform(0, length_s / 2), start_s + length_s - early_s

    return visits


def _office(room: Room, rng: Generator) -> Day:
    """Return the days of an office: each person has usual hours, and leaves it for lunch on most days."""
    open_s = (room.closes_h - room.opens_h) * 3600
    comes_s = rng.uniform(0, 0.2, room.max_people) * open_s
    goes_s = open_s - rng.uniform(0, 0.25, room.max_people) * open_s

    def visits(day: int) -> Iterator[Visit]:
        if day % 7 >= WORKING_DAYS:
            return
        start_s = day * DAY_S + room.opens_h * 3600
        lunch_s = LUNCH * open_s + rng.normal(0, 600)
        for person in range(room.max_people):
            is_in, eats_out = rng.random(2) < (room.attendance, 0.8)
            moved_s = rng.normal(0, LATE_S, 2)
            out_s = lunch_s + rng.uniform(-300, 300), lunch_s + rng.uniform(1200, 3000)
            came_s, went_s = np.clip([comes_s[person] + moved_s[0], goes_s[person] + moved_s[1]], 0, open_s)
            if is_in and eats_out and came_s < out_s[0] and out_s[1] < went_s:
                yield person, start_s + came_s, start_s + out_s[0]
                yield person, start_s + out_s[1], start_s + went_s
            elif is_in and came_s < went_s:
                yield person, start_s + came_s, start_s + went_s

    return visits


def _meeting_room(room: Room, rng: Generator) -> Day:
    """Return the days of a meeting room: meetings of a half to two hours, on the half hour, some of them every week."""
    slots = int((room.closes_h - room.opens_h) * 2)
    first_s = math.ceil(room.opens_h * 2) * HALF_HOUR_S
    weekly = {day: [_meeting(room, slots, rng) for _ in range(2)] for day in range(WORKING_DAYS)}

    def visits(day: int) -> Iterator[Visit]:
        if day % 7 >= WORKING_DAYS:
            return
        booked = [each for each in weekly[day % 7] if rng.random() < 0.85]
        booked += [_meeting(room, slots, rng) for _ in range(rng.poisson(slots / 10))]
        taken = np.zeros(slots + 4, np.bool_)
        for first, length, people in booked:
            if taken[first : first + length].any():
                continue
            taken[first : first + length] = True
            start_s = first_s + first * HALF_HOUR_S
            here = rng.permutation(room.max_people)[:people]
            yield from _together(room, day, here, (start_s, start_s + length * HALF_HOUR_S), rng)

    return visits


def _meeting(room: Room, slots: int, rng: Generator) -> tuple[int, int, int]:
    """Return the first half hour of a meeting, how many half hours it takes, and how many people come."""
    return (
        int(rng.integers(max(slots, 1))),
        int(rng.integers(1, 5)),
        int(rng.integers(min(2, room.max_people), room.max_people + 1)),
    )


def _lecture_room(room: Room, rng: Generator) -> Day:
    """Return the days of a lecture room: a slot of two hours has the same lecture every week, or none."""
    slots = max(int((room.closes_h - room.opens_h) / 2), 1)
    is_given = rng.random((WORKING_DAYS, slots)) < 0.6
    share = rng.uniform(0.3, 1.0, (WORKING_DAYS, slots))

    def visits(day: int) -> Iterator[Visit]:
        for slot in np.flatnonzero(is_given[day % 7]).tolist() if day % 7 < WORKING_DAYS else []:
            if rng.random() >= 0.95:  # cancelled
                continue
            enrolled = rng.permutation(room.max_people)[: math.ceil(share[day % 7, slot] * room.max_people)]
            here = enrolled[rng.random(len(enrolled)) < room.attendance]
            start_s = (room.opens_h + 2 * slot) * 3600 + 900
            yield from _together(room, day, here, (start_s, start_s + 5400), rng)

    return visits


def _together(
    room: Room, day: int, people: NDArray[np.int64], planned_s: tuple[float, float], rng: Generator
) -> Iterator[Visit]:
    """Yield visits of people who come and leave within minutes of a planned start and end, in seconds of the day."""
    late_s = rng.normal(-60, 180, len(people))
    left_s = rng.exponential(120, len(people)) + rng.normal(0, 180)
    bounds_s = room.opens_h * 3600, room.closes_h * 3600
    arrivals_s, departures_s = np.clip([planned_s[0] + late_s, planned_s[1] + left_s], *bounds_s).tolist()
    for person, arrival_s, departure_s in zip(people.tolist(), arrivals_s, departures_s, strict=True):
        if arrival_s < departure_s:
            yield person, day * DAY_S + arrival_s, day * DAY_S + departure_s


def _home(room: Room, rng: Generator) -> Day:
    """Return the days of a home: people are away for work, and on some afternoons of weekends."""
    open_s = (room.closes_h - room.opens_h) * 3600
    goes_s = rng.uniform(0, 0.2, room.max_people) * open_s
    back_s = open_s - rng.uniform(0, 0.3, room.max_people) * open_s

    def visits(day: int) -> Iterator[Visit]:
        midnight_s = float(day * DAY_S)
        for person in range(room.max_people):
            is_away, trip = rng.random(2) < (room.attendance, 0.6)
            moved_s = rng.normal(0, LATE_S, 2)
            trip_s = rng.uniform(0, 0.5) * open_s, rng.uniform(0.1, 0.5) * open_s
            away_s = np.clip([goes_s[person] + moved_s[0], back_s[person] + moved_s[1]], 0, open_s)
            if day % 7 >= WORKING_DAYS:
                is_away, away_s = trip, np.array([trip_s[0], sum(trip_s)])
            left_s, came_s = (midnight_s + room.opens_h * 3600 + away_s).tolist()
            if is_away and left_s < came_s:
                yield person, midnight_s, left_s
                yield person, came_s, midnight_s + DAY_S
            else:
                yield person, midnight_s, midnight_s + DAY_S

    return visits


USES: Mapping[str, Callable[[Room, Generator], Day]] = {
    "sessions": _sessions,
    "office": _office,
    "meeting_room": _meeting_room,
    "lecture_room": _lecture_room,
    "home": _home,
}
"""How visits are drawn for each use of a room."""
