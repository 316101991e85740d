"""The contract that every model keeps, and the progress of its fit."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import pandas as pd

from occupancy.arrays import Floats, Rows
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.errors import InputError
from occupancy.features.learned import Learned
from occupancy.prediction import Prediction

SETTINGS = "settings.json"
"""The file of a saved model with the experiment under the key ``config``, and what else the model writes."""


FORMAT_KEY, FORMAT = "format", 1
"""The key and the number of the version of the format that models are saved in; earlier ones have no number."""


def read_settings(folder: Path) -> Learned:
    """Return the settings of a saved model.

    Raises:
        InputError: they are no keys with values, or a number in them is not finite.
        FileNotFoundError: there is no such file.
        ValueError: the file is not JSON.
    """
    path = folder / SETTINGS
    if not path.is_file():  # a pipe in its place might never end
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    learned = Learned(json.loads(path.read_text(encoding="utf-8")))
    key = learned.first_not_finite()
    if key is not None:
        raise InputError(f"{SETTINGS}: the model holds numbers that are not finite, in {key}")
    return learned


def check_archive(path: Path) -> None:
    """Check that a zip archive of arrays unpacks to no more than its own size: skops and torch compress nothing.

    Raises:
        InputError: it does, so that it may fill the memory.
        zipfile.BadZipFile: it is no archive.
    """
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    packed = any(part.compress_type != zipfile.ZIP_STORED for part in parts)
    if packed or sum(part.file_size for part in parts) > path.stat().st_size:
        raise InputError(f"{path.name}: is compressed, as no saved model is; save the model again")


@dataclass(frozen=True)
class Epoch:
    """A finished epoch of training.

    Attributes:
        stage: ``search`` if the training chooses the number of epochs, ``final`` if it refits for that number.
        member: number of the network among the averaged ones, from 0.
        epoch: number of the epoch, from 1.
        epochs: most epochs that the training may take.
        train_loss: mean loss over the training batches.
        val_loss: mean loss over the rows that choose the number of epochs; NaN in a refit.
        monitored: other values that the network shows after each epoch, by name.
    """

    stage: Literal["search", "final"]
    member: int
    epoch: int
    epochs: int
    train_loss: float
    val_loss: float
    monitored: Mapping[str, float] = field(default_factory=dict)


class Steps(Protocol):
    """The progress of a fit. One step is one inner fit, such as that of a member; for a network, one epoch."""

    def plan(self, steps: int) -> None:
        """Add steps that are still to come; a negative number removes some, when training ends early."""

    def done(self) -> None:
        """Count one step as done."""


class _NoSteps:
    def plan(self, steps: int) -> None:
        pass

    def done(self) -> None:
        pass


NO_STEPS: Steps = _NoSteps()
"""Shows no progress."""


VOLUME = "volume_m3"
"""What the ``attrs`` of a frame may hold: the volume of the room whose sensors it has, in cubic metres."""


class Estimator(Protocol):
    """Anything that learns counts from a fold and predicts them for rows of a frame."""

    config: Config
    """The experiment."""
    history: pd.DataFrame
    """One row for each epoch: the fields of `Epoch` and the monitored values; empty for a model without epochs."""
    chosen_epochs: int
    """The number of epochs of the fit that is used; 0 for a model without epochs."""
    held_out: Floats | None
    """(N, C) out-of-fold probabilities of the learned rows, if the fit makes them (`cross_fits`)."""

    @property
    def cross_fits(self) -> bool:
        """Whether the fit makes models that leave visits out, and keeps their predictions in `held_out`."""

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs."""

    @property
    def step_s(self) -> float:
        """Seconds between rows in training; NaN for a model that does not depend on it."""

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

        The prediction of a row does not depend on which other rows are asked for.

        Args:
            frame: the sensors of N rows, in order of time.
            rows: (N,) rows to predict.
            past: (N,) rows that a model with memory, such as a decoder, may use besides them; None for all rows. An
                honest test excludes the rows that the model has learned from, because a memory that starts with them
                would in effect know their labels. Models without memory ignore it.
        """

    def save(self, folder: Path) -> None:
        """Write the fitted model into an empty folder, without pickle."""

    def load(self, folder: Path) -> None:
        """Become the fitted model that `save` wrote into a folder."""


Make = Callable[[Config], Estimator]
"""Returns the unfitted model of an experiment; estimators that wrap others are given it."""
