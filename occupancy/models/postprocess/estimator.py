"""A model whose probabilities are decoded in time or calibrated, or whose counts are chosen by a loss."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Config, Decision, Loss
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.errors import InputError, InputWarning
from occupancy.models.base import EstimatorBase
from occupancy.models.estimator import NO_STEPS, SETTINGS, Make, Steps, read_settings
from occupancy.models.memory import runs
from occupancy.models.postprocess.calibration import Calibrator
from occupancy.models.postprocess.decoder import Decoder
from occupancy.models.postprocess.durations import AGE_EDGES_S
from occupancy.models.postprocess.out_of_fold import UNGROUPED, count_groups, left_out, out_of_fold, pieces
from occupancy.models.postprocess.switching import switched
from occupancy.prediction import Prediction, decide, from_probabilities

BASE = "base"
"""The folder of the wrapped model inside that of a saved one."""


class PostprocessedEstimator(EstimatorBase):
    """Wraps the model of an experiment as ``decoding``, ``calibration`` and ``decision`` say.

    Decoder and calibrator learn from the same out-of-fold probabilities: the rows that the model learns from, each
    predicted by a model that left out its visit. One class does both, so that visits are left out once. Nothing is
    calibrated on predictions of rows that the model has learned by heart, nor on the fold's test rows. The decoder has
    learned some hazards and two exponents from the rows that it is calibrated on, so the result is slightly
    overconfident.
    """

    def __init__(self, config: Config, make: Make) -> None:
        """Describe the model.

        Args:
            config: the experiment.
            make: returns the unfitted model of an experiment without decoding and calibration.
        """
        super().__init__(config)
        self.make = make
        self.base = make(_bare(config))
        self.decoder: Decoder | None = None
        self.calibrator: Calibrator | None = None

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs; with a memory, until its start hardly matters."""
        has_memory = self.config.decoding is not None or self.config.switch_cost > 0
        return self.base.history_s + (AGE_EDGES_S[-1] if has_memory else 0.0)

    @property
    def step_s(self) -> float:
        """Seconds between rows in training; NaN for a model that does not depend on it."""
        return self.base.step_s

    @property
    def parameters(self) -> int:
        """How many numbers were learned, those of the decoder and four of the calibrator included."""
        return self.base.parameters + (self.decoder.parameters if self.decoder else 0) + (4 if self.calibrator else 0)

    def check(self, log: Log) -> None:
        """Check that a log has the sensors that the wrapped model needs.

        Raises:
            InputError: if it lacks one without which the model cannot work.
        """
        self.base.check(log)

    def fit(self, fold: Fold, steps: Steps) -> None:
        """Learn from a fold, see the class; each fit of a model, with or without rows left out, is a step."""
        if self.config.decoding is None and self.config.calibration is None:
            self.base.fit(fold, steps)
            self.history, self.chosen_epochs = self.base.history, self.base.chosen_epochs
            return
        rows = self.learned(fold)
        groups = left_out(fold, rows)
        probs = self._fit_base(fold, groups, steps)
        self.history, self.chosen_epochs = self.base.history, self.base.chosen_epochs
        # What a row says that has no readings teaches nothing of what the others say.
        groups = np.where(np.isnan(probs).any(axis=1), UNGROUPED, groups)
        rows = groups != UNGROUPED
        parts = pieces(groups, fold.log.times, fold.log.max_gap)
        counts = np.full(len(rows), UNGROUPED)
        counts[rows] = fold.counts(rows)
        path = None
        if self.config.decoding is not None:
            self.decoder = Decoder.fit(self.config.decoding, fold, rows, probs, counts, parts)
            probs, path = _decode_all(self.decoder, probs, parts)
        if self.config.calibration is not None:
            positions = np.concatenate(parts)
            joined = np.split(np.arange(len(positions)), np.cumsum([len(part) for part in parts])[:-1])
            kept = None if path is None or not self._keeps_path else path[positions]
            decision = Decision(loss=self._loss, switch_cost=self.config.switch_cost)
            given = (probs[positions], counts[positions], joined, self.config.calibration, decision, kept)
            self.calibrator = Calibrator.fit(*given)
            if (unkept := self.calibrator.unkept(*given)) is not None:
                warnings.warn(unkept, InputWarning, stacklevel=2)

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return predictions for the given rows (N,) of a frame of sensors, see `Estimator.predict`.

        A decoder, or a cost of changing the count, begins where the recording begins, or the permitted past (N,) in it,
        and never uses a label.

        Raises:
            InputError: if the frame lacks a sensor that the model was trained on, or has another step.
        """
        if self.decoder is None and not self.config.switch_cost:
            return self._decided(self.base.predict(frame, rows, past))
        causal = self.decoder is None or self.decoder.is_causal
        parts = runs(pd.DatetimeIndex(frame.index), rows, past, self.config.data.max_gap, causal)
        needed = np.zeros(len(rows), bool)
        for part in parts:
            needed[part] = True
        place = np.cumsum(needed) - 1  # of a row of the frame among those needed
        places = [place[part] for part in parts]
        found = self.base.predict(frame, needed, past)
        known = found.answered
        found = self._decided(found if self.decoder is None else _decoded(self.decoder, found, places))
        if self.config.switch_cost:
            found = switched(found, self._loss, self.config.switch_cost, places, known)
        return found.at(rows[needed])

    def _decided(self, prediction: Prediction) -> Prediction:
        """Return a prediction calibrated, if it is to be, with the counts that the loss chooses, if one is named."""
        if self.calibrator is not None:
            return self.calibrator.apply(prediction, self._loss, self._keeps_path)
        return prediction if self._keeps_path or self.config.loss is None else decide(prediction, self.config.loss)

    @property
    def _keeps_path(self) -> bool:
        """Whether the labels are those of the most likely path, which no loss has been named to replace."""
        return self.decoder is not None and self.decoder.has_path and self.config.decision is None

    @property
    def _loss(self) -> Loss:
        return self.config.loss or "squared"

    def save(self, folder: Path) -> None:
        """Write what was learned as JSON into a folder, and the wrapped model into a folder inside it."""
        learned = {"decoder": self.decoder, "calibrator": self.calibrator}
        self.write(folder, **{name: None if part is None else part.to_settings() for name, part in learned.items()})
        (folder / BASE).mkdir()
        self.base.save(folder / BASE)

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder, in this version or an earlier one."""
        learned = read_settings(folder)
        self.base.load(folder / BASE)
        self.chosen_epochs = self.base.chosen_epochs
        if self.config.decoding is not None:
            # Earlier versions wrote the decoder's parts beside the others.
            decoder = learned.value("decoder") if "decoder" in learned else learned.tree
            self.decoder = Decoder.from_settings(self.config.decoding, decoder)
            self._check_labels(len(self.decoder.exponents.shares))
        if self.config.calibration is not None:
            self.calibrator = Calibrator.from_settings(learned.value("calibrator"))
            self._check_labels(len(self.calibrator.shares))

    def _check_labels(self, labels: int) -> None:
        """Check that a saved part is for as many labels as the model. Raise InputError if it is not."""
        if labels != self.classes:
            raise InputError(f"{SETTINGS}: got shares of {labels} labels, expected {self.classes}")

    def _fit_base(self, fold: Fold, groups: Ints, steps: Steps) -> Floats:
        """Fit the wrapped model, and return the out-of-fold probabilities (N, C) of the grouped rows."""
        if self.base.cross_fits:
            self.base.fit(fold, steps)
            if self.base.held_out is not None:
                return self.base.held_out
            steps.plan(count_groups(groups))
        else:
            steps.plan(1 + count_groups(groups))
            self.base.fit(fold, NO_STEPS)
            steps.done()
        return out_of_fold(_bare(self.config), fold, groups, self.make, steps)


def _decoded(decoder: Decoder, whole: Prediction, parts: list[Ints]) -> Prediction:
    """Return a prediction decoded part by part; each part is the positions of rows without a gap."""
    probs, path = _decode_all(decoder, whole.probs, parts, whole.answered)
    decoded = from_probabilities(whole.times, probs[None], whole.causal and decoder.is_causal)
    decoded = decide(decoded, disagreement=whole.epistemic)
    decoded = dataclasses.replace(decoded, delay_s=decoder.delay_s, answered=whole.answered)
    return decoded if path is None else dataclasses.replace(decoded, label=path)


def _decode_all(
    decoder: Decoder, probs: Floats, parts: list[Ints], known: Rows | None = None
) -> tuple[Floats, Ints | None]:
    """Return the decoded probabilities (N, C) and, in some modes, the path (N,) of rows, part by part.

    Args:
        decoder: the decoder.
        probs: (N, C) of the rows.
        parts: positions of the rows that are decoded together.
        known: (N,) rows whose probabilities are evidence; None for all.
    """
    decoded, path = probs.copy(), np.full(len(probs), UNGROUPED) if decoder.has_path else None
    for part in parts:
        decoded[part], labels = decoder.decode(probs[part], None if known is None else known[part])
        if path is not None and labels is not None:
            path[part] = labels
    return decoded, path


def _bare(config: Config) -> Config:
    """Return the experiment without decoding, calibration and decision."""
    return config.model_copy(update={"decoding": None, "calibration": None, "decision": None})
