"""What the store holds of experiments, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occupancy.arrays import Floats, Ints


class Unusable(Exception):  # noqa: N818 (it is a reason, and goes into the list of what was left out)
    """A run's predictions are not there or cannot be read; the text says why.

    Attributes:
        remedy: what gives a run that has them.
    """

    def __init__(self, reason: str, remedy: str = "train again with occupancy train") -> None:
        super().__init__(reason)
        self.remedy = remedy


@dataclass(frozen=True)
class FoldRun:
    """A fold's run in the store."""

    number: int
    metrics: Mapping[str, float]
    artifact_uri: str


@dataclass(frozen=True)
class Run:
    """An experiment's run in the store; ``ended`` is in milliseconds since 1970, 0 while it goes on."""

    run_id: str
    name: str
    status: str
    ended: int
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    folds: Sequence[FoldRun]


@dataclass(frozen=True, eq=False)
class FoldRows:
    """The test rows of a fold, and what a run predicted for them.

    Attributes:
        number: the fold, from 1.
        times: (N,) time of each row.
        truth: (N,) people.
        label: (N,) predicted people.
        probs: (N, C) predicted probability of each count.
        mean: (N,) predicted mean, in people.
        std: (N,) its standard deviation, in people.
        epistemic: (N,) the part of it by which the model's samples disagree.
    """

    number: int
    times: NDArray[np.datetime64]
    truth: Ints
    label: Ints
    probs: Floats
    mean: Floats
    std: Floats
    epistemic: Floats
