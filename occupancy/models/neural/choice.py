"""The choice of the number of epochs, and what the chosen members leave over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from occupancy.arrays import Ints

if TYPE_CHECKING:
    from occupancy.models.neural.task import Task


def best_epoch(val_losses: Sequence[Sequence[float]]) -> int:
    """Return the epoch, from 1, with the lowest loss on the choosing rows, averaged over members.

    Args:
        val_losses: the loss of each member after each of its epochs. A member that stopped early keeps its last loss:
            without it the average of the others would look better than it is.
    """
    losses = pd.DataFrame([list(losses) for losses in val_losses]).ffill(axis=1).mean(axis=0)
    return int(losses.to_numpy().argmin()) + 1


def residual_var(members: Sequence[Task], epoch: int, counts: Ints) -> float:
    """Return the members' mean squared error on rows they were not fitted on, people squared.

    A classifier's probabilities already hold what this stands for; its outputs (N, C) give 0.

    Args:
        members: the trained members.
        epoch: the epoch, from 1, whose outputs for the choosing rows are taken.
        counts: (N,) people at those rows.
    """
    outputs = torch.stack([member.val_outputs[min(epoch, len(member.val_outputs)) - 1] for member in members])
    if outputs.ndim > 2:
        return 0.0
    return float(np.mean((outputs.double().mean(dim=0).numpy() - counts) ** 2))
