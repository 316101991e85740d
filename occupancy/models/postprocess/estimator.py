"""A model whose probabilities are decoded in time, calibrated, or both, by what it gives for visits it left out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.data.rolling import samples_of
from occupancy.data.table import Log
from occupancy.models.base import EstimatorBase
from occupancy.models.estimator import NO_STEPS, Make, Steps, read_settings
from occupancy.models.memory import runs
from occupancy.models.postprocess.calibration import Calibrator, label_shares
from occupancy.models.postprocess.decoding import Emissions, decode, learn_exponents
from occupancy.models.postprocess.durations import AGE_EDGES_S, Durations, learn_durations
from occupancy.models.postprocess.out_of_fold import NONE, count_groups, left_out, out_of_fold, pieces
from occupancy.prediction import Prediction, decide, floor, from_probabilities

LEAST = 1e-3  # a row's probability counts for at least, so that no row by itself rules out what all others say
BASE = "base"
"""The folder of the model itself in that of a saved one."""


class PostprocessedEstimator(EstimatorBase):
    """Wraps the model of an experiment as ``decoding`` and ``calibration`` ask for.

    Both learn from the same rows: those that the model learns from, each predicted by a model that left out its
    visit. That is why one class does both: visits are left out once. So nothing is calibrated on what the model gives
    for rows that it has learned by heart, nor on the fold's test rows. What a decoder learned (some hazards, two
    exponents) it learned from the rows that its calibration rests on, which makes that a little too sure.
    """

    def __init__(self, config: Config, make: Make) -> None:
        """Describe the model.

        Args:
            config: the experiment.
            make: returns the unfitted model of an experiment that asks for neither decoding nor calibration.
        """
        super().__init__(config)
        self.make = make
        self.base = make(_bare(config))
        self.step_s = np.nan
        self.durations: Durations | None = None
        self.emissions: Emissions | None = None
        self.calibrator: Calibrator | None = None

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs; of a decoder, until the first count no longer matters."""
        return self.base.history_s + (AGE_EDGES_S[-1] if self.config.decoding is not None else 0.0)

    @property
    def parameters(self) -> int:
        """How many numbers were learned, with the exponents, hazards and destinations of the chain."""
        chain = 2 + self.durations.hazards.size + self.durations.destinations.size if self.durations else 0
        return self.base.parameters + chain + (4 if self.calibrator else 0)

    def check(self, log: Log) -> None:
        """Check that a log has the sensors that the model itself needs.

        Raises:
            InputError: if it lacks one without which the model cannot work.
        """
        self.base.check(log)

    def fit(self, fold: Fold, steps: Steps) -> None:
        """Learn from a fold; the class says from which rows. A step is the fit of a model, with some rows left out."""
        rows = self.learned(fold)
        groups = left_out(fold, rows)
        probs = self._fit_base(fold, groups, steps)
        self.history, self.chosen_epochs = self.base.history, self.base.chosen_epochs
        parts = pieces(groups, fold.log.times, fold.log.max_gap)
        counts = np.full(len(rows), NONE)
        counts[rows] = fold.counts(rows)
        path = counts.copy()
        if self.config.decoding is not None:
            self._learn_decoding(fold, rows, probs, counts, parts)
            probs = probs.copy()
            for part in parts:
                probs[part], labels = self._decode(probs[part])
                if labels is not None:
                    path[part] = labels
        if self.config.calibration is not None:
            positions = np.concatenate(parts)
            joined = np.split(np.arange(len(positions)), np.cumsum([len(part) for part in parts])[:-1])
            kept = path[positions] if self._has_path else None
            self.calibrator = Calibrator.fit(probs[positions], counts[positions], joined, self.config.calibration, kept)

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return predictions for the given rows (N,) of a frame of sensors; earlier rows serve as history.

        A decoder begins where the recording does, or the permitted past (N,) in it, and never knows a label.

        Raises:
            InputError: the frame lacks a sensor that the model was trained on, or has another step.
        """
        decodes = self.config.decoding is not None
        prediction = self._decoded(frame, rows, past) if decodes else self.base.predict(frame, rows, past)
        if self.calibrator is None or self.config.calibration is None:
            return prediction
        return self.calibrator.apply(prediction, self.config.calibration, keep_label=self._has_path)

    def save(self, folder: Path) -> None:
        """Write what was learned as JSON into a folder, and the model itself into a folder in it."""
        learned = {"durations": self.durations, "emissions": self.emissions, "calibrator": self.calibrator}
        settings = {name: None if value is None else value.to_settings() for name, value in learned.items()}
        step_s = None if np.isnan(self.step_s) else self.step_s
        self.write(folder, step_s=step_s, **settings)
        (folder / BASE).mkdir()
        self.base.save(folder / BASE)

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder."""
        settings = read_settings(folder)
        self.base.load(folder / BASE)
        self.chosen_epochs = self.base.chosen_epochs
        if settings["durations"] is not None:
            self.step_s = settings["step_s"]
            self.durations = Durations.from_settings(settings["durations"])
            self.emissions = Emissions.from_settings(settings["emissions"])
        if settings["calibrator"] is not None:
            self.calibrator = Calibrator.from_settings(settings["calibrator"])

    @property
    def _has_path(self) -> bool:
        return self.config.decoding is not None and self.config.decoding.mode == "viterbi"

    def _fit_base(self, fold: Fold, groups: Ints, steps: Steps) -> Floats:
        """Fit the model itself, and return the probabilities (N, C) of each grouped row by one that left it out."""
        if self.base.cross_fits:
            self.base.fit(fold, steps)
            assert self.base.held_out is not None
            return self.base.held_out
        steps.plan(1 + count_groups(groups))
        self.base.fit(fold, NO_STEPS)
        steps.done()
        return out_of_fold(_bare(self.config), fold, groups, self.make, steps)

    def _learn_decoding(self, fold: Fold, rows: Rows, probs: Floats, counts: Ints, parts: list[Ints]) -> None:
        assert self.config.decoding is not None
        classes = probs.shape[1]
        self.step_s = fold.log.step_s
        self.durations = learn_durations(counts, fold.log.times, rows, fold.log.max_gap, classes)
        shares = label_shares(counts[rows], classes)
        taught = [(_log(probs[part]), counts[part]) for part in parts]
        mode = self.config.decoding.mode
        self.emissions = learn_exponents(self.durations, taught, shares, self.step_s, mode, self._lag)

    @property
    def _lag(self) -> int:
        assert self.config.decoding is not None
        return samples_of(self.config.decoding.lag, self.step_s)

    def _decode(self, probs: Floats) -> tuple[Floats, Ints | None]:
        """Return probabilities (T, C) and path (T,) from the model's probabilities (T, C) of one recording."""
        assert self.config.decoding is not None
        assert self.durations is not None
        assert self.emissions is not None
        potentials = self.emissions.potentials(_log(probs))
        return decode(self.durations, potentials, self.step_s, self.config.decoding.mode, self._lag)

    def _decoded(self, frame: pd.DataFrame, rows: Rows, past: Rows | None) -> Prediction:
        """Return the decoded prediction of rows (N,); the decoder runs over the permitted past (N,) too."""
        assert self.config.decoding is not None
        filters = self.config.decoding.mode == "filter"
        parts = runs(pd.DatetimeIndex(frame.index), rows, past, self.config.data.max_gap, filters)
        needed = np.zeros(len(rows), bool)
        for part in parts:
            needed[part] = True
        whole = self.base.predict(frame, needed, past)
        probs, label = np.empty_like(whole.probs), whole.label.copy()
        place = np.cumsum(needed) - 1  # of a row of the frame among those needed
        for part in (place[part] for part in parts):
            probs[part], path = self._decode(whole.probs[part])
            if path is not None:
                label[part] = path
        asked = rows[needed]
        base, probs, label = whole.at(asked), probs[asked], label[asked]
        causal = base.causal and filters
        delay_s = self._lag * self.step_s if self.config.decoding.mode == "lag" else 0.0
        decoded = decide(from_probabilities(base.times, probs[None], causal), base.epistemic)
        decoded = dataclasses.replace(decoded, delay_s=delay_s)
        return dataclasses.replace(decoded, label=label) if self._has_path else decoded


def _bare(config: Config) -> Config:
    """Return the experiment without what is made of its model's probabilities."""
    return config.model_copy(update={"decoding": None, "calibration": None})


def _log(probs: Floats) -> Floats:
    return np.asarray(np.log(floor(probs, LEAST)))
