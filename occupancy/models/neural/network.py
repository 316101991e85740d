"""What a network is told of its task, and what it may show of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sizes:
    """What a network has to fit.

    Attributes:
        features: F, columns of the input.
        classes: C, counts 0..C-1.
        rows: training rows, to which a prior is weighed; a network that is only used needs none.
        labels: training rows of each count, for a loss that balances them; likewise.
    """

    features: int
    classes: int
    rows: int = 1
    labels: tuple[int, ...] = ()

    @property
    def label_weights(self) -> Tensor:
        """The weight of a row of each count, (C,): all counts together weigh the same, and a row 1 on average.

        A count without training rows weighs 1, so that it still counts where it stops the training.
        """
        labels = torch.tensor(self.labels or [0] * self.classes)
        equal = labels.sum() / ((labels > 0).sum() * labels)
        return torch.where(labels > 0, equal, 1.0)


@runtime_checkable
class Monitored(Protocol):
    """A network that shows numbers of itself after each epoch."""

    def monitored(self) -> dict[str, float]:
        """Return the numbers by name."""
