"""Training of the members of a model: networks that differ only by their seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import nn

from occupancy.config import Config
from occupancy.models.estimator import Epoch
from occupancy.models.neural.network import Monitored
from occupancy.models.neural.pretraining import pretrain
from occupancy.models.neural.runtime import seeded
from occupancy.models.neural.training import Keep, Task, WindowModule, train
from occupancy.models.neural.windows import Batches


def train_members(
    config: Config,
    build: Callable[[], nn.Module],
    learning: Batches,
    val: Batches | None,
    rooms: Batches | None,
    epochs: int,
    on_epoch: Callable[[Epoch], None],
    keeps: bool,
) -> list[Task]:
    """Return the trained members, as many as ``train.members`` says; a seed starts a member alike in search and refit.

    Args:
        config: the experiment.
        build: returns an untrained network.
        learning: the training rows.
        val: the rows whose loss chooses the number of epochs; None in a refit.
        rooms: simulated rooms to learn from before the log; None for none.
        epochs: most epochs of a member.
        on_epoch: called after each epoch.
        keeps: whether the members keep their weights for `Task.restore`.
    """
    stage: Literal["search", "final"] = "final" if val is None else "search"
    # A single member chooses its own best epoch, so only those weights are kept, not those of a thousand epochs.
    keep: Keep = "nothing" if not keeps else "best" if config.train.members == 1 else "all"

    def report(member: int, network: nn.Module, epoch: int, train_loss: float, val_loss: float) -> None:
        monitored = network.monitored() if isinstance(network, Monitored) else {}
        on_epoch(Epoch(stage, member, epoch, epochs, train_loss, val_loss, monitored))

    tasks = []
    for member in range(config.train.members):
        with seeded(config.seed, member):
            network = build()
            order = torch.Generator().manual_seed(torch.initial_seed())
            if rooms is not None:
                pretrain(network, dataclasses.replace(rooms, order=order), config.train)
            data, told = WindowModule(dataclasses.replace(learning, order=order), val), partial(report, member, network)
            tasks.append(train(network, data, config.train, epochs, told, keep))
    return tasks
