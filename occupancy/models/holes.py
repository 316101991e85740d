"""Rows that lack readings: which kinds of sensors they lack, and a model for those that lack some.

Besides the model of all inputs there is a reduced one for each kind of sensors that may be missing, and for some pairs
of kinds, fitted without their inputs (Saar-Tsechansky and Provost 2007, Handling Missing Values when Applying
Classification Models). Nothing is put in the place of a missing reading.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from occupancy.arrays import Floats, Ints, Rows
from occupancy.errors import InputError
from occupancy.features.hours import KIND as HOUR
from occupancy.features.learned import Learned
from occupancy.prediction import Prediction, from_probabilities, scatter

WHOLE = ""
"""The name of what is missing from rows that lack nothing."""
PAIRED_KINDS = 4  # the most kinds of which pairs may be missing too: with more, the reduced models would be many
MOST_ROWS = 20_000  # that a reduced model learns from, evenly spread: a log of a million rows needs no more time for it

Matrix = NDArray[np.float32]
Model = TypeVar("Model")


def reductions(kinds: Sequence[str]) -> list[str]:
    """Return the names of what may be missing: the kinds of the inputs (F,), and pairs of kinds if there are few."""
    known = sorted(set(kinds) - {HOUR})
    sizes = range(1, min(3 if len(known) <= PAIRED_KINDS else 2, len(known)))
    return ["+".join(lacking) for size in sizes for lacking in itertools.combinations(known, size)]


def remaining(kinds: Sequence[str], lacking: str) -> Rows:
    """Return which of the inputs (F,) there are without some kinds."""
    return np.array([kind not in lacking.split("+") for kind in kinds])


def patterns(inputs: Matrix, kinds: Sequence[str]) -> list[tuple[str, Rows]]:
    """Return what is missing from rows of inputs (N, F), and which rows (N,) lack just that."""
    gone = np.isnan(inputs)
    if not gone.any():
        return [(WHOLE, np.ones(len(inputs), bool))]
    known = sorted(set(kinds) - {HOUR})
    lacks = np.stack([gone[:, ~remaining(kinds, kind)].any(axis=1) for kind in known], axis=1)
    found, place = np.unique(lacks, axis=0, return_inverse=True)
    names = ["+".join(kind for kind, lacking in zip(known, row, strict=True) if lacking) for row in found]
    return [(name, place.ravel() == number) for number, name in enumerate(names)]


def complete(inputs: Matrix, kinds: Sequence[str]) -> Rows:
    """Return which rows of inputs (N, F) lack nothing.

    Raises:
        InputError: if all lack something, so that there is no row to learn from.
    """
    whole = np.asarray(~np.isnan(inputs).any(axis=1))
    if not whole.any():
        named = ", ".join(sorted(set(kinds) - {HOUR}))
        raise InputError(
            f"data.missing: no training row has readings of all sensors ({named}); put the "
            "readings on one grid with data.step=60s or another step, or choose other features"
        )
    return whole


@dataclasses.dataclass
class Reduced(Generic[Model]):
    """The reduced models of a model.

    Each is fitted when it is first needed, or saved: a model that is only fitted to be calibrated may need none.

    Attributes:
        fit: returns the model of inputs (N, F) and counts (N,).
        kinds: the kind of each input, (F,).
        found: the models by what is missing.
    """

    fit: Callable[[Matrix, Ints], Model]
    kinds: Sequence[str]
    found: dict[str, Model] = dataclasses.field(default_factory=dict)
    _rows: tuple[Matrix, Ints] | None = None

    def learn(self, inputs: Matrix, counts: Ints) -> None:
        """Keep the rows (N, F), (N,) to learn from, or every so many of them."""
        every = -(-len(counts) // MOST_ROWS)
        self._rows = inputs[::every].copy(), counts[::every]

    def of(self, lacking: str) -> Model | None:
        """Return the model for rows that lack some kinds; None if there is none."""
        if lacking not in self.found and self._rows is not None and lacking in reductions(self.kinds):
            inputs, counts = self._rows
            left = inputs[:, remaining(self.kinds, lacking)]
            whole = ~np.isnan(left).any(axis=1)
            if whole.any():
                self.found[lacking] = self.fit(left[whole], counts[whole])
        return self.found.get(lacking)

    def all(self) -> dict[str, Model]:
        """Return every model that can be fitted, by what is missing."""
        found = {lacking: self.of(lacking) for lacking in reductions(self.kinds)}
        return {lacking: model for lacking, model in found.items() if model is not None}


def predict_rows(
    times: pd.DatetimeIndex,
    inputs: Matrix,
    kinds: Sequence[str],
    predict: Callable[[str, pd.DatetimeIndex, Matrix], Prediction | None],
    shares: Floats,
    causal: bool,
) -> Prediction:
    """Return the prediction of rows, each by the model for what it lacks.

    Args:
        times: (N,) time of each row.
        inputs: (N, F) NaN where an input is missing.
        kinds: the kind of each input, (F,).
        predict: returns the prediction of rows with the inputs that remain; None if there is no model for them.
        shares: (C,) share of each label in the learned rows, for rows without a model, which are not answered.
        causal: whether a row uses rows up to its own time only.
    """
    found = patterns(inputs, kinds)
    parts = []
    for lacking, rows in found:
        left = inputs if lacking == WHOLE and len(found) == 1 else inputs[np.ix_(rows, remaining(kinds, lacking))]
        given = predict(lacking, times[rows], left) if left.shape[1] else None
        if given is None:
            given = unanswered(times[rows], shares, causal)
        parts.append((rows, given))
    return parts[0][1] if len(parts) == 1 else scatter(parts)


def unanswered(times: pd.DatetimeIndex, shares: Floats, causal: bool = True) -> Prediction:
    """Return the prediction of N rows without evidence: the label shares (C,), which answer nothing."""
    bare = from_probabilities(times, np.broadcast_to(shares, (1, len(times), len(shares))), causal)
    return dataclasses.replace(bare, samples=None, shares=None, answered=np.zeros(len(times), bool))


def read_lacking(learned: Learned, names: Sequence[object], kinds: Sequence[str]) -> list[str]:
    """Return the names of what the saved reduced models lack. Raise InputError if one is none of `reductions`."""
    allowed = reductions(kinds)
    if not all(name in allowed for name in names):
        raise learned.wrong("reduced", f"models without {', '.join(allowed)}")
    return [str(name) for name in names]


def read_shares(learned: Learned, classes: int) -> Floats:
    """Return the saved share of each label (C,); equal ones from models of earlier versions.

    Raises:
        InputError: they are none.
    """
    return learned.distributions("shares", (classes,)) if "shares" in learned else np.full(classes, 1 / classes)
