"""Windows as strided views of a log, and passes over them in batches."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from occupancy.arrays import OUTSIDE, Ints, Rows
from occupancy.config import Kind
from occupancy.models.neural.masks import Masks

Batch = tuple[Tensor, Tensor]
PADDING = -1
"""The count of a row that only pads a sequence."""


class Windows:
    """The window of ``length`` samples that ends at each row of a log.

    The start of a stretch is padded with copies of its first row, so that every row has a window and no window contains
    rows of another stretch. All windows are views of one padded array: a longer window needs more rows per stretch,
    not per window.
    """

    def __init__(self, values: NDArray[np.float32], stretch: Ints, length: int, masks: Masks | None = None) -> None:
        """Build the padded array.

        Args:
            values: (N, F) inputs.
            stretch: (N,) the stretch of each row, `OUTSIDE` for rows without a window.
            length: T, samples in a window.
            masks: the kinds of sensors that each window lacks, which become inputs too; None for inputs alone.
        """
        self.masks = masks
        inside = np.flatnonzero(stretch != OUTSIDE)
        starts = np.diff(stretch[inside], prepend=OUTSIDE) != 0
        copies = np.where(starts, length, 1)
        padded = torch.from_numpy(values[inside.repeat(copies)])
        # A window ends at the last copy of its row; unfold numbers windows by their first sample.
        self._window_of = np.full(len(values), OUTSIDE)
        self._window_of[inside] = np.cumsum(copies) - length
        self._views = padded.unfold(0, length, 1).transpose(1, 2)

    def at(self, rows: Ints, draw: torch.Generator | None = None) -> Tensor:
        """Return the windows (..., T, F) that end at rows, given by position (...), with their masks if there are any.

        Args:
            rows: the positions.
            draw: drops kinds of sensors, see `Masks.over`; without masks nothing is drawn.
        """
        x = self._bare(rows)
        return x if self.masks is None else self.masks.over(x, rows, draw)

    def without(self, kind: Kind) -> Windows:
        """Return the windows as if they lacked one kind of sensors more; they must have masks."""
        assert self.masks is not None, "windows without masks cannot lack a kind"
        other = copy.copy(self)
        other.masks = self.masks.without(kind)
        return other

    def _bare(self, rows: Ints) -> Tensor:
        windows = self._window_of[rows]
        assert (windows >= 0).all(), "a window was asked for at a row outside every stretch"
        if rows.ndim == 1 and len(rows) and (np.diff(windows) == 1).all():
            return self._views[windows[0] : windows[-1] + 1]  # for consecutive rows a view is enough
        return self._views[torch.from_numpy(windows)]


def sequences(stretch: Ints, length: int, drop_incomplete: bool = False) -> tuple[Ints, Rows]:
    """Return stretches cut into M sequences: the positions of their rows, (M, T), and which of these count, (M, T).

    The last sequence of a stretch may be shorter. It is padded with copies of its last row, which do not count.

    Args:
        stretch: (N,) the stretch of each row, `OUTSIDE` for rows in no sequence.
        length: T, rows of a sequence.
        drop_incomplete: whether shorter sequences are left out.
    """
    inside = np.flatnonzero(stretch != OUTSIDE)
    runs = np.split(inside, np.flatnonzero(np.diff(stretch[inside])) + 1)
    pieces = [run[start : start + length] for run in runs for start in range(0, len(run), length)]
    kept = [piece for piece in pieces if len(piece) == length or not drop_incomplete]
    steps = np.arange(length)
    positions = [piece[np.minimum(steps, len(piece) - 1)] for piece in kept]
    counted = [steps < len(piece) for piece in kept]
    return np.array(positions, np.int64).reshape(-1, length), np.array(counted, bool).reshape(-1, length)


@dataclass(frozen=True)
class Batches:
    """One pass over rows, or over sequences of rows, in batches of windows with their counts.

    It iterates over tensors in memory: a loader with workers would need more time to pass these small batches between
    processes than the networks need to learn from them.

    Attributes:
        windows: the windows of the log.
        rows: (M,) positions of the rows, or (M, L) of sequences of L rows.
        counts: people at each row, with the same shape; `PADDING` where a sequence is padded.
        size: B, rows or sequences in a batch; the last batch may be smaller.
        order: draws a new order for each pass, and the kinds of sensors that windows with masks lose; None keeps the
            order of the rows, and all kinds.
    """

    windows: Windows
    rows: Ints
    counts: Tensor
    size: int
    order: torch.Generator | None = None

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-len(self.rows) // self.size)

    def __iter__(self) -> Iterator[Batch]:
        """Yield x (B, T, F) and y (B,), or x (B, L, T, F) and y (B, L)."""
        rows, counts = self.rows, self.counts
        if self.order is not None:
            order = torch.randperm(len(rows), generator=self.order)
            rows, counts = rows[order.numpy()], counts[order]
        for start in range(0, len(rows), self.size):
            batch = slice(start, start + self.size)
            yield self.windows.at(rows[batch], self.order), counts[batch]
