"""The one LightningModule: it trains any network that has ``loss(x, y)``."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from torch import Tensor, nn

from occupancy.config import Train
from occupancy.errors import InputError
from occupancy.models.neural.runtime import accelerator
from occupancy.models.neural.windows import PADDING, Batch, Batches

Keep = Literal["nothing", "best", "all"]
"""After which epochs a training keeps the weights: that with the lowest loss on the choosing rows, or each."""


class WindowModule(pl.LightningDataModule):
    """Feeds the training rows in random order and, where given, the rows that stop the training."""

    def __init__(self, train: Batches, choosing: Batches | None = None) -> None:
        super().__init__()
        self.train = train
        self.choosing = choosing

    def train_dataloader(self) -> Batches:
        """Return the batches to learn from."""
        return self.train

    def val_dataloader(self) -> Batches | list[Batches]:
        """Return the batches whose loss chooses the number of epochs; none in a refit."""
        return self.choosing if self.choosing is not None else []


class Task(pl.LightningModule):
    """Trains a network and remembers what its choosing rows said after each epoch.

    Attributes:
        train_losses: mean loss over the training batches of each epoch.
        val_losses: mean loss over the choosing rows after each epoch; empty without such rows.
        val_outputs: the network's outputs for the choosing rows after each epoch.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: Train,
        steps: int,
        on_epoch: Callable[[int, float, float], None],
        keep: Keep = "nothing",
    ) -> None:
        """Wrap a network.

        Args:
            network: has ``loss(x, y)`` and ``forward(x)``.
            settings: optimizer and schedule.
            steps: training steps in all epochs together, over which the schedule runs.
            on_epoch: told the epoch (from 1), its training loss, and its loss on the choosing rows (NaN without
                such rows).
            keep: after which epochs the weights are kept for `restore`.
        """
        super().__init__()
        self.network = network
        self.settings = settings
        self.steps = steps
        self.on_epoch = on_epoch
        self.train_losses: list[float] = []
        self.val_losses: list[float] = []
        self.val_outputs: list[Tensor] = []
        self._keep = keep
        self._kept: dict[int, dict[str, Tensor]] = {}  # weights by epoch, from 1
        self._batch_losses: list[Tensor] = []
        self._val_batches: list[tuple[Tensor, Tensor, Tensor]] = []

    def training_step(self, batch: Batch) -> Tensor:
        """Return the loss of a batch."""
        loss: Tensor = self.network.loss(*batch)  # type: ignore[operator]
        self._batch_losses.append(loss.detach())  # read once an epoch: logging every step costs as much as the step
        return loss

    def validation_step(self, batch: Batch) -> None:
        """Keep loss and output of a batch of choosing rows."""
        x, y = batch
        known = (y != PADDING).sum()
        self._val_batches.append((self.network.loss(x, y) * known, known, self.network(x)))  # type: ignore[operator]

    def on_validation_epoch_end(self) -> None:
        """Remember what the choosing rows say, and the weights if they are to be kept."""
        losses, rows, outputs = zip(*self._val_batches, strict=True)
        self._val_batches.clear()
        self.val_outputs.append(torch.cat(outputs).cpu())
        loss = float(torch.stack(losses).sum() / torch.stack(rows).sum())
        best = loss < min(self.val_losses, default=math.inf)
        self.val_losses.append(loss)
        if self._keep == "best" and best:
            self._kept.clear()
        if self._keep == "all" or (self._keep == "best" and best):
            weights = self.network.state_dict()
            self._kept[len(self.val_losses)] = {name: value.cpu().clone() for name, value in weights.items()}
        self.log("val_loss", loss)

    def on_train_epoch_end(self) -> None:
        """Report the epoch.

        Raises:
            InputError: the training diverged.
        """
        self.train_losses.append(float(torch.stack(self._batch_losses).mean()))
        self._batch_losses.clear()
        weights = (weight.isfinite().all() for weight in self.network.parameters())
        if not all(map(math.isfinite, [self.train_losses[-1], *self.val_losses[-1:]])) or not all(weights):
            raise InputError(
                f"train.learning_rate: with {self.settings.learning_rate:g} the training diverged in epoch "
                f"{len(self.train_losses)} (loss {self.train_losses[-1]:g}); lower it"
            )
        val_loss = self.val_losses[-1] if self.val_losses else math.nan
        self.on_epoch(len(self.train_losses), self.train_losses[-1], val_loss)

    def configure_optimizers(self) -> Any:
        """Return AdamW, with a cosine decay to zero over all steps if the settings ask for it."""
        settings = self.settings
        # Fused: for networks this small, a call for each operation on each weight costs more than the operation.
        optimizer = torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        if settings.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def restore(self, epoch: int) -> None:
        """Put back the weights after an epoch (from 1), or after the last one if the training stopped before it."""
        self.network.load_state_dict(self._kept[min(epoch, len(self.val_losses))])


def train(
    network: nn.Module,
    data: WindowModule,
    settings: Train,
    epochs: int,
    on_epoch: Callable[[int, float, float], None],
    keep: Keep = "nothing",
) -> Task:
    """Train a network and return the task that did it; the network is on the CPU then, in evaluation mode.

    Args:
        network: changed in place.
        data: the rows to learn from and, where there are any, to stop on.
        settings: optimizer, schedule, patience, device.
        epochs: how many at most.
        on_epoch: told of every epoch, see `Task`.
        keep: after which epochs the weights are kept, see `Task`.

    Raises:
        InputError: the device asked for is not there.
    """
    # Lightning says at each fit which devices it found; the progress display says what matters.
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    task = Task(network, settings, epochs * len(data.train), on_epoch, keep)
    stopping = data.choosing is not None and settings.patience is not None
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator=accelerator(settings.device),
        devices=1,
        gradient_clip_val=settings.gradient_clip,
        callbacks=[EarlyStopping("val_loss", patience=settings.patience or 0)] if stopping else [],
        limit_val_batches=None if data.choosing is not None else 0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(task, datamodule=data)
    network.cpu().eval()
    return task
