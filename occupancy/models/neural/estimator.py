"""The estimator that trains networks, and how it chooses the number of epochs."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.data.times import check_cadence, stretches
from occupancy.errors import InputError
from occupancy.features.inputs import Inputs, fit_inputs, inputs_from
from occupancy.models.base import EstimatorBase, parts_of
from occupancy.models.estimator import Epoch, Steps, check_archive, read_settings
from occupancy.models.holes import read_shares, unanswered
from occupancy.models.neural.choice import added_var, best_epoch, read_added_var, residual_var
from occupancy.models.neural.holes import lay
from occupancy.models.neural.network import Sizes
from occupancy.models.neural.runtime import seeded
from occupancy.models.neural.windows import Batches, Windows
from occupancy.models.postprocess.calibration import label_shares
from occupancy.prediction import Prediction, from_people, from_probabilities, join, scatter

if TYPE_CHECKING:
    from occupancy.models.neural.training import Task

EVALUATION_BATCH = 1024  # rows at once when nothing is learned
WEIGHTS = "weights.pt"

Build = Callable[[Sizes], nn.Module]
OnEpoch = Callable[[Epoch], None]


class NetworkEstimator(EstimatorBase):
    """Trains networks on windows and averages them.

    Under ``protocol: honest`` the validation rows choose the number of epochs: the one with the lowest loss, averaged
    over the members. With ``train.refit`` new networks are then trained on training and validation rows together for
    that many epochs; without it, the members of the search are used, with the weights that each had after that epoch.
    Under ``protocol: report`` the members train on both parts, and the **test** rows choose the epoch whose weights
    are kept, as in the reproduced report.
    """

    def __init__(self, config: Config, build: Build, window: int, passes: int = 0) -> None:
        """Describe the model.

        Args:
            config: the experiment.
            build: returns an untrained network of given sizes.
            window: T, samples that a prediction uses.
            passes: S, random samples that each network draws for a prediction; 0 for a prediction without chance.
        """
        super().__init__(config)
        self.build = build
        self.window = window
        self.passes = passes
        self.features: Inputs
        self.networks: list[nn.Module] = []
        self.residual_var = 0.0
        self.added_var: dict[str, float] = {}  # to the residual variance, by the kind of sensors that a row lacks
        self.shares: Floats = np.empty(0)
        self._choosing: Rows = np.empty(0, bool)

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs."""
        return self.features.history_s + (self.window - 1) * self.features.step_s

    @property
    def parameters(self) -> int:
        """How many weights all networks have together."""
        return sum(weight.numel() for network in self.networks for weight in network.parameters())

    def fit(self, fold: Fold, steps: Steps) -> None:
        """Learn from a fold, see the class; each epoch of a network is a step."""
        epochs: list[Epoch] = []

        def report(epoch: Epoch) -> None:
            epochs.append(epoch)
            steps.done()

        steps.plan(self.config.epochs)
        if self.config.protocol == "honest":
            self._fit_honestly(fold, steps, report)
        else:
            self._fit_as_reported(fold, steps, report)
        rows = [dataclasses.asdict(epoch) for epoch in epochs]
        self.history = pd.DataFrame([{**row.pop("monitored"), **row} for row in rows])

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return predictions for the given rows (N,) of a frame of sensors; earlier rows serve as history.

        Rows whose windows lack too many readings are not answered, see `occupancy.models.neural.holes`.

        Raises:
            InputError: if the frame has no sensor that the model was trained on, or has another step.
        """
        times = pd.DatetimeIndex(frame.index)
        windows, known = self._layout(frame)
        if known[rows].all():
            return self._predict(windows, times, rows)
        silent = unanswered(times[rows & ~known], self.shares, not self.config.looks_ahead)
        if not known[rows].any():
            return silent
        return scatter([(known[rows], self._predict(windows, times, rows & known)), (~known[rows], silent)])

    def _predict(self, windows: Windows, times: pd.DatetimeIndex, rows: Rows) -> Prediction:
        """Return predictions for rows (N,) that have readings."""
        causal = not self.config.looks_ahead
        parts = parts_of(np.flatnonzero(rows), len(self.networks) * max(self.passes, 1) * self.classes)
        samples = (self._samples(windows, part) for part in parts)
        first = next(samples)
        if first.ndim == 3:
            every = zip(parts, itertools.chain([first], samples), strict=True)
            found = (from_probabilities(times[part], of_part, causal) for part, of_part in every)
            return next(found) if len(parts) == 1 else join(found)
        people = np.concatenate([first, *samples], axis=1)
        var = self.residual_var + (0.0 if windows.masks is None else windows.masks.weighed(self.added_var)[rows])
        return from_people(times[rows], people, var, self.config.data.max_count, causal)

    def save(self, folder: Path) -> None:
        """Write weights (readable with ``weights_only=True``) and settings (JSON) into a folder."""
        self.write(
            folder,
            features=self.features.to_settings(),
            chosen_epochs=self.chosen_epochs,
            residual_var=self.residual_var,
            added_var=self.added_var,
            shares=self.shares.tolist(),
        )
        torch.save([network.state_dict() for network in self.networks], folder / WEIGHTS)

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder."""
        learned = read_settings(folder)
        self.features = inputs_from(learned.value("features"))
        self.chosen_epochs = learned.whole("chosen_epochs")
        self.residual_var = learned.number("residual_var", 0.0)
        self.added_var = read_added_var(learned, self.features.kinds)
        self.shares = read_shares(learned, self.classes)
        self.networks = []
        check_archive(folder / WEIGHTS)
        for weights in torch.load(folder / WEIGHTS, weights_only=True):
            network = self._network()
            network.load_state_dict(weights)
            for name, values in network.state_dict().items():
                if not values.isfinite().all():
                    raise InputError(f"{WEIGHTS}: the model holds numbers that are not finite, in {name}")
            self.networks.append(network.eval())
        if len(self.networks) != self.config.train.members:
            raise InputError(f"{WEIGHTS}: got {len(self.networks)} networks, expected {self.config.train.members}")

    def _fit_honestly(self, fold: Fold, steps: Steps, on_epoch: OnEpoch) -> None:
        settings = self.config.train
        keeps = not settings.choices and not settings.refit
        trainings = [
            self._train(fold, fold.train, fold.validation, most, on_epoch, keeps) for most in settings.trainings
        ]
        if settings.choices:
            members = min(trainings, key=lambda members: np.mean([member.val_losses[-1] for member in members]))
            self.chosen_epochs = len(members[0].val_losses)
        else:
            (members,) = trainings
            self.chosen_epochs = best_epoch([member.val_losses for member in members])
        if keeps:
            for member in members:
                member.restore(self.chosen_epochs)
        self._correct(steps, trainings)
        self.residual_var = residual_var(members, self.chosen_epochs, fold.counts(self._choosing))
        self.networks = [member.network for member in members]
        self.added_var = self._added_var(fold, fold.validation, fold.train)
        if settings.refit:
            members = self._train(fold, fold.train | fold.validation, None, self.chosen_epochs, on_epoch)
            self.networks = [member.network for member in members]

    def _fit_as_reported(self, fold: Fold, steps: Steps, on_epoch: OnEpoch) -> None:
        learned = fold.train | fold.validation
        members = self._train(fold, learned, fold.test, self.config.train.max_epochs, on_epoch, keeps=True)
        self.chosen_epochs = best_epoch([member.val_losses for member in members])
        for member in members:
            member.restore(self.chosen_epochs)
        self._correct(steps, [members])
        self.networks = [member.network for member in members]
        # The test rows chose the epoch, so the error on them would be too small; the learned rows have to be used.
        fitted = self.predict(fold.log.frame, learned, fold.seen(learned))
        regresses = fitted.samples is not None and fitted.samples.ndim == 2
        self.residual_var = float(np.mean((fitted.mean - fold.counts(learned)) ** 2)) if regresses else 0.0
        self.added_var = self._added_var(fold, learned)

    def _added_var(self, fold: Fold, rows: Rows, past: Rows | None = None) -> dict[str, float]:
        """Return what the squared error on rows (N,) grows by without a kind of sensors, by kind, people squared.

        A classifier, and a network that has not learned to do without, has none.
        """
        if not self.config.train.sensor_dropout or not self.residual_var:
            return {}
        windows, known = self._windows(fold, rows, past)
        return added_var(self._samples, windows, np.flatnonzero(known), fold.counts(known))

    def _correct(self, steps: Steps, trainings: Sequence[Sequence[Task]]) -> None:
        """Correct the planned steps, which were the most possible, after the number of epochs is chosen."""
        searched = sum(len(member.train_losses) for members in trainings for member in members)
        refit = self.config.protocol == "honest" and self.config.train.refit
        steps.plan(searched + refit * self.config.train.members * self.chosen_epochs - self.config.epochs)

    def _train(
        self, fold: Fold, fitting: Rows, choosing: Rows | None, epochs: int, on_epoch: OnEpoch, keeps: bool = False
    ) -> list[Task]:
        """Fit the features, then train new members, on the same rows.

        Args:
            fold: the fold.
            fitting: (N,) rows to learn from.
            choosing: (N,) rows whose loss chooses the number of epochs; None in a refit.
            epochs: most epochs of a member.
            on_epoch: called after each epoch.
            keeps: whether the members keep their weights for `Task.restore`.
        """
        # Late: only training needs Lightning, which takes seconds to import.
        from occupancy.models.neural.members import train_members  # noqa: PLC0415
        from occupancy.models.neural.pretraining import simulated  # noqa: PLC0415

        self.features = fit_inputs(fold.log, fitting, self.config.features, fold.seen(fitting))
        learning, fitted = self._batches(fold, fitting, self.config.train.batch_size)
        # The window of a choosing row may contain fitting rows: their sensors are its past.
        val = None
        if choosing is not None:
            val, self._choosing = self._batches(fold, choosing, EVALUATION_BATCH, past=fitting)
        labels = fold.labels(fitted, self.classes).tolist()
        self.shares = label_shares(fold.counts(fitting), self.classes)
        rooms = simulated(self.config, self.features, self.window) if self.config.train.pretrain_rooms else None
        build = partial(self._network, labels)
        return train_members(self.config, build, learning, val, rooms, epochs, on_epoch, keeps)

    def _layout(self, frame: pd.DataFrame) -> tuple[Windows, Rows]:
        """Return the windows of a frame, and which of its rows (N,) have readings enough."""
        times = pd.DatetimeIndex(frame.index)
        check_cadence(self.features.step_s, times, self.config.data.max_gap)
        stretch = stretches(times, np.ones(len(frame), bool), self.config.data.max_gap)
        return lay(self.features, frame, stretch, self.window, self.config.train.sensor_dropout)

    def _network(self, labels: Sequence[int] = ()) -> nn.Module:
        masks = len(set(self.features.kinds)) if self.config.train.sensor_dropout else 0
        return self.build(Sizes(len(self.features.names) + masks, self.classes, sum(labels) or 1, tuple(labels)))

    def _batches(self, fold: Fold, rows: Rows, size: int, past: Rows | None = None) -> tuple[Batches, Rows]:
        """Return rows (N,) in batches, and which of them have readings enough: the others are left out.

        Their windows may contain rows of the past (N,) too.
        """
        windows, known = self._windows(fold, rows, past)
        counts = torch.from_numpy(fold.counts(known))
        return Batches(windows, np.flatnonzero(known), counts, size), known

    def _windows(self, fold: Fold, rows: Rows, past: Rows | None) -> tuple[Windows, Rows]:
        """Return the windows of rows (N,) and the past (N,), and which of the rows have readings enough.

        Raises:
            InputError: if none has.
        """
        fold.counts(rows)  # first, because it refuses sealed rows
        seen = fold.seen(rows if past is None else rows | past)
        stretch = stretches(fold.log.times, seen, fold.log.max_gap)
        windows, known = lay(self.features, fold.log.frame, stretch, self.window, self.config.train.sensor_dropout)
        if not (rows & known).any():
            raise InputError(
                f"data.missing: no row of a part of fold {fold.number} has the readings that a window needs; put the "
                "readings on one grid with data.step=60s or another step, or choose other features"
            )
        return windows, rows & known

    def _samples(self, windows: Windows, positions: Ints) -> Floats:
        """Return the outputs of all networks for rows, (S, N) or (S, N, C)."""
        with torch.no_grad():
            outputs = [self._outputs(member, windows, positions) for member in range(len(self.networks))]
        return np.asarray(torch.cat(outputs).double().numpy())

    def _outputs(self, member: int, windows: Windows, positions: Ints) -> Tensor:
        """Return one network's outputs for rows, (S, N) or (S, N, C)."""
        network: Any = self.networks[member]
        outputs = torch.empty(0)
        for start in range(0, max(len(positions), 1), EVALUATION_BATCH):
            x = windows.at(positions[start : start + EVALUATION_BATCH])
            # The same seed for every chunk: if weights are drawn, all rows share them.
            with seeded(self.config.seed, member):
                chunk: Tensor = network.sample(x, self.passes) if self.passes else network(x)[None]
            if not start:  # one tensor for all: small ones would divide the memory that large ones give back
                outputs = chunk.new_empty((len(chunk), len(positions), *chunk.shape[2:]))
            outputs[:, start : start + EVALUATION_BATCH] = chunk
        return outputs
