"""Passes of Monte-Carlo dropout beside the loop over the whole network."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.conftest import Race
from occupancy.config import LSTM
from occupancy.models.lstm import LSTMNetwork
from occupancy.models.task import Sizes

PASSES = 100


def test_monte_carlo_dropout(race: Race) -> None:
    torch.manual_seed(0)
    network = LSTMNetwork(LSTM(layers=3, hidden=64, dropout=0.3), Sizes(features=11, classes=4))
    x = torch.randn(256, 15, 11)

    def ours() -> Tensor:
        torch.manual_seed(1)
        return network.eval().sample(x, PASSES)

    def reference() -> Tensor:
        torch.manual_seed(1)
        with torch.no_grad():
            return torch.stack([network.train()(x) for _ in range(PASSES)])

    torch.testing.assert_close(ours(), reference(), rtol=1e-4, atol=1e-5)
    what = f"{PASSES} passes of dropout, 3 layers of 64, 256 rows"
    race(what, ours, ("loop over the whole network", reference), target=1.25, rounds=7)
