"""Inputs computed from sensors: people by the balance of CO2, loudness, motion and warming over spans of time."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.arrays import OUTSIDE, Floats, Ints, Rows
from occupancy.config import CENTRED, Kind
from occupancy.data import rolling
from occupancy.data.clock import wall_of
from occupancy.data.log import Log
from occupancy.data.rolling import by_stretch, samples_of
from occupancy.data.times import stretches
from occupancy.features.balance import Air, span_of
from occupancy.features.holes import extremes, fill_by_others
from occupancy.features.learned import Learned
from occupancy.features.regime import Regime
from occupancy.features.sensors import PHYSICS_KINDS, Features, check_inputs, columns_of
from occupancy.features.spans import (
    CHANGE_S,
    LATELY_S,
    LEVEL_S,
    MEAN_S,
    PRESENCE_S,
    Named,
    is_steady,
    of_motion,
    of_others,
    of_sound,
    of_temperature,
    others_of,
    without_sparse,
)

BALANCE_S = (330.0, 762.5, 1525.0)  # spans of the balance: 11, 25 and 50 samples of the UCI log
WARMING_S = 1200.0
QUIET_QUANTILE = 0.05  # of the readings of a sound sensor; it is taken as its reading in silence
CONSTANT = 1e-6  # an input with a smaller range on the training rows varies only by rounding

Readings = dict[Kind, Floats]


@dataclass(frozen=True)
class PhysicsFeatures:
    """The inputs of ``features: physics``, with constants and scaling from training rows.

    Sensors of one kind are sorted by their values, not by their names, so that the inputs do not depend on which
    desk people use. All spans lie before their row or, if ``centred``, around it; no span reaches past the end of
    its recording.

    - For each span of `BALANCE_S`: the people by the balance of CO2; and the CO2 above outdoors (ppm).
    - For each span of `LEVEL_S`: the mean loudness of each sound sensor and the share of samples with motion of each
      motion sensor, both in ascending order.
    - For each span of `LATELY_S`: whether there was any motion.
    - For each span of `PRESENCE_S`: whether there was any motion, the share of samples with motion, the share of loud
      sound sensors, and the loudness of the loudest one.
    - The median warming over `WARMING_S` (degrees per hour).
    - Of each sensor of another kind but light: the slope per hour over each span of `CHANGE_S`, unless the kind rests
      while nothing happens; and the mean over each span of `MEAN_S`, if it does or reads the same at rest every day.

    Loudness is the logarithm of the reading divided by the reading in silence, at least 0.

    A missing reading is replaced by what the other sensors of its kind read at the same time, compared with what each
    usually reads. Where all of a kind are missing, spans use the rows that have readings; an input whose span has too
    few (see `occupancy.data.rolling`) is NaN.

    Attributes:
        sensors: the sensor columns in their own units.
        air: the constants of the balance, if there is CO2.
        quiet: (sound sensors) the reading of each in silence, in its unit.
        low: (F,) smallest value of each input on the training rows.
        high: (F,) largest value of each input on the training rows.
        centred: whether spans lie around their row.
        regime: when the room is aired in another way than at rest; None if that is not known or makes no difference.
        steady: names of the sensors of other kinds whose level tells of people.
    """

    sensors: Features
    air: Air | None
    quiet: Floats
    low: Floats
    high: Floats
    centred: bool
    regime: Regime | None = None
    steady: tuple[str, ...] = ()

    @classmethod
    def fit(cls, log: Log, rows: Rows, centred: bool, seen: Rows | None = None) -> Self:
        """Return the inputs of a log, with constants and scaling from the given rows.

        The inputs of kinds of sensors that the log lacks are left out, see `absent_kinds`.

        Args:
            log: the log, with counts; only the given rows are read.
            rows: (N,) the training rows.
            centred: whether spans lie around their row.
            seen: (N,) the training rows and the rows without a count among them; None for the training rows.

        Warns:
            InputWarning: if the constants of the balance can't be estimated, or a column has no reading.

        Raises:
            InputError: if the log has none of the kinds of sensors that the inputs need.
        """
        asked = CENTRED if centred else "physics"
        seen = rows if seen is None else seen
        stretch = stretches(log.times, seen, log.max_gap)
        there = {column.kind for column in columns_of(log, asked)}
        sensors = Features.fit(without_sparse(log, rows), rows, sorted(there), seen).unscaled()
        readings = _by_kind(sensors, log.frame, stretch)
        air, regime, aired = None, None, None
        if "co2" in readings:
            counts = log.frame[log.schema.count].fillna(-1).to_numpy(np.int64)
            co2_ppm = readings["co2"].mean(axis=1)
            regime = Regime.fit(log, rows, sensors.columns)
            aired = None if regime is None else regime.at(log.frame, log.wall)
            air = Air.fit(co2_ppm, counts, stretch, sensors.step_s, f"features {asked}", aired)
            regime = None if air.aired_per_h is None else regime
        sound = readings.get("sound", np.empty((len(rows), 0)))[rows]
        quiet = np.array([_quiet(column[~np.isnan(column)]) for column in sound.T])
        day, others = log.wall[rows].normalize().asi8, [each.name for each in others_of(sensors.columns)]
        steady = tuple(name for name in others if is_steady(log.frame.loc[rows, name].to_numpy(np.float64), day))
        bare = cls(sensors, air, quiet, np.empty(0), np.empty(0), centred, regime, steady)
        holed = bool(log.missing[list(sensors.typical)].to_numpy()[seen].any())
        raw = [extremes(values[rows], holed) for _, _, values in bare._inputs(readings, stretch, aired)]
        low, high = np.array(raw).T
        return cls(sensors, air, quiet, low, high, centred, regime, steady)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each input, (F,)."""
        return tuple(name for _, name, _ in self._inputs(self._silence, np.zeros(1, np.int64)))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kind of sensors that each input is computed from, (F,)."""
        return tuple(kind for kind, _, _ in self._inputs(self._silence, np.zeros(1, np.int64)))

    @property
    def _silence(self) -> Readings:
        """A row of readings, which gives every input once."""
        widths = Counter(column.kind for column in self.sensors.columns)
        return {kind: np.zeros((1, width)) for kind, width in widths.items()}

    @property
    def typical(self) -> dict[str, float]:
        """Median on the training rows of each column that is read, by name."""
        return self.sensors.typical

    @property
    def step_s(self) -> float:
        """The step of the training log in seconds."""
        return self.sensors.step_s

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that the inputs of one row need."""
        others = (*MEAN_S, *CHANGE_S) if others_of(self.sensors.columns) else ()
        return max(*BALANCE_S, *LEVEL_S, *PRESENCE_S, *LATELY_S, WARMING_S, self.step_s, *others)

    def transform(self, frame: pd.DataFrame, stretch: Ints) -> NDArray[np.float32]:
        """Return the scaled inputs (N, F): 0 to 1 on the training rows, NaN outside every stretch.

        In a stretch, an input is NaN if too few of its readings are there.

        Args:
            frame: sensors on a time index, N rows; a column that it lacks has no reading.
            stretch: (N,) the stretch of each row; no span reaches past its ends.

        Raises:
            InputError: if the frame has none of the columns that the model was trained on, or a reading is so large
                that an input is not finite.
        """
        scaled = np.empty((len(frame), len(self.low)), np.float32)
        width = self.high - self.low
        width = np.where(width > CONSTANT, width, 1.0)
        names = []
        with np.errstate(over="ignore", invalid="ignore"):  # which the check names by input and time
            readings = _by_kind(self.sensors, frame, stretch)
            for position, (_, name, values) in enumerate(self._inputs(readings, stretch, self._aired(frame))):
                scaled[:, position] = (values - self.low[position]) / width[position]
                names.append(name)
        scaled[stretch == OUTSIDE] = np.nan
        check_inputs(scaled, names, stretch, frame.index)
        return scaled

    def to_settings(self) -> dict[str, Any]:
        """Return plain values from which `from_settings` makes equal inputs."""
        return {
            "sensors": self.sensors.to_settings(),
            "air": None if self.air is None else self.air.to_settings(),
            "quiet": self.quiet.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "centred": self.centred,
            "regime": None if self.regime is None else self.regime.to_settings(),
            "steady": list(self.steady),
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the inputs from the settings that `to_settings` gave.

        Raises:
            InputError: they are not as it gives them.
        """
        learned = Learned(settings, "features")
        sensors = Features.from_settings(learned.value("sensors"))
        kinds = [column.kind for column in sensors.columns]
        air = Air.from_settings(learned.value("air")) if "co2" in kinds else None
        quiet = np.empty(0)
        if "sound" in kinds:
            quiet = learned.numbers("quiet", (kinds.count("sound"),), 0.0, above=True)
        known = learned.value("regime") if "regime" in learned else None
        regime = None if known is None else Regime.from_settings(known)
        steady = tuple(map(str, learned.value("steady"))) if "steady" in learned else ()
        bare = cls(sensors, air, quiet, np.empty(0), np.empty(0), learned.flag("centred"), regime, steady)
        low, high = (learned.numbers(name, (len(bare.names),)) for name in ("low", "high"))
        return dataclasses.replace(bare, low=low, high=high)

    def _aired(self, frame: pd.DataFrame) -> Rows | None:
        return None if self.regime is None else self.regime.at(frame, wall_of(frame))

    def _inputs(self, readings: Readings, stretch: Ints, aired: Rows | None = None) -> Iterator[Named]:
        """Yield kind, name and values (N,) of each input, unscaled; one by one, since a log may be long."""
        over = partial(_over, stretch=stretch, step_s=self.step_s, centred=self.centred)
        if self.air is not None:
            co2_ppm = readings["co2"].mean(axis=1)
            for span_s in BALANCE_S:
                span = span_of(co2_ppm, stretch, self.step_s, span_s, self.centred)
                yield "co2", f"people_{span_s:g}", self.air.people(span, aired)
            yield "co2", "co2_excess", co2_ppm - self.air.outdoor_ppm
        if "sound" in readings:
            loudness = np.log(np.maximum(readings["sound"] / self.quiet, 1.0))
            yield from of_sound(fill_by_others(loudness), over)
        if "motion" in readings:
            yield from of_motion(readings["motion"], over)
        if "temperature" in readings:
            yield from of_temperature(readings["temperature"], over, WARMING_S, self.step_s)
        others = others_of(self.sensors.columns)
        for kind in sorted({column.kind for column in others}):
            own = [column for column in others if column.kind == kind]
            yield from of_others(own, readings[kind], over, self.step_s, self.steady)


def absent_kinds(log: Log) -> list[Kind]:
    """Return the kinds of sensors that the inputs need and the log lacks."""
    there = {column.kind for column in log.schema.columns if column.name in log.frame}
    return [kind for kind in sorted(PHYSICS_KINDS) if kind not in there]


def _by_kind(sensors: Features, frame: pd.DataFrame, stretch: Ints) -> Readings:
    """Return the readings (N, sensors) of each kind; NaN outside every stretch, and where one is missing.

    A CO2 or motion sensor without a reading gets what the others of its kind say.
    """
    values = sensors.readings(frame, stretch).astype(np.float64)
    usual = sensors.usual
    found: Readings = {}
    for kind in {column.kind for column in sensors.columns}:
        own = np.array([column.kind == kind for column in sensors.columns])
        offset = usual[own] if kind == "co2" else None
        found[kind] = fill_by_others(values[:, own], offset) if kind in {"co2", "motion"} else values[:, own]
    return found


def _quiet(sound: Floats) -> float:
    """Return the reading of a sound sensor in silence from its readings (n,)."""
    # A sensor that reads 0 in silence would give a ratio to 0: use a hundredth of its largest reading instead.
    return max(float(np.quantile(sound, QUIET_QUANTILE)), max(float(sound.max()), 1e-6) / 100)


def _over(
    values: Floats,
    span_s: float,
    function: Callable[[Floats, int], Floats] = rolling.mean,
    *,
    stretch: Ints,
    step_s: float,
    centred: bool,
) -> Floats:
    """Return a function of the span at each row, for each column (N, M), (N, M)."""
    samples = samples_of(span_s, step_s)
    return np.stack([by_stretch(function, column, stretch, samples, centred) for column in values.T], axis=1)
