"""The room model as an estimator: it learns from sensors, with counts or without, and filters or smooths the count."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import default_rng

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Config, Kind, RoomModel
from occupancy.data.clock import wall_of
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.times import check_cadence, stretches
from occupancy.errors import InputError
from occupancy.features.holes import fill_by_others
from occupancy.features.sensors import Features, columns_of
from occupancy.models.base import OneStepEstimator
from occupancy.models.estimator import VOLUME, read_settings
from occupancy.models.memory import runs
from occupancy.models.room_model.airing import Airing
from occupancy.models.room_model.evidence import Emission, Fired, silence
from occupancy.models.room_model.people import Chain
from occupancy.models.room_model.priors import OUTDOOR as OUTDOORS
from occupancy.models.room_model.priors import PERSON, RATE, STRATA_STD, Prior, in_units
from occupancy.models.room_model.record import Record
from occupancy.models.room_model.search import Room, Sensors, search, weigh
from occupancy.models.rooms import sizes_of
from occupancy.prediction import Prediction, decide, from_probabilities

READ: tuple[Kind, ...] = ("co2", "motion", "sound")
"""The kinds of sensors that the model reads."""
UNHEARD_S = 1800.0
"""Seconds without any reading after which a row is not answered."""
ROUNDS, MORE_ROUNDS = 24, 16
"""Rounds of the search with one regime of the air, and then with two."""
MOST_WORK = 2_000_000
"""The most rows times counts squared that the parameters are searched with; of more, the last rows are used."""


class RoomModelEstimator(OneStepEstimator):
    """A hidden count that drives the CO2 of a room, its motion sensors and its microphones.

    See ``docs/room_model.md``. The parameters are found by the marginal likelihood of the sensors, with known counts
    clamped; several sets of them are kept, and their probabilities averaged by weight.
    """

    def __init__(self, config: Config, settings: RoomModel) -> None:
        super().__init__(config)
        self.settings = settings
        self.features: Features  # not scaled: in the units of the sensors
        self.quiet: Floats = np.empty(0)
        self.rooms: list[Room] = []
        self.volume_m3 = settings.volume_m3 or math.nan
        self.seen_h, self.labels = 0.0, 0

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs, until the start of the recursion is forgotten."""
        return self.settings.history_s

    @property
    def parameters(self) -> int:
        """How many numbers were learned: of the air, of people, and of what sensors notice."""
        room = self.rooms[0]
        tables = sum(emission.table.size + 1 for emission in room.emissions.values())
        return int(room.theta.shape[1] + room.chain.rates.size + room.chain.hours.size + 2 + tables)

    def check(self, log: Log) -> None:
        """Check that the chosen columns of a log have a sensor that the model reads.

        Raises:
            InputError: if they do not.
        """
        _kinds(log, self.config)

    def _fit(self, fold: Fold) -> None:
        """Learn from the sensors of a fold's rows, and from their counts as ``model.labels`` says.

        Raises:
            InputError: if ``features`` leaves out every sensor that the model reads.
        """
        log, learned = fold.log, self.learned(fold)
        seen = fold.seen(learned)
        self.features = Features.fit(log, learned, _kinds(log, self.config), seen).unscaled()
        stretch = stretches(log.times, seen, log.max_gap)
        readings = self._readings(log.frame, stretch)
        self.quiet = silence(readings["sound"][seen]) if "sound" in readings else np.empty(0)
        self.volume_m3 = self._volume(log)
        labels = np.full(len(seen), -1)
        if self.settings.labels == "all":
            labels[learned] = fold.counts(learned)
        parts = [np.flatnonzero(stretch == number) for number in np.unique(stretch[seen])]
        whole = self._record(parts, log.wall, log.times, readings, sizes_of(log, self.volume_m3), labels)
        record = whole.last(max(MOST_WORK // self.classes**2, 1000))
        self.seen_h, self.labels = float(record.seconds.sum() / 3600), int((record.labels >= 0).sum())
        self.rooms = self._search(record)

    def _search(self, record: Record) -> list[Room]:
        """Return the rooms that explain rows: one, or several that begin with different volumes if none is known."""
        settings = self.settings
        volume_m3 = None if math.isnan(self.volume_m3) else self.volume_m3
        prior = Prior.of(record.co2_ppm, settings.generation_l_per_h, volume_m3)
        emissions = {
            kind: Emission.of_kind(kind, number, self.classes, self.features.step_s)
            for kind, number in self._numbers().items()
        }
        chain, co2 = Chain.usual(self.classes), Sensors.of(record.co2_ppm)
        known = volume_m3 is not None or bool((record.labels > 0).any())
        found: list[Room] = []
        for place, shift in enumerate(STRATA_STD[:1] if known else STRATA_STD):
            begin, rng = prior.mean.copy(), default_rng([self.config.seed, place])
            begin[PERSON] += shift * prior.std[PERSON]
            room = Room(begin[None], np.ones(1), chain, Airing.single(), emissions, co2)
            still = search(room, record, prior, ROUNDS, settings.sets, rng)
            room = dataclasses.replace(still, theta=still.theta[:1], airing=Airing.usual())
            found += [still, search(room, record, prior, MORE_ROUNDS, settings.sets, rng)]
        return weigh(found, settings.sets)

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return predictions for the given rows (N,) of a frame of sensors, see `Estimator.predict`.

        The recursion starts where the recording starts, or the permitted past in it.

        Raises:
            InputError: if the frame has no sensor that the model was trained on, or has another step.
        """
        times, max_gap, ahead = pd.DatetimeIndex(frame.index), self.config.data.max_gap, self.config.looks_ahead
        check_cadence(self.features.step_s, times, max_gap)
        readings = self._readings(frame, stretches(times, np.ones(len(frame), bool), max_gap))
        parts = runs(times, rows, past, max_gap, causal=not ahead)
        size = np.full(len(frame), (frame.attrs.get(VOLUME) or self.volume_m3) / self.volume_m3)
        size[np.isnan(size)] = 1.0
        record = self._record(parts, wall_of(frame), times, readings, size, np.full(len(frame), -1))
        asked = rows[np.concatenate(parts)]
        probs = np.zeros((int(asked.sum()), self.classes))
        people, squares = np.zeros(len(probs)), np.zeros(len(probs))
        for room in self.rooms:
            for weight, found in zip(room.weights, room.posteriors(record, ahead), strict=True):
                mean = found[asked] @ np.arange(self.classes)
                probs += weight * found[asked]
                people += weight * mean
                squares += weight * mean**2
        prediction = from_probabilities(times[rows], (probs / probs.sum(axis=1, keepdims=True))[None], not ahead)
        prediction = decide(prediction, "squared", np.sqrt(np.maximum(squares - people**2, 0.0)))
        heard = _heard(record)[asked]
        return prediction if heard.all() else dataclasses.replace(prediction, answered=heard)

    def found(self) -> dict[str, float]:
        """Return what the model found, for people; each is the mean over its sets of parameters.

        Air changes per hour, CO2 outdoors in ppm, what one person adds in the end in ppm, hours of sensors seen, and
        the number of counts that were used.
        """
        units = np.concatenate([in_units(room.theta) for room in self.rooms])
        weights = np.concatenate([room.weights for room in self.rooms])
        return {
            "air_changes_per_h": float(weights @ units[:, RATE]),
            "outdoor_ppm": float(weights @ units[:, OUTDOORS]),
            "person_ppm": float(weights @ (units[:, PERSON] / units[:, RATE])),
            "seen_h": self.seen_h,
            "labels": float(self.labels),
        }

    def save(self, folder: Path) -> None:
        """Write what was learned as JSON into a folder."""
        self.write(
            folder,
            features=self.features.to_settings(),
            quiet=self.quiet.tolist(),
            volume_m3=None if math.isnan(self.volume_m3) else self.volume_m3,
            seen_h=self.seen_h,
            labels=self.labels,
            rooms=[room.to_settings() for room in self.rooms],
        )

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder."""
        learned = read_settings(folder)
        self.features = Features.from_settings(learned.value("features"))
        if not {column.kind for column in self.features.columns} & set(READ):
            raise learned.wrong("features", f"a column of kind {', '.join(READ)}")
        numbers = self._numbers()
        self.quiet = learned.numbers("quiet", (numbers["sound"],), 0.0) if "sound" in numbers else np.empty(0)
        known = learned.value("volume_m3") is not None
        self.volume_m3 = learned.number("volume_m3", 0.001, 1e9) if known else math.nan
        self.seen_h, self.labels = learned.number("seen_h", 0.0), learned.whole("labels")
        rooms = learned.value("rooms")
        if not isinstance(rooms, list) or not rooms:
            raise learned.wrong("rooms", "one room or more")
        self.rooms = [Room.from_settings(learned.item("rooms", n), numbers, self.classes) for n in range(len(rooms))]

    def _numbers(self) -> dict[str, int]:
        """Return how many sensors there are of each kind whose firing is counted."""
        kinds = [column.kind for column in self.features.columns]
        return {kind: kinds.count(kind) for kind in ("motion", "sound") if kind in kinds}

    def _readings(self, frame: pd.DataFrame, stretch: Ints) -> dict[Kind, Floats]:
        """Return the readings of each kind, (N, sensors); NaN where one is missing or outside every stretch."""
        values = self.features.readings(frame, stretch).astype(np.float64)
        chosen = {kind: np.array([column.kind == kind for column in self.features.columns]) for kind in READ}
        found = {kind: values[:, own] for kind, own in chosen.items() if own.any()}
        if "co2" in found:
            found["co2"] = fill_by_others(found["co2"], self.features.usual[chosen["co2"]])
        return found

    def _record(
        self,
        parts: Sequence[Ints],
        wall: pd.DatetimeIndex,
        times: pd.DatetimeIndex,
        readings: Mapping[Kind, Floats],
        size: Floats,
        labels: Ints,
    ) -> Record:
        """Return what the recursion reads of runs of rows (positions); all else is of N rows."""
        fired = {}
        if "motion" in readings:
            fired["motion"] = Fired.of_motion(readings["motion"])
        if "sound" in readings:
            fired["sound"] = Fired.of_sound(readings["sound"], self.quiet)
        co2_ppm = readings["co2"].mean(axis=1) if "co2" in readings else np.full(len(times), np.nan)
        return Record.of(parts, wall, times, co2_ppm, fired, size, labels)

    def _volume(self, log: Log) -> float:
        """Return the volume of the room that the parameters are for; NaN if it is not known."""
        places = [place.volume_m3 for place in log.rooms if place.volume_m3]
        usual = float(np.median(places)) if places else math.nan
        return self.settings.volume_m3 or log.schema.volume_m3 or usual


def _kinds(log: Log, config: Config) -> list[Kind]:
    """Return the kinds of sensors that the model reads, of those that the features of an experiment choose."""
    there = {column.kind for column in columns_of(log, config.features)}
    kinds: list[Kind] = [kind for kind in READ if kind in there]
    needed = ", ".join(READ)
    if not {column.kind for column in columns_of(log, "all")} & {*READ}:
        raise InputError(
            f"model: room_model needs a column of kind {needed}, but the log {log.name!r} has none; use another model"
        )
    if not kinds:
        raise InputError(f"features: got {config.features!r}, but the model room_model needs one of {needed}; add it")
    return kinds


def _heard(record: Record) -> Rows:
    """Return which rows (T,) have a reading lately."""
    there = ~np.isnan(record.co2_ppm)
    for fired in record.fired.values():
        there |= fired.there > 0
    clock = np.cumsum(record.seconds)
    run = np.cumsum(record.starts)
    last = np.maximum.accumulate(np.where(there, np.arange(len(record)), -1))
    known = (last >= 0) & (run[last.clip(0)] == run)
    return np.asarray(known & (clock - clock[last.clip(0)] <= UNHEARD_S))
