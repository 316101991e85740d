"""The count that explains the CO2 of a room: what people breathe out stays or is aired."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.config import Config, Kind, MassBalance
from occupancy.data.features import Features, Floats, Ints, Rows, columns_of, stretches, trailing_slope
from occupancy.data.folds import Fold
from occupancy.data.table import Log
from occupancy.errors import InputError, InputWarning
from occupancy.models.baselines import Baseline
from occupancy.models.estimator import OnEpoch, read_settings
from occupancy.prediction import Prediction, from_people

LOWEST = 0.01  # share of the learned rows that may read less CO2 than there is outdoors: slips of the sensor
ENOUGH_S = 1200.0  # an empty room that is seen for less tells no air-change rate
PLAUSIBLE_PER_H = (0.05, 20.0)  # air changes, from a sealed room to a laboratory's fume hoods
USUAL_PER_H = 0.75  # air changes of a room with closed windows, where the log tells none
USUAL_VAR = 1.0  # people squared, where the log has no empty rows to be wrong at


class MassBalanceEstimator(Baseline):
    """Solves the mass balance of CO2 in a well-mixed room for the people in it.

    ``V dC/dt = G N - k V (C - C0)``, with ``N`` people, ``C`` the CO2 and ``C0`` that of the air outdoors.
    The slope is that of a line through a trailing span and ``C`` the mean over it, since averaging leaves
    a linear equation as it is; so ``N`` is a mean over that span too. Where no motion sensor fired of late,
    ``N`` is 0.

    ``V`` and ``G`` are settings. ``C0`` is a low quantile of the learned rows' CO2. ``k`` is what makes the
    balance of an empty room come out, and to find its rows is all that labels are used for.
    """

    def __init__(self, config: Config, settings: MassBalance) -> None:
        super().__init__(config)
        self.settings = settings
        self.features: Features  # in the units of the sensors: not scaled
        self.outdoor_ppm = np.nan
        self.air_changes_per_h = USUAL_PER_H
        self.residual_var = USUAL_VAR

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs."""
        return max(self.settings.slope_s, self.settings.gate_s, self.features.step_s)

    @property
    def parameters(self) -> int:
        """How many numbers were learned: the CO2 outdoors and the air-change rate."""
        return 2

    def fit(self, fold: Fold, on_epoch: OnEpoch) -> None:
        """Learn from a fold's rows; there is no epoch to report.

        The residual variance is the mean square of the people found in the empty room, before gate and
        clipping: the error where the truth is known without asking how many. It holds for all rows. That a gated
        row is surer, and an occupied one less sure as people breathe differently, only labels could tell.

        Warns:
            InputWarning: there is no motion sensor, or the log tells no air-change rate.

        Raises:
            InputError: there is no CO2 sensor, or ``features`` leaves it out.
        """
        log, learned = fold.log, self.learned(fold)
        features = Features.fit(log, learned, _kinds(log, self.config))
        width = len(features.columns)
        self.features = dataclasses.replace(features, low=np.zeros(width), high=np.ones(width))
        stretch = stretches(log.times, learned, log.max_gap)
        self.outdoor_ppm = float(np.quantile(self._read("co2", log.frame, stretch)[learned], LOWEST, method="lower"))
        empty = learned.copy()
        empty[learned] = fold.counts(learned) == 0
        self.air_changes_per_h = self._air_changes(log, empty)
        found = self._people(log.frame, stretch)[empty]
        self.residual_var = float(np.mean(np.square(found))) if len(found) else USUAL_VAR

    def predict(self, frame: pd.DataFrame, rows: Rows) -> Prediction:
        """Return predictions for the given rows (N,) of a frame of sensors; earlier rows serve as history.

        Raises:
            InputError: the frame lacks a sensor that the model was trained on, or has another step.
        """
        times = pd.DatetimeIndex(frame.index)
        settings = self.config.data
        self.features.check_step(times, settings.max_gap)
        stretch = stretches(times, np.ones(len(frame), bool), settings.max_gap)
        found = self._people(frame, stretch).clip(0.0, settings.max_count)
        people = np.where(self._moved(frame, stretch), found, 0.0)
        return from_people(times[rows], people[None, rows], self.residual_var, settings.max_count)

    def save(self, folder: Path) -> None:
        """Write what was learned as JSON into a folder."""
        learned = ("outdoor_ppm", "air_changes_per_h", "residual_var")
        self.write(folder, features=self.features.to_settings(), **{name: getattr(self, name) for name in learned})

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder."""
        settings = read_settings(folder)
        self.features = Features.from_settings(settings["features"])
        self.outdoor_ppm = settings["outdoor_ppm"]
        self.air_changes_per_h = settings["air_changes_per_h"]
        self.residual_var = settings["residual_var"]

    def _air_changes(self, log: Log, empty: Rows) -> float:
        """Return the air changes per hour in the empty rows (N,) of a log, or the usual ones with a warning.

        Without people the slope is ``-k (C - C0)``: a line through the origin, fitted by least absolute
        deviations. That is the median of each row's own ``k``, weighted by its ``C - C0``; a door that was
        open for a while does not move it.
        """
        stretch = stretches(log.times, empty, log.max_gap)
        mean_ppm, slope_ppm_per_h = self._air(log.frame, stretch)
        excess_ppm = mean_ppm - self.outdoor_ppm
        earlier = self._samples(self.settings.slope_s, fewest=2) - 1
        useful = empty & (excess_ppm > 0)
        # With a shorter span behind it, a slope is mostly noise.
        useful[:earlier] = False
        useful[earlier:] &= stretch[earlier:] == stretch[: max(len(stretch) - earlier, 0)]
        seen_s = useful.sum() * self.features.step_s
        if seen_s < ENOUGH_S:
            return _usual(f"the training rows show an empty room for {seen_s:g} s, and {ENOUGH_S:g} s are needed")
        weights = excess_ppm[useful]
        rate = float(np.quantile(-slope_ppm_per_h[useful] / weights, 0.5, weights=weights, method="inverted_cdf"))
        if not PLAUSIBLE_PER_H[0] <= rate <= PLAUSIBLE_PER_H[1]:
            return _usual(f"the empty room seems to have {rate:.3g} air changes per hour")
        return rate

    def _people(self, frame: pd.DataFrame, stretch: Ints) -> Floats:
        """Return the people that the balance finds in each row, (N,), negative where noise makes them so."""
        mean_ppm, slope_ppm_per_h = self._air(frame, stretch)
        person_ppm_per_h = self.settings.generation_l_per_h * 1e3 / self.settings.volume_m3  # l per m3 are 1e3 ppm
        aired_ppm_per_h = self.air_changes_per_h * (mean_ppm - self.outdoor_ppm)
        return (slope_ppm_per_h + aired_ppm_per_h) / person_ppm_per_h

    def _air(self, frame: pd.DataFrame, stretch: Ints) -> tuple[Floats, Floats]:
        """Return the trailing mean of CO2 (N,) in ppm and its slope (N,) in ppm per hour."""
        co2_ppm = self._read("co2", frame, stretch)
        samples = self._samples(self.settings.slope_s, fewest=2)
        mean_ppm = _by_stretch(lambda part: _trailing_mean(part, samples), co2_ppm, stretch)
        slope_ppm = _by_stretch(lambda part: trailing_slope(part, samples), co2_ppm, stretch)  # per sample
        return mean_ppm, slope_ppm * 3600 / self.features.step_s

    def _moved(self, frame: pd.DataFrame, stretch: Ints) -> Rows:
        """Return whether a motion sensor fired of late, (N,); always so in a room without one."""
        if all(column.kind != "motion" for column in self.features.columns):
            return np.ones(len(frame), bool)
        motion = self._read("motion", frame, stretch)
        samples = self._samples(self.settings.gate_s, fewest=1)
        return _by_stretch(lambda part: _trailing_mean(part, samples), motion, stretch) > 0

    def _read(self, kind: Kind, frame: pd.DataFrame, stretch: Ints) -> Floats:
        """Return the mean of all sensors of a kind, (N,) in their unit; NaN outside every stretch."""
        chosen = [column.kind == kind for column in self.features.columns]
        return np.asarray(self.features.transform(frame, stretch)[:, chosen].mean(axis=1, dtype=np.float64))

    def _samples(self, span_s: float, fewest: int) -> int:
        return max(round(span_s / self.features.step_s), fewest)


def check_co2(log: Log, config: Config) -> None:
    """Find out whether the chosen columns of a log measure CO2.

    Raises:
        InputError: they don't.
    """
    if all(column.kind != "co2" for column in columns_of(log, config.features)):
        if any(column.kind == "co2" for column in columns_of(log, "all")):
            raise InputError(f"features: got {config.features!r}, but the model mass_balance needs co2; add it")
        raise InputError(
            f"model.name: got 'mass_balance', but the log {log.name!r} has no column of kind co2; choose another model"
        )


def _kinds(log: Log, config: Config) -> list[Kind]:
    """Return which of CO2 and motion the chosen columns of a log measure."""
    check_co2(log, config)
    if any(column.kind == "motion" for column in columns_of(log, config.features)):
        return ["co2", "motion"]
    warnings.warn(
        "mass_balance: no column of kind motion is among the features, so no count is set to 0 for want of motion",
        InputWarning,
        stacklevel=3,
    )
    return ["co2"]


def _usual(reason: str) -> float:
    """Return the usual air-change rate, and warn why it has to stand in."""
    warnings.warn(f"mass_balance: {reason}; {USUAL_PER_H:g} air changes per hour stand in", InputWarning, stacklevel=4)
    return USUAL_PER_H


def _by_stretch(trailing: Callable[[Floats], Floats], values: Floats, stretch: Ints) -> Floats:
    """Return what a trailing function makes of the values (N,) of each stretch by itself, (N,)."""
    parts = np.split(values, np.flatnonzero(np.diff(stretch)) + 1)
    return np.concatenate([trailing(part) for part in parts])


def _trailing_mean(values: Floats, samples: int) -> Floats:
    """Return the mean over each row's trailing samples, (N,); the first rows use what they have."""
    sums: Floats = np.convolve(values, np.ones(samples))[: len(values)]
    return sums / np.minimum(np.arange(1, len(values) + 1), samples)
