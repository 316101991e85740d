"""Heads of a network: the output computed from its code, and the loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from occupancy.config import LSTM
from occupancy.models.neural.network import Sizes


class RegressionHead(nn.Module):
    """Predicts people as a real number; squared error."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, 1)

    def forward(self, code: Tensor) -> Tensor:
        """Return people (B,), unrounded, from codes (B, H)."""
        people: Tensor = self.linear(code)
        return people.squeeze(-1)

    def loss(self, code: Tensor, y: Tensor) -> Tensor:
        """Return the mean squared error, people squared, against counts (B,)."""
        return functional.mse_loss(self(code), y.to(code.dtype))


class ClassificationHead(nn.Module):
    """Predicts the probability of each count; cross-entropy, weighted by label."""

    def __init__(self, hidden: int, weights: Tensor) -> None:
        """Build the head for C counts, with the weight of each in the loss, (C,)."""
        super().__init__()
        self.linear = nn.Linear(hidden, len(weights))
        self.weights: Tensor
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, code: Tensor) -> Tensor:
        """Return probabilities (B, C) from codes (B, H)."""
        logits: Tensor = self.linear(code)
        return logits.softmax(dim=-1)

    def loss(self, code: Tensor, y: Tensor) -> Tensor:
        """Return the mean of the rows' weighted cross-entropies, nats, against counts (B,)."""
        return functional.cross_entropy(self.linear(code), y, self.weights, reduction="sum") / len(y)


class OrdinalHead(nn.Module):
    """Predicts the probability of each count from one score and thresholds (McCullagh 1980); negative log-likelihood.

    P(count > k) = sigmoid(score - threshold k), with the same score for all k (proportional odds). The thresholds are
    the first one and positive steps, so that they keep their order. In the untrained head, a score of 0 gives all
    counts equal probability.
    """

    def __init__(self, hidden: int, weights: Tensor) -> None:
        """Build the head for C counts, with the weight of each in the loss, (C,)."""
        super().__init__()
        self.linear = nn.Linear(hidden, 1, bias=False)  # the first threshold replaces the bias
        equal = torch.linspace(0, 1, len(weights) + 1)[1:-1].logit()
        self.first = nn.Parameter(equal[:1])
        self.steps = nn.Parameter(equal.diff().expm1().log())  # the inverse of softplus
        self.weights: Tensor
        self.register_buffer("weights", weights, persistent=False)

    def thresholds(self) -> Tensor:
        """Return the thresholds (C - 1,), in increasing order."""
        return torch.cat([self.first, functional.softplus(self.steps)]).cumsum(0)

    def forward(self, code: Tensor) -> Tensor:
        """Return probabilities (B, C) from codes (B, H)."""
        return self._log_probs(code).exp()

    def loss(self, code: Tensor, y: Tensor) -> Tensor:
        """Return the mean of the rows' weighted negative log-likelihoods, nats, of counts (B,)."""
        return functional.nll_loss(self._log_probs(code), y, self.weights, reduction="sum") / len(y)

    def _log_probs(self, code: Tensor) -> Tensor:
        """Return log-probabilities (B, C), differences of sigmoids, as products that are precise in the tails too.

        sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)).
        """
        log_odds = self.linear(code) - self.thresholds()
        above = functional.pad(functional.logsigmoid(log_odds), (1, 0))
        not_beyond = functional.pad(functional.logsigmoid(-log_odds), (0, 1))
        between = (-torch.expm1(-functional.softplus(self.steps))).log()
        return above + not_beyond + functional.pad(between, (1, 1))


def make_head(settings: LSTM, sizes: Sizes) -> RegressionHead | ClassificationHead | OrdinalHead:
    """Return the head in the settings; a balanced loss is weighted by the training rows of each label."""
    if settings.head == "regression":
        return RegressionHead(settings.hidden)
    weights = sizes.label_weights if settings.balanced else torch.ones(sizes.classes)
    return (OrdinalHead if settings.head == "ordinal" else ClassificationHead)(settings.hidden, weights)
