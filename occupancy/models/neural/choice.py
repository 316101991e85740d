"""The number of epochs that the validation rows choose, and the residual variances after them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from occupancy.arrays import Floats, Ints
from occupancy.config import Kind
from occupancy.features.learned import Learned
from occupancy.models.holes import MOST_ROWS
from occupancy.models.neural.windows import Windows

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


def added_var(
    samples: Callable[[Windows, Ints], Floats], windows: Windows, rows: Ints, counts: Ints
) -> dict[str, float]:
    """Return what the squared error of a regressor grows by without a kind of sensors, by kind, people squared.

    Args:
        samples: returns sampled counts (S, M) of windows at rows.
        windows: with masks.
        rows: (M,) positions of rows; of many, every so many are used.
        counts: (M,) people at these rows.
    """
    assert windows.masks is not None, "windows without masks lack no kind"
    every = -(-len(rows) // MOST_ROWS)

    def error(windows: Windows) -> float:
        return float(np.mean((samples(windows, rows[::every]).mean(axis=0) - counts[::every]) ** 2))

    whole = error(windows)
    return {kind: max(error(windows.without(kind)) - whole, 0.0) for kind in windows.masks.kinds}


def read_added_var(learned: Learned, kinds: Sequence[Kind]) -> dict[str, float]:
    """Return the saved variances that are added without a kind; none from models of earlier versions.

    Raises:
        InputError: one is negative or no number.
    """
    if "added_var" not in learned:
        return {}
    added = learned.part("added_var")
    return {kind: added.number(kind, 0.0) for kind in sorted(set(kinds)) if kind in added}
