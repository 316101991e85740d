"""The count that explains the CO2 of a room, from the mass balance of breathing and ventilation."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Config, Kind, MassBalance
from occupancy.data import rolling
from occupancy.data.clock import wall_of
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.times import check_cadence, stretches
from occupancy.errors import InputError, InputWarning
from occupancy.features.balance import Air, span_of
from occupancy.features.holes import fill_by_others
from occupancy.features.regime import Regime
from occupancy.features.sensors import Features, columns_of
from occupancy.models.base import OneStepEstimator
from occupancy.models.estimator import VOLUME, read_settings
from occupancy.models.holes import read_shares, unanswered
from occupancy.models.postprocess.calibration import label_shares
from occupancy.models.rooms import sizes_of
from occupancy.prediction import Prediction, from_people, scatter

USUAL_VAR = 1.0  # residual variance, people squared, if the learned rows hold no empty ones to measure it


class MassBalanceEstimator(OneStepEstimator):
    """Solves the mass balance of CO2 in a well-mixed room for the people in it.

    ``V dC/dt = G N - k V (C - C0)``, with ``N`` people, CO2 ``C`` in the room and ``C0`` outdoors. The slope is that of
    a line fitted to a trailing span, and ``C`` is the mean over the span: a linear equation also holds for averages,
    so ``N`` is a mean over the span too. If no motion sensor fired recently, ``N`` is 0. Rows without enough readings
    of CO2 are not answered; where motion is missing, ``N`` is not set to 0.

    ``V`` and ``G`` are settings. ``C0`` is a low quantile of the CO2 in the learned rows. ``k`` is the value that
    balances the equation in the empty room; labels are used only to find its rows.
    """

    def __init__(self, config: Config, settings: MassBalance) -> None:
        super().__init__(config)
        self.settings = settings
        self.features: Features  # not scaled: in the units of the sensors
        self.air: Air
        self.centred = config.looks_ahead
        self.residual_var = USUAL_VAR
        self.shares: Floats = np.empty(0)
        self.volume_m3 = settings.volume_m3 or math.nan
        self.regime: Regime | None = None

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs."""
        return max(self.settings.slope_s, self.settings.gate_s, self.features.step_s)

    @property
    def parameters(self) -> int:
        """How many numbers were learned: the CO2 outdoors and the air-change rate."""
        return 2

    def check(self, log: Log) -> None:
        """Check that the chosen columns of a log measure CO2.

        Raises:
            InputError: if they do not.
        """
        if any(column.kind == "co2" for column in columns_of(log, self.config.features)):
            return
        if any(column.kind == "co2" for column in columns_of(log, "all")):
            raise InputError(f"features: got {self.config.features!r}, but the model mass_balance needs co2; add it")
        raise InputError(
            f"model: mass_balance needs a column of kind co2, but the log {log.name!r} has none; use another model"
        )

    def _fit(self, fold: Fold) -> None:
        """Learn from a fold's rows.

        The residual variance is the mean square of the people found in the empty room, before gate and clipping,
        and is used for all rows. A gated row is more certain than that, and an occupied row less certain, because
        people breathe differently; but that could be learned only from labels of how many people there were.

        Warns:
            InputWarning: if there is no motion sensor, or the air-change rate cannot be found in the log.

        Raises:
            InputError: if there is no CO2 sensor, or ``features`` leaves it out.
        """
        log, learned = fold.log, self.learned(fold)
        self.check(log)
        seen = fold.seen(learned)
        self.features = Features.fit(log, learned, _kinds(log, self.config), seen).unscaled()
        if all(column.kind != "co2" for column in self.features.columns):
            raise InputError("model: mass_balance needs readings of co2, but the training rows have none")
        self.shares = label_shares(fold.counts(learned), self.classes)
        stretch = stretches(log.times, seen, log.max_gap)
        co2_ppm = self._read("co2", log.frame, stretch)
        counts = log.frame[log.schema.count].fillna(-1).to_numpy(np.int64)
        empty = learned & (counts == 0)
        self.volume_m3 = self.settings.volume_m3 or log.schema.volume_m3 or math.nan
        regime = Regime.fit(log, learned, columns_of(log, self.config.features))
        aired = None if regime is None else regime.at(log.frame, log.wall)
        person = None if math.isnan(self.volume_m3) else self._breathed / self.volume_m3
        step_s, span_s = self.features.step_s, self.settings.slope_s
        self.air = Air.fit(co2_ppm, counts, stretch, step_s, "mass_balance", aired, person, span_s)
        self.regime = None if self.air.aired_per_h is None else regime
        if person is None:
            self.volume_m3 = self._volume_told()
        people, _ = self._people(log.frame, stretch, aired)
        found = (people * sizes_of(log, self.volume_m3))[empty]
        found = found[~np.isnan(found)]
        self.residual_var = float(np.mean(np.square(found))) if len(found) else USUAL_VAR

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return predictions for the given rows (N,) of a frame of sensors; earlier rows serve as history.

        Raises:
            InputError: if the frame has no sensor that the model was trained on, or has another step.
        """
        times = pd.DatetimeIndex(frame.index)
        settings = self.config.data
        check_cadence(self.features.step_s, times, settings.max_gap)
        stretch = stretches(times, np.ones(len(frame), bool), settings.max_gap)
        size = (frame.attrs.get(VOLUME) or self.volume_m3) / self.volume_m3
        aired = None if self.regime is None else self.regime.at(frame, wall_of(frame))
        balanced, spread = self._people(frame, stretch, aired)
        found = (balanced * size).clip(0.0, settings.max_count)
        people = np.where(self._moved(frame, stretch), found, 0.0)
        causal, known = not self.centred, ~np.isnan(found)

        def counted(asked: Rows) -> Prediction:
            residual_var = self.residual_var + np.square(spread[asked] * size)
            return from_people(times[asked], people[None, asked], residual_var, settings.max_count, causal)

        if known[rows].all():
            return counted(rows)
        silent = unanswered(times[rows & ~known], self.shares, causal)
        return scatter([(known[rows], counted(rows & known)), (~known[rows], silent)])

    def save(self, folder: Path) -> None:
        """Write what was learned as JSON into a folder."""
        self.write(
            folder,
            features=self.features.to_settings(),
            air=self.air.to_settings(),
            residual_var=self.residual_var,
            shares=self.shares.tolist(),
            volume_m3=self.volume_m3,
            regime=None if self.regime is None else self.regime.to_settings(),
        )

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder."""
        learned = read_settings(folder)
        self.features = Features.from_settings(learned.value("features"))
        if all(column.kind != "co2" for column in self.features.columns):
            raise learned.wrong("features", "a column of kind co2")
        self.air = Air.from_settings(learned.value("air"))
        self.residual_var = learned.number("residual_var", 0.0)
        self.shares = read_shares(learned, self.classes)
        if "volume_m3" in learned:  # earlier versions had that of the settings
            self.volume_m3 = learned.number("volume_m3", 0.001, 1e9)
        if "regime" in learned and (regime := learned.value("regime")) is not None:
            self.regime = Regime.from_settings(regime)

    @property
    def _breathed(self) -> float:
        """CO2 of one person, in ppm m3 per hour: a litre in a cubic metre is 1000 ppm."""
        return self.settings.generation_l_per_h * 1e3

    def _volume_told(self) -> float:
        """Return the volume in which people add as much CO2 as the labels say, with a warning that it is used."""
        volume_m3 = self._breathed / self.air.person_ppm_per_h
        shown = f"{float(f'{volume_m3:.2g}'):,g}"
        warnings.warn(
            f"mass_balance: the volume of the room is not known; the labels show {shown} m3, which is used; give the "
            "schema its volume_m3",
            InputWarning,
            stacklevel=4,
        )
        return volume_m3

    def _people(self, frame: pd.DataFrame, stretch: Ints, aired: Rows | None) -> tuple[Floats, Floats]:
        """Return the people that the balance gives for each row, (N,), which noise can make negative, and their error.

        The standard error (N,) is that of a rate that was estimated with people in, and 0 at other rows.
        """
        co2_ppm = self._read("co2", frame, stretch)
        span = span_of(co2_ppm, stretch, self.features.step_s, self.settings.slope_s, self.centred)
        return self.air.people(span, aired), self.air.spread(span, aired)

    def _moved(self, frame: pd.DataFrame, stretch: Ints) -> Rows:
        """Return whether a motion sensor fired recently, (N,); True where there is no reading that says so."""
        if all(column.kind != "motion" for column in self.features.columns):
            return np.ones(len(frame), bool)
        motion = self._read("motion", frame, stretch)
        samples = rolling.samples_of(self.settings.gate_s, self.features.step_s)
        moving = rolling.by_stretch(rolling.mean, motion, stretch, samples, self.centred)
        return (moving > 0) | np.isnan(moving)

    def _read(self, kind: Kind, frame: pd.DataFrame, stretch: Ints) -> Floats:
        """Return the mean of all sensors of a kind, (N,) in their unit; NaN outside every stretch and without any."""
        chosen = [column.kind == kind for column in self.features.columns]
        usual = self.features.usual[chosen]
        readings = fill_by_others(self.features.readings(frame, stretch)[:, chosen], usual if kind == "co2" else None)
        return np.asarray(readings.mean(axis=1, dtype=np.float64))


def _kinds(log: Log, config: Config) -> list[Kind]:
    """Return which of CO2 and motion the chosen columns of a log measure."""
    if any(column.kind == "motion" for column in columns_of(log, config.features)):
        return ["co2", "motion"]
    warnings.warn(
        "mass_balance: the features have no column of kind motion, so counts are not set to 0 where nothing moves",
        InputWarning,
        stacklevel=4,
    )
    return ["co2"]
