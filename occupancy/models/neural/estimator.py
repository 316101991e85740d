"""The estimator that trains any network, and the protocol by which it chooses when to stop."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from occupancy.arrays import Ints, Rows
from occupancy.config import Config
from occupancy.data.folds import Fold
from occupancy.data.times import check_cadence, stretches
from occupancy.features.inputs import Inputs, fit_inputs, inputs_from
from occupancy.models.estimator import SETTINGS, Epoch, Steps, read_settings
from occupancy.models.neural.pretraining import pretrain, simulated
from occupancy.models.neural.task import Keep, Monitored, Sizes, Task, train
from occupancy.models.neural.windows import Batches, WindowModule, Windows
from occupancy.prediction import Prediction, from_people, from_probabilities

EVALUATION_BATCH = 1024  # rows at once where nothing is learned
WEIGHTS = "weights.pt"

Build = Callable[[Sizes], nn.Module]
OnEpoch = Callable[[Epoch], None]


class NetworkEstimator:
    """Trains networks on windows and averages them.

    Under ``protocol: honest`` the validation rows choose the number of epochs: the one with the lowest
    loss, averaged over the members. With ``train.refit`` new networks are then trained on training and
    validation rows together for that many epochs; without it, the members of the search are used, with the
    weights that each had after that epoch. Under ``protocol: report`` the members train on both parts, and
    the **test** rows choose the epoch whose weights are kept, as in the reproduced report.
    """

    def __init__(self, config: Config, build: Build, window: int, passes: int = 0) -> None:
        """Describe the model.

        Args:
            config: the experiment.
            build: makes a network of the sizes given.
            window: T, samples that a prediction sees.
            passes: S, samples that each network draws for a prediction; with none, it predicts without chance.
        """
        self.config = config
        self.build = build
        self.window = window
        self.passes = passes
        self.history = pd.DataFrame()
        self.chosen_epochs = 0
        self.features: Inputs
        self.networks: list[nn.Module] = []
        self.residual_var = 0.0

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs."""
        return self.features.history_s + (self.window - 1) * self.features.step_s

    @property
    def parameters(self) -> int:
        """How many weights all networks have together."""
        return sum(weight.numel() for network in self.networks for weight in network.parameters())

    def fit(self, fold: Fold, steps: Steps) -> None:
        """Learn from a fold; the class says what each protocol does with its parts. A step is an epoch."""
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

        Raises:
            InputError: the frame lacks a sensor that the model was trained on, or has another step.
        """
        times = pd.DatetimeIndex(frame.index)
        windows = self._layout(frame)
        positions = np.flatnonzero(rows)
        with torch.no_grad():
            outputs = [self._outputs(member, windows, positions) for member in range(len(self.networks))]
        samples = torch.cat(outputs).double().numpy()
        causal = not self.config.looks_ahead
        if samples.ndim == 3:
            return from_probabilities(times[rows], samples, causal)
        return from_people(times[rows], samples, self.residual_var, self.config.data.max_count, causal)

    def save(self, folder: Path) -> None:
        """Write weights (readable with ``weights_only=True``) and settings (JSON) into a folder."""
        settings = {
            "config": self.config.shown(),
            "features": self.features.to_settings(),
            "chosen_epochs": self.chosen_epochs,
            "residual_var": self.residual_var,
        }
        (folder / SETTINGS).write_text(json.dumps(settings, indent=2), encoding="utf-8")
        torch.save([network.state_dict() for network in self.networks], folder / WEIGHTS)

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder."""
        settings = read_settings(folder)
        self.features = inputs_from(settings["features"])
        self.chosen_epochs = settings["chosen_epochs"]
        self.residual_var = settings["residual_var"]
        self.networks = []
        for weights in torch.load(folder / WEIGHTS, weights_only=True):
            network = self._network()
            network.load_state_dict(weights)
            self.networks.append(network.eval())

    def _fit_honestly(self, fold: Fold, steps: Steps, on_epoch: OnEpoch) -> None:
        settings = self.config.train
        keep: Keep = "nothing" if settings.choices or settings.refit else "all"
        trainings = [
            self._train(fold, fold.train, fold.validation, most, on_epoch, keep) for most in settings.trainings
        ]
        if not settings.choices:
            (tasks,) = trainings
            self.chosen_epochs = best_epoch([task.stop_losses for task in tasks])
        else:
            tasks = min(trainings, key=lambda tasks: np.mean([task.stop_losses[-1] for task in tasks]))
            self.chosen_epochs = len(tasks[0].stop_losses)
        self._correct(steps, trainings)
        self.residual_var = _residual_var(tasks, self.chosen_epochs, fold.counts(fold.validation))
        if keep == "all":
            for task in tasks:
                task.restore(self.chosen_epochs)
        if settings.refit:
            tasks = self._train(fold, fold.train | fold.validation, None, self.chosen_epochs, on_epoch)
        self.networks = [task.network for task in tasks]

    def _fit_as_reported(self, fold: Fold, steps: Steps, on_epoch: OnEpoch) -> None:
        learned = fold.train | fold.validation
        tasks = self._train(fold, learned, fold.test, self.config.train.max_epochs, on_epoch, "all")
        self.chosen_epochs = best_epoch([task.stop_losses for task in tasks])
        for task in tasks:
            task.restore(self.chosen_epochs)
        self._correct(steps, [tasks])
        self.networks = [task.network for task in tasks]
        # The test rows stopped the training: what they leave over says nothing, so the learned rows have to.
        fitted = self.predict(fold.log.frame, learned, learned)
        regresses = fitted.samples is not None and fitted.samples.ndim == 2
        self.residual_var = float(np.mean((fitted.mean - fold.counts(learned)) ** 2)) if regresses else 0.0

    def _correct(self, steps: Steps, trainings: Sequence[Sequence[Task]]) -> None:
        """Correct the planned steps, the most there may be, once the number of epochs is chosen."""
        searched = sum(len(task.train_losses) for tasks in trainings for task in tasks)
        refit = self.config.protocol == "honest" and self.config.train.refit
        steps.plan(searched + refit * self.config.train.members * self.chosen_epochs - self.config.epochs)

    def _layout(self, frame: pd.DataFrame) -> Windows:
        """Return the windows of a frame."""
        times = pd.DatetimeIndex(frame.index)
        check_cadence(self.features.step_s, times, self.config.data.max_gap)
        stretch = stretches(times, np.ones(len(frame), bool), self.config.data.max_gap)
        return Windows(self.features.transform(frame, stretch), stretch, self.window)

    def _network(self, labels: Sequence[int] = ()) -> nn.Module:
        classes = self.config.data.max_count + 1
        return self.build(Sizes(len(self.features.names), classes, sum(labels) or 1, tuple(labels)))

    def _train(
        self,
        fold: Fold,
        fitting: Rows,
        stopping: Rows | None,
        epochs: int,
        on_epoch: OnEpoch,
        keep: Keep = "nothing",
    ) -> list[Task]:
        """Train every member anew on the fitting rows, to which the features are fitted too."""
        self.features = fit_inputs(fold.log, fitting, self.config.features)
        learning = self._batches(fold, fitting, self.config.train.batch_size)
        # A stopping row's window may look back into the fitting rows: their sensors are its past.
        stop = None if stopping is None else self._batches(fold, stopping, EVALUATION_BATCH, past=fitting)
        labels = fold.labels(fitting, self.config.data.max_count + 1).tolist()
        rooms = simulated(self.config, self.features, self.window) if self.config.train.pretrain_rooms else None
        tasks = []
        stage: Literal["search", "final"] = "final" if stopping is None else "search"
        if keep == "all" and self.config.train.members == 1:
            keep = "best"  # no other member has a say: this spares the weights after a thousand epochs

        def report(epoch: int, train_loss: float, stop_loss: float, member: int, network: nn.Module) -> None:
            monitored = network.monitored() if isinstance(network, Monitored) else {}
            on_epoch(Epoch(stage, member, epoch, epochs, train_loss, stop_loss, monitored))

        for member in range(self.config.train.members):
            # The same seed gives a member the same start in the search and in the refit.
            with _seeded(self.config.seed, member):
                network = self._network(labels)
                order = torch.Generator().manual_seed(torch.initial_seed())
                if rooms is not None:
                    pretrain(network, dataclasses.replace(rooms, order=order), self.config.train)
                data = WindowModule(dataclasses.replace(learning, order=order), stop)
                told = partial(report, member=member, network=network)
                tasks.append(train(network, data, self.config.train, epochs, told, keep))
        return tasks

    def _batches(self, fold: Fold, rows: Rows, size: int, past: Rows | None = None) -> Batches:
        """Return the given rows in batches to learn from, or, with a past to look back into, to stop on."""
        counts = torch.from_numpy(fold.counts(rows))  # first: it refuses rows that may not be read
        return Batches(self._windows(fold, rows, past), np.flatnonzero(rows), counts, size)

    def _windows(self, fold: Fold, rows: Rows, past: Rows | None) -> Windows:
        stretch = stretches(fold.log.times, rows if past is None else rows | past, fold.log.max_gap)
        return Windows(self.features.transform(fold.log.frame, stretch), stretch, self.window)

    def _outputs(self, member: int, windows: Windows, positions: Ints) -> Tensor:
        """Return one network's outputs for rows, (S, N) or (S, N, C)."""
        network: Any = self.networks[member]
        chunks = []
        for rows in np.split(positions, range(EVALUATION_BATCH, len(positions), EVALUATION_BATCH)):
            x = windows.at(rows)
            # Every chunk anew: where it is weights that are drawn, all rows share them.
            with _seeded(self.config.seed, member):
                chunks.append(network.sample(x, self.passes) if self.passes else network(x)[None])
        return torch.cat(chunks, dim=1)


def best_epoch(stop_losses: Sequence[Sequence[float]]) -> int:
    """Return the epoch, from 1, with the lowest stopping loss averaged over members.

    Args:
        stop_losses: of each member, the loss after each of its epochs; one that stopped early keeps its
            last loss, since leaving the average would make the others look better than they are.
    """
    losses = pd.DataFrame([list(losses) for losses in stop_losses]).ffill(axis=1).mean(axis=0)
    return int(losses.to_numpy().argmin()) + 1


def _residual_var(tasks: Sequence[Task], epoch: int, counts: Ints) -> float:
    """Return the members' mean squared error on rows they were not fitted on, people squared.

    A classifier's probabilities already hold what this stands for; its outputs (N, C) give 0.
    """
    outputs = torch.stack([task.stop_outputs[min(epoch, len(task.stop_outputs)) - 1] for task in tasks])
    if outputs.ndim > 2:
        return 0.0
    return float(np.mean((outputs.double().mean(dim=0).numpy() - counts) ** 2))


@contextmanager
def _seeded(*entropy: int) -> Iterator[None]:
    """Draw torch's random numbers from these seeds, and leave the process's own generators as they were."""
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
