"""An experiment written the plain way: Lightning with a DataLoader and a logged loss, pytorch-crf, Pyro's ELBO, loops.

It starts from the same weights and takes the rows in the same order as ours, so that without chance both come to the
same predictions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyro
import pytorch_lightning as pl
import torch
from pyro.infer import Trace_ELBO
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from occupancy.arrays import Ints, Rows
from occupancy.config import BNN, LSTM, MLPCRF, Config
from occupancy.data.folds import Fold
from occupancy.data.times import stretches
from occupancy.features.sensors import Features
from occupancy.models.neural.bnn import BayesianNetwork
from occupancy.models.neural.lstm import LSTMNetwork
from occupancy.models.neural.mlp_crf import ChainNetwork
from occupancy.models.neural.network import Sizes
from occupancy.models.neural.windows import PADDING

Neural = LSTM | MLPCRF | BNN


def labels_of(config: Config, fold: Fold) -> Ints:
    """Return the labels of a fold's test rows, (N,), by one network of a configuration under the honest protocol."""
    sealed = fold.sealed()
    _, losses, _ = _train(config, sealed, fold.train, fold.validation, config.train.max_epochs)
    epochs = int(np.argmin(losses)) + 1
    network, _, features = _train(config, sealed, fold.train | fold.validation, None, epochs)
    everything = stretches(fold.log.times, np.ones_like(fold.test), fold.log.max_gap)
    values = torch.from_numpy(features.transform(fold.log.frame, everything))
    with torch.no_grad():
        if isinstance(network, PlainChain):
            return _filtered(network, config, values, everything, fold.test)
        return _predicted(network, config, values, everything, fold.test)


class Windows(Dataset[tuple[Tensor, Tensor]]):
    """Windows that end at rows, or at sequences of rows, each put together when it is asked for."""

    def __init__(self, values: Tensor, rows: list[list[int]], starts: Ints, counts: Ints, window: int) -> None:
        """Describe them.

        Args:
            values: (N, F) inputs.
            rows: positions of the rows of each item.
            starts: (N,) the position at which each row's stretch starts, whose first row pads windows.
            counts: (N,) people.
            window: samples in a window.
        """
        self.values, self.rows, self.starts, self.counts, self.window = values, rows, starts, counts, window

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.rows)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        """Return windows (L, T, F) and counts (L,)."""
        windows = []
        for row in self.rows[item]:
            before = max(self.starts[row], row - self.window + 1)
            inside = self.values[before : row + 1]
            windows.append(torch.cat([inside[:1].expand(self.window - len(inside), -1), inside]))
        return torch.stack(windows), torch.from_numpy(self.counts[self.rows[item]])


class Shuffled(Sampler[int]):
    """A new order in each epoch; torch's own sampler draws once more than it needs, and would come to other orders."""

    def __init__(self, items: int) -> None:
        self.items = items
        self.generator = torch.Generator().manual_seed(torch.initial_seed())

    def __iter__(self) -> Iterator[int]:
        """Yield positions of items."""
        return iter(torch.randperm(self.items, generator=self.generator).tolist())

    def __len__(self) -> int:
        """Return the number of items."""
        return self.items


class PlainTask(pl.LightningModule):
    """Trains a network that has ``loss(x, y)``."""

    def __init__(self, network: nn.Module, config: Config, steps: int) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.steps = steps
        self.losses: list[float] = []

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Return the loss of a batch."""
        loss: Tensor = self.network.loss(*batch)  # type: ignore[operator]
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Log the loss of a batch."""
        rows = int((batch[1] != PADDING).sum())
        self.log("val_loss", self.network.loss(*batch), batch_size=rows)  # type: ignore[operator]

    def on_validation_epoch_end(self) -> None:
        """Remember the loss of all batches."""
        self.losses.append(float(self.trainer.callback_metrics["val_loss"]))

    def configure_optimizers(self) -> Any:
        """Return AdamW with a cosine decay."""
        settings = self.config.train
        optimizer = torch.optim.AdamW(self.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class PlainChain(ChainNetwork):
    """The loss of pytorch-crf."""

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the negative log-likelihood, nats a row, of labels (B, L) from windows (B, L, T, F)."""
        mask = y != PADDING
        loss: Tensor = -self.crf(self(x), y.clamp(min=0), mask, reduction="token_mean")
        return loss


class PlainBayes(BayesianNetwork):
    """The loss of Pyro, which runs model and guide for every draw, and predictions that loop over draws."""

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return an estimate of the negative evidence lower bound, nats a row; in evaluation without the prior."""
        if not self.training:
            return super().loss(x, y)
        with pyro.settings.context(module_local_params=True):
            elbo = Trace_ELBO(num_particles=self.settings.draws)  # type: ignore[no-untyped-call]
            loss: Tensor = elbo.differentiable_loss(self.model, self.guide, x, y) / self.rows  # type: ignore[no-untyped-call]
        return loss

    def sample(self, x: Tensor, n: int) -> Tensor:
        """Return probabilities (S, B, C) by n draws of the weights."""
        return torch.stack([self._logits(x, self.posterior().sample()[None])[0].softmax(dim=-1) for _ in range(n)])


class PlainLSTM(LSTMNetwork):
    """Torch's dropout, and passes that run the whole network each."""

    def __init__(self, settings: LSTM, sizes: Sizes) -> None:
        super().__init__(settings, sizes)
        self.dropouts = nn.ModuleList(nn.Dropout(settings.dropout) for _ in self.layers)

    def sample(self, x: Tensor, n: int) -> Tensor:
        """Return n passes: people (S, B) or probabilities (S, B, C)."""
        self.train()
        passes = torch.stack([self(x) for _ in range(n)])
        self.eval()
        return passes


def _neural(config: Config) -> Neural:
    assert isinstance(config.model, Neural), f"no network: {config.model.name}"
    return config.model


def _network(config: Config, features: int, rows: int) -> nn.Module:
    sizes = Sizes(features, config.data.max_count + 1, rows)
    match _neural(config):
        case LSTM() as settings:
            return PlainLSTM(settings, sizes)
        case MLPCRF() as settings:
            return PlainChain(settings, sizes)
        case BNN() as settings:
            return PlainBayes(settings, sizes)


def _train(
    config: Config, fold: Fold, fitting: Rows, stopping: Rows | None, epochs: int
) -> tuple[nn.Module, list[float], Features]:
    """Return a trained network, its losses on the stopping rows after each epoch, and its features."""
    features = Features.fit(fold.log, fitting, config.features)
    learning = _windows(config, fold, features, fitting, fitting)
    with _seeded(config):
        network = _network(config, len(features.columns), int(fitting.sum()))
        own = torch.Generator()  # else loaders draw from the generator that dropout draws from
        order = Shuffled(len(learning))
        loader = DataLoader(learning, config.train.batch_size, sampler=order, generator=own, collate_fn=_collate)
        stop: Any = []
        if stopping is not None:
            windows = _windows(config, fold, features, stopping, stopping | fitting)
            stop = DataLoader(windows, 1024, generator=own, collate_fn=_collate)
        task = PlainTask(network, config, epochs * len(loader))
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            limit_val_batches=None if stop else 0,
            gradient_clip_val=config.train.gradient_clip,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(task, loader, stop)
    return network.eval(), task.losses, features


def _windows(config: Config, fold: Fold, features: Features, rows: Rows, visible: Rows) -> Windows:
    """Return the windows of rows, or of sequences of rows, that look back into visible rows alone."""
    stretch = stretches(fold.log.times, visible, fold.log.max_gap)
    counts = np.zeros(len(rows), np.int64)
    counts[rows] = fold.counts(rows)
    items = [[int(row)] for row in np.flatnonzero(rows)]
    if isinstance(config.model, MLPCRF):
        items = []
        own = stretches(fold.log.times, rows, fold.log.max_gap)
        for number in range(own.max() + 1):
            run = np.flatnonzero(own == number).tolist()
            items += [run[start : start + config.model.sequence] for start in range(0, len(run), config.model.sequence)]
    values = torch.from_numpy(features.transform(fold.log.frame, stretch))
    return Windows(values, items, _starts(stretch), counts, _neural(config).window)


def _starts(stretch: Ints) -> Ints:
    """Return the position at which the stretch of each row starts, (N,)."""
    starts = np.zeros_like(stretch)
    for row in range(1, len(stretch)):
        starts[row] = starts[row - 1] if stretch[row] == stretch[row - 1] else row
    return starts


def _collate(items: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return a batch of rows, x (B, T, F) and y (B,), or of padded sequences, x (B, L, T, F) and y (B, L)."""
    x, y = zip(*items, strict=True)
    if max(map(len, y)) == 1:
        return torch.cat(x), torch.cat(y)
    pad = nn.utils.rnn.pad_sequence
    return pad(list(x), batch_first=True), pad(list(y), batch_first=True, padding_value=PADDING)


def _predicted(network: nn.Module, config: Config, values: Tensor, stretch: Ints, rows: Rows) -> Ints:
    items = [[int(row)] for row in np.flatnonzero(rows)]
    windows = Windows(values, items, _starts(stretch), np.zeros_like(stretch), _neural(config).window)
    model = config.model
    assert isinstance(model, LSTM | BNN)
    n = model.mc_samples if isinstance(model, LSTM) else model.samples
    outputs = []
    for x, _ in DataLoader(windows, 1024, generator=torch.Generator(), collate_fn=_collate):
        with _seeded(config):
            outputs.append(network.sample(x, n).mean(dim=0) if n else network(x))  # type: ignore[operator]
    output = torch.cat(outputs)
    label = output.argmax(dim=-1) if output.ndim > 1 else output.round().clamp(0, config.data.max_count)
    return label.long().numpy()


def _filtered(network: PlainChain, config: Config, values: Tensor, stretch: Ints, rows: Rows) -> Ints:
    """Return the likeliest label of each row (N,) given the rows of its recording up to it."""
    items = [[row] for row in range(len(values))]
    windows = Windows(values, items, _starts(stretch), np.zeros_like(stretch), _neural(config).window)
    chain = [part.double() for part in network.chain]
    labels = np.zeros_like(stretch)
    before = chain[0]
    for row in range(len(values)):
        emission = network(windows[row][0])[0].double()
        if row and stretch[row] == stretch[row - 1]:
            before = (before[:, None] + chain[1]).logsumexp(dim=0) + emission
        else:
            before = chain[0] + emission
        labels[row] = int((before + chain[2]).argmax())
    return labels[rows]


@contextmanager
def _seeded(config: Config) -> Iterator[None]:
    """Draw what the first of an experiment's networks draws."""
    with torch.random.fork_rng():
        torch.manual_seed(int(np.random.SeedSequence((config.seed, 0)).generate_state(1)[0]))
        yield
