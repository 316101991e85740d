"""LSTM or GRU over a window of sensor samples, with a head that regresses or classifies the count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from occupancy.config import LSTM
from occupancy.models.neural.heads import make_head
from occupancy.models.neural.network import Sizes


class Dropout(nn.Dropout):
    """Dropout with masks from uniform random numbers, which most processors draw much faster than Bernoulli numbers."""

    def forward(self, x: Tensor) -> Tensor:
        """Return values of any shape; in training mode each is 0 with probability p, else scaled by 1 / (1 - p)."""
        if not self.training:
            return x
        return x * torch.rand_like(x).ge_(self.p).div_(1 - self.p)


class LSTMNetwork(nn.Module):
    """LSTM or GRU layers with dropout after each: between the layers and before the head.

    The dropout layers are separate modules, because Monte-Carlo dropout (Gal and Ghahramani 2016) switches on dropout
    alone, and the built-in dropout of ``nn.LSTM`` and ``nn.GRU`` cannot be switched on alone.
    """

    def __init__(self, settings: LSTM, sizes: Sizes) -> None:
        """Build the network.

        Args:
            settings: cell, layers, hidden size, dropout and head.
            sizes: of input and output, with the training rows of each label for a balanced loss.
        """
        super().__init__()
        inputs = [sizes.features, *[settings.hidden] * (settings.layers - 1)]
        cell = {"lstm": nn.LSTM, "gru": nn.GRU}[settings.cell]
        self.layers = nn.ModuleList(cell(size, settings.hidden, batch_first=True) for size in inputs)
        self.dropouts = nn.ModuleList(Dropout(settings.dropout) for _ in inputs)
        self.head = make_head(settings, sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Return people (B,) or probabilities (B, C) from windows (B, T, F)."""
        prediction: Tensor = self.head(self._encode(self._first(x)))
        return prediction

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the head's mean loss over windows (B, T, F) with counts (B,)."""
        return self.head.loss(self._encode(self._first(x)), y)

    def sample(self, x: Tensor, n: int) -> Tensor:
        """Return n passes with dropout: people (S, B) or probabilities (S, B, C).

        Only the dropout layers are switched to training mode, and their modes are restored afterwards.
        """
        with _dropout_at_work(self.dropouts), torch.no_grad():
            first = self._first(x)  # no dropout before it, so all passes share it
            return torch.stack([self.head(self._encode(first)) for _ in range(n)])

    def _first(self, x: Tensor) -> Tensor:
        states: Tensor = self.layers[0](x)[0]
        return states

    def _encode(self, states: Tensor) -> Tensor:
        """Return codes (B, H) from the first layer's states (B, T, H)."""
        for dropout, layer in zip(self.dropouts[:-1], self.layers[1:], strict=True):
            states = layer(dropout(states))[0]
        code: Tensor = self.dropouts[-1](states[:, -1])
        return code


@contextmanager
def _dropout_at_work(dropouts: nn.ModuleList) -> Iterator[None]:
    modes = [dropout.training for dropout in dropouts]
    try:
        for dropout in dropouts:
            dropout.train()
        yield
    finally:
        for dropout, mode in zip(dropouts, modes, strict=True):
            dropout.train(mode)
