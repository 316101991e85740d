"""What a network knows of its data, and what it may report of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sizes:
    """The sizes that a network has to fit.

    Attributes:
        features: F, columns of the input.
        classes: C, counts 0..C-1.
        rows: number of training rows, against which a prior is weighted; not used after training.
        labels: number of training rows of each count, for a balanced loss; not used after training.
    """

    features: int
    classes: int
    rows: int = 1
    labels: tuple[int, ...] = ()

    @property
    def label_weights(self) -> Tensor:
        """The weight of a row of each count, (C,): all counts have the same total weight, and a row has 1 on average.

        A count without training rows has weight 1, so that it still counts in the validation loss.
        """
        labels = torch.tensor(self.labels or [0] * self.classes)
        equal = labels.sum() / ((labels > 0).sum() * labels)
        return torch.where(labels > 0, equal, 1.0)


@runtime_checkable
class Monitored(Protocol):
    """A network that reports values of its own after each epoch."""

    def monitored(self) -> dict[str, float]:
        """Return the values by name."""
