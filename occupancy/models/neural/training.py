"""The only LightningModule: it trains every network that has ``loss(x, y)``."""

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
"""The epochs whose weights a training keeps: none, the one with the lowest validation loss, or all."""


class WindowModule(pl.LightningDataModule):
    """Feeds the training rows in random order, and the validation rows if there are any."""

    def __init__(self, train: Batches, val: Batches | None = None) -> None:
        super().__init__()
        self.train = train
        self.val = val

    def train_dataloader(self) -> Batches:
        """Return the batches to learn from."""
        return self.train

    def val_dataloader(self) -> Batches | list[Batches]:
        """Return the validation batches; an empty list if there are none, as in a refit."""
        return self.val if self.val is not None else []


class Task(pl.LightningModule):
    """Trains a network and keeps what the validation rows, if there are any, give after each epoch.

    Validation rows are here the rows whose loss chooses the number of epochs, whatever part of the fold they are.

    Attributes:
        train_losses: mean loss over the training batches of each epoch.
        val_losses: mean loss over the validation rows after each epoch; empty without such rows.
        val_outputs: the network's outputs for the validation rows after each epoch.
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
            steps: optimizer steps in all epochs together, over which the schedule runs.
            on_epoch: called after each epoch with its number (from 1), its training loss and its validation loss (NaN
                without validation rows).
            keep: the epochs whose weights are kept for `restore`.
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
        self._batch_losses = torch.empty(0)
        self._val_batches: list[tuple[Tensor, Tensor, Tensor]] = []

    def on_train_epoch_start(self) -> None:
        """Make room for the losses of the batches.

        One tensor for all: a small one kept from each step would lie between the large ones that are freed, and the
        process would grow by gigabytes in a million rows.
        """
        self._batch_losses = torch.zeros(int(self.trainer.num_training_batches), device=self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        loss: Tensor = self.network.loss(*batch)  # type: ignore[operator]
        self._batch_losses[batch_idx] = loss.detach()  # read once per epoch: logging each step takes as long as it
        return loss

    def validation_step(self, batch: Batch) -> None:
        """Keep loss and output of a batch of validation rows."""
        x, y = batch
        known = (y != PADDING).sum()
        self._val_batches.append((self.network.loss(x, y) * known, known, self.network(x)))  # type: ignore[operator]

    def on_validation_epoch_end(self) -> None:
        """Keep the validation loss and outputs of the epoch, and its weights if they are to be kept."""
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
            InputError: if the training diverged.
        """
        self.train_losses.append(float(self._batch_losses.mean()))
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
        # Fused: for networks this small, calling each operation for each weight takes longer than the operation.
        optimizer = torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        if settings.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def restore(self, epoch: int) -> None:
        """Put back the weights after an epoch (from 1), or after the last epoch if the training stopped before it."""
        self.network.load_state_dict(self._kept[min(epoch, len(self.val_losses))])


def train(
    network: nn.Module,
    data: WindowModule,
    settings: Train,
    epochs: int,
    on_epoch: Callable[[int, float, float], None],
    keep: Keep = "nothing",
) -> Task:
    """Train a network and return its task; afterwards the network is on the CPU, in evaluation mode.

    Args:
        network: changed in place.
        data: training rows, and validation rows if there are any.
        settings: optimizer, schedule, patience, device.
        epochs: most epochs.
        on_epoch: called after each epoch, see `Task`.
        keep: the epochs whose weights are kept, see `Task`.

    Raises:
        InputError: if this machine lacks the device, or the training diverged.
    """
    # Lightning logs at each fit which devices it found; the progress display is enough.
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    task = Task(network, settings, epochs * len(data.train), on_epoch, keep)
    _trainer(data, settings, epochs).fit(task, datamodule=data)
    network.cpu().eval()
    return task


def _trainer(data: WindowModule, settings: Train, epochs: int) -> pl.Trainer:
    """Return what trains for so many epochs, or stops early as the settings say."""
    stopping = data.val is not None and settings.patience is not None
    return pl.Trainer(
        max_epochs=epochs,
        accelerator=accelerator(settings.device),
        devices=1,
        gradient_clip_val=settings.gradient_clip,
        callbacks=[EarlyStopping("val_loss", patience=settings.patience or 0)] if stopping else [],
        limit_val_batches=None if data.val is not None else 0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
