"""The number of epochs that the validation rows choose, and the residual variance after them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from occupancy.arrays import Ints

if TYPE_CHECKING:
    from occupancy.models.neural.training import Task


def best_epoch(val_losses: Sequence[Sequence[float]]) -> int:
    """Return the epoch, from 1, with the lowest validation loss, averaged over members.

    Args:
        val_losses: the loss of each member after each of its epochs. A member that stopped early keeps its last loss;
            without it, the average over the others would be too good.
    """
    losses = pd.DataFrame([list(losses) for losses in val_losses]).ffill(axis=1).mean(axis=0)
    return int(losses.to_numpy().argmin()) + 1


def residual_var(members: Sequence[Task], epoch: int, counts: Ints) -> float:
    """Return the mean squared error of the members' mean on the validation rows, people squared.

    A classifier, with outputs (N, C), needs none: its probabilities contain this uncertainty. It gets 0.

    Args:
        members: the trained members.
        epoch: the epoch, from 1, after which the outputs are taken.
        counts: (N,) people at the validation rows.
    """
    outputs = torch.stack([member.val_outputs[min(epoch, len(member.val_outputs)) - 1] for member in members])
    if outputs.ndim > 2:
        return 0.0
    return float(np.mean((outputs.double().mean(dim=0).numpy() - counts) ** 2))
