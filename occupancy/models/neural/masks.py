"""Networks that do without some sensors: a mask for each kind, and kinds that are dropped while they learn."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Kind


@dataclass(frozen=True)
class Masks:
    """The kinds of sensors that each window lacks.

    A kind is there in a whole window or in none of its samples, as when it is dropped: a network meets no other case
    while it learns. The inputs of a kind that is not there have their usual values.

    Attributes:
        kinds: the kinds of sensors, (K,).
        kind_of: (F,) position of the kind of each input.
        usual: (F,) the usual value of each input.
        lacks: (N, K) whether the window that ends at a row lacks a kind.
        dropout: the probability with which a kind is dropped.
    """

    kinds: tuple[Kind, ...]
    kind_of: Tensor
    usual: Tensor
    lacks: Tensor
    dropout: float

    @classmethod
    def of(cls, kinds: tuple[Kind, ...], usual: Floats, scarce: Rows, dropout: float) -> Self:
        """Return the masks of inputs.

        Args:
            kinds: the kind of each input, (F,).
            usual: (F,) the usual value of each input.
            scarce: (N, F) whether an input is missing too often in the window that ends at a row.
            dropout: the probability with which a kind is dropped.
        """
        names, places = np.unique(kinds, return_inverse=True)
        lacks = np.stack([scarce[:, places == kind].any(axis=1) for kind in range(len(names))], axis=1)
        columns = torch.from_numpy(places), torch.from_numpy(usual.astype(np.float32))
        return cls(tuple(sorted(set(kinds))), *columns, torch.from_numpy(lacks), dropout)

    @property
    def answerable(self) -> Rows:
        """Which windows (N,) have readings of some kind."""
        return np.asarray(~self.lacks.all(dim=1).numpy())

    def without(self, kind: Kind) -> Self:
        """Return the masks of windows that lack one kind more."""
        return dataclasses.replace(self, lacks=self.lacks | torch.tensor([name == kind for name in self.kinds]))

    def weighed(self, by_kind: Mapping[str, float]) -> Floats:
        """Return the sum of numbers of the kinds that each window lacks, (N,); a kind without one has the largest."""
        most = max(by_kind.values(), default=0.0)
        return np.asarray(self.lacks.numpy() @ np.array([by_kind.get(kind, most) for kind in self.kinds]))

    def over(self, x: Tensor, rows: Ints, draw: torch.Generator | None) -> Tensor:
        """Return windows (..., T, F) with a column for each kind, (..., T, F + K): 1 if it is there, 0 if not.

        Args:
            x: the windows.
            rows: (...) the rows at which they end.
            draw: drops kinds, the same ones from all windows of a sequence; None drops none. What would have lost all
                kinds loses none: such a window is not answered.
        """
        gone = self.lacks[torch.from_numpy(rows)]
        if draw is not None:
            drawn = torch.rand(len(rows), len(self.kinds), generator=draw) < self.dropout
            fewer = gone | drawn.view(len(rows), *[1] * (rows.ndim - 1), len(self.kinds))
            gone = gone.where(fewer.all(dim=-1, keepdim=True), fewer)
        masked = self.usual.where(gone[..., self.kind_of].unsqueeze(-2), x)
        there = (~gone).to(x.dtype).unsqueeze(-2).expand(*x.shape[:-1], -1)
        return torch.cat([masked, there], dim=-1)
