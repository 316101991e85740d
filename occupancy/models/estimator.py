"""What every model looks like from outside, whatever is in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import pandas as pd

from occupancy.arrays import Floats, Rows
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.data.table import Log
from occupancy.prediction import Prediction

SETTINGS = "settings.json"
"""The file of a saved model that holds at least the experiment, under the key ``config``."""


def read_settings(folder: Path) -> dict[str, Any]:
    """Return what a saved model's settings hold, by key."""
    settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return settings


@dataclass(frozen=True)
class Epoch:
    """One epoch of training, finished.

    Attributes:
        stage: ``search`` for the epochs that choose their number, ``final`` for the fit that is used.
        member: which of the averaged networks, from 0.
        epoch: which epoch, from 1.
        epochs: how many there are to be at most.
        train_loss: mean loss over the training batches.
        val_loss: mean loss over the rows that choose the number of epochs; NaN in a refit.
        monitored: what else the network shows of itself after each epoch, by name.
    """

    stage: Literal["search", "final"]
    member: int
    epoch: int
    epochs: int
    train_loss: float
    val_loss: float
    monitored: Mapping[str, float] = field(default_factory=dict)


class Steps(Protocol):
    """The progress of a fit. A step is the fit of one model inside another; of a network, one epoch."""

    def plan(self, steps: int) -> None:
        """Add steps to those still to come; a negative number takes some away, when training ends early."""

    def done(self) -> None:
        """Count one step as done."""


class _NoSteps:
    def plan(self, steps: int) -> None:
        pass

    def done(self) -> None:
        pass


NO_STEPS: Steps = _NoSteps()
"""Shows no progress."""


class Estimator(Protocol):
    """Anything that learns counts from a fold and predicts them for rows of a frame."""

    config: Config
    """The experiment that made it."""
    history: pd.DataFrame
    """One row an epoch, the fields of `Epoch` and what it monitored as columns; empty for a model without epochs."""
    chosen_epochs: int
    """How many epochs the used fit took; 0 for a model without epochs."""

    held_out: Floats | None
    """(N, C) probabilities of the learned rows, each by a model that left its visit out, if the fit `cross_fits`."""

    @property
    def cross_fits(self) -> bool:
        """Whether a fit makes models that leave visits out, and keeps what they give in `held_out`."""

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs."""

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""

    def check(self, log: Log) -> None:
        """Check that a log has the sensors that the model needs.

        Raises:
            InputError: if it lacks one without which the model cannot work.
        """

    def fit(self, fold: Fold, steps: Steps) -> None:
        """Learn from a fold's training rows, and from its validation rows as ``train.refit`` says.

        Args:
            fold: the rows.
            steps: the progress; the fit plans its steps before it starts them.
        """

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return predictions for the given rows of a frame of sensors; the sensors of earlier rows serve as history.

        A row asked for alone is predicted as it is among others.

        Args:
            frame: the sensors of N rows.
            rows: (N,) rows to predict.
            past: (N,) rows that a model with memory, such as a decoder, may run over besides them; None for all. An
                honest test leaves out the rows that the model has learned from: a memory that began with them would
                hold their labels. Models without memory do not look at it.
        """

    def save(self, folder: Path) -> None:
        """Write the fitted model into an empty folder, without pickle."""

    def load(self, folder: Path) -> None:
        """Become the fitted model that `save` wrote into a folder."""


Make = Callable[[Config], Estimator]
"""Returns the unfitted model of an experiment; those that wrap others are given it."""
