"""Passes of Monte-Carlo dropout beside the loop over the whole network."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.conftest import Race
from benchmarks.plain import PlainLSTM
from occupancy.config import LSTM
from occupancy.models.neural.lstm import LSTMNetwork
from occupancy.models.neural.network import Sizes

PASSES = 100


def test_monte_carlo_dropout(race: Race) -> None:
    settings, sizes = LSTM(layers=3, hidden=64, dropout=0.3), Sizes(features=11, classes=4)
    torch.manual_seed(0)
    network, whole = LSTMNetwork(settings, sizes), PlainLSTM(settings, sizes)
    whole.load_state_dict(network.state_dict())
    x = torch.randn(256, 15, 11)

    def ours() -> Tensor:
        return network.eval().sample(x, PASSES)

    def reference() -> Tensor:
        with torch.no_grad():
            return whole.sample(x, PASSES)

    passes, expected = ours(), reference()
    error = ((passes.var(dim=0) + expected.var(dim=0)) / PASSES).sqrt()
    deviation = (passes.mean(dim=0) - expected.mean(dim=0)) / error
    assert deviation.abs().max() < 5  # standard errors
    torch.testing.assert_close(passes.var(dim=0).mean(), expected.var(dim=0).mean(), rtol=0.05, atol=0)
    what = f"{PASSES} passes of dropout, 3 layers of 64, {len(x)} rows"
    race(what, ours, ("loop over the whole network", reference), target=1.25, rounds=7)
