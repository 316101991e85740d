"""What working sensors read where a model was trained; it is kept with the model, and later readings are held to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from occupancy.arrays import Floats, Rows
from occupancy.config import Section
from occupancy.data.log import Log
from occupancy.data.times import steps_of
from occupancy.errors import InputError
from occupancy.health.scene import RISE_S, SOUND_S, Scene, Signs, runs_of, total

FILE = "health.json"
"""The file of the profile beside a saved model."""
LARGEST_BYTES = 2**24
LEAST_S = 1800.0
"""Seconds of an empty room from which signs of people can be learned."""
_NEVER = 0.998  # quantile of empty rows: a window bangs in them too

Number = Annotated[float, Field(ge=-1e30, le=1e30)]
Length = Annotated[float, Field(ge=0, le=1e12)]
Name = Annotated[str, Field(max_length=500)]


class Sensor(Section):
    """What a working sensor reads."""

    low: Number
    """The smallest reading."""
    high: Number
    """The largest one."""
    rest: Number | None = None
    """The reading in an empty room at rest; null if there was none."""
    quiet: Number
    """The 5 % quantile of the readings."""
    change: Length
    """The change between two rows, without a gap, that one in a thousand exceeds."""
    longest_s: Length
    """The longest run of one value, in seconds; for a motion sensor, of motion."""
    longest_rows: Annotated[int, Field(ge=0)]
    """The same in rows."""
    busy_s: Length
    """The longest time in a run of one value in which other sensors showed people, in seconds; for a motion sensor, in
    a run without motion."""
    missing: Annotated[float, Field(ge=0, le=1)]
    """The share of readings that were missing."""


class Profile(Section):
    """What working sensors read in the rows that a model learned from."""

    version: Literal[1] = 1
    """The version of the format."""
    step_s: Annotated[float, Field(ge=1e-3, le=1e9)]
    """Seconds between two rows."""
    most_people: Annotated[int, Field(ge=0)]
    """The largest count."""
    sensors: Annotated[dict[Name, Sensor], Field(max_length=5000)]
    """The sensors, by name; those that the model does not read may still show people."""
    read: Annotated[list[Name], Field(max_length=5000)]
    """The names of the sensors that the model reads."""
    loud: Annotated[dict[Name, Number], Field(max_length=5000)]
    """See `Signs.loud`."""
    rise: Number | None
    """See `Signs.rise`."""
    silence_s: Length
    """The longest time without any motion in which other sensors showed people, in seconds."""

    @property
    def signs(self) -> Signs:
        """What readings show people."""
        return Signs(self.loud, self.rise)


def learn(log: Log, rows: Rows, read: Collection[str]) -> Profile:
    """Return the profile of sensors.

    Args:
        log: a labelled log.
        rows: (N,) the rows that the model has learned from; no other is read.
        read: the names of the sensors that it reads.
    """
    own = dataclasses.replace(log, frame=log.frame[rows], missing=log.missing[rows], lines=None)
    scene = Scene.of(own, step_s=log.step_s if log.step_s > 0 else 0.0)
    signs = learn_signs(scene)
    people = np.zeros(0) if scene.people is None else scene.people[~np.isnan(scene.people)]
    motion = scene.of_kind("motion")
    silence_s = 0.0
    if motion:
        known = scene.readings[motion].notna().any(axis=1)
        seen = np.where(known, scene.readings[motion].max(axis=1) > 0, np.nan)
        silence_s = longest_silence(scene, seen, scene.loud(signs) | scene.rising(signs))
    return Profile(
        step_s=scene.step_s,
        most_people=int(people.max(initial=0)),
        sensors={
            column.name: _learn_one(scene, column.name, signs)
            for column in scene.columns
            if scene.readings[column.name].notna().any()
        },
        read=[column.name for column in scene.columns if column.name in read],
        loud=dict(signs.loud),
        rise=signs.rise,
        silence_s=silence_s,
    )


def learn_signs(scene: Scene) -> Signs:
    """Return what readings show people, by the rows that are labelled as empty; nothing if these are too few."""
    empty = scene.empty
    if scene.seconds[empty].sum() < LEAST_S:
        return Signs()
    loud = {}
    for name in scene.of_kind("sound"):
        means = scene.mean(scene.readings[name], SOUND_S).to_numpy()[empty]
        means = means[~np.isnan(means)]
        if len(means):
            typical = float(np.median(means))
            loud[name] = float(np.quantile(means, _NEVER)) + 0.25 * abs(typical)
    rises = [scene.rise(name, RISE_S)[empty] for name in scene.of_kind("co2")]
    known = np.concatenate(rises)[~np.isnan(np.concatenate(rises))] if rises else np.empty(0)
    # A tenth more than ever, and more than a reading's own rounding.
    rise = max(float(np.quantile(known, _NEVER)) * 1.1, 10.0) if len(known) else None
    return Signs(loud, rise)


def people_shown(scene: Scene, name: str, signs: Signs) -> Rows:
    """Return where sensors other than one show people, (N,)."""
    kind = next(column.kind for column in scene.columns if column.name == name)
    others = [other for other in scene.of_kind("motion") if other != name]
    shown = scene.moving(others)
    if kind != "sound":
        shown = shown | scene.loud(signs)
    return shown if kind != "motion" else shown | scene.rising(signs)


def longest_silence(scene: Scene, seen: Floats, shown: Rows) -> float:
    """Return the longest time, in seconds, in which people are shown (N,) but no motion is seen (N,)."""
    first, last = runs_of(scene, seen)
    silent = seen[first] == 0
    return float(total(scene.seconds * shown, first[silent], last[silent]).max(initial=0.0))


def _learn_one(scene: Scene, name: str, signs: Signs) -> Sensor:
    values = scene.values(name)
    known = values[~np.isnan(values)]
    shown = people_shown(scene, name, signs)
    first, last = runs_of(scene, values)
    lengths = total(scene.seconds, first, last)
    if name in scene.of_kind("motion"):
        lengths = np.where(values[first] > 0, lengths, 0.0)
        busy_s = longest_silence(scene, np.where(np.isnan(values), np.nan, values > 0), shown)
    else:
        busy_s = float(total(scene.seconds * shown, first, last).max())
    changes = np.abs(np.diff(values))[steps_of(scene.times) <= scene.max_gap]
    changes = changes[~np.isnan(changes)]
    rest = values[scene.empty & ~np.isnan(values)]
    return Sensor(
        low=float(known.min()),
        high=float(known.max()),
        rest=float(np.quantile(rest, 0.05)) if len(rest) * scene.step_s >= LEAST_S else None,
        quiet=float(np.quantile(known, 0.05)),
        change=float(np.quantile(changes, 0.999)) if len(changes) else 0.0,
        longest_s=float(lengths.max()),
        longest_rows=int((last - first + 1)[lengths.argmax()]),
        busy_s=busy_s,
        missing=float(np.isnan(values).mean()),
    )


def read_profile(folder: Path) -> Profile | None:
    """Return the profile beside a saved model; None if an earlier version saved the model, without one.

    Raises:
        InputError: it is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    if path.stat().st_size > LARGEST_BYTES:
        raise InputError(f"{path}: the model is damaged, {FILE} is too large; save it again")
    try:
        return Profile.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: the model is damaged, {FILE} can't be read ({said}); save it again") from None
