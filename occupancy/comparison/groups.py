"""What a comparison of models consists of: runs of the store, groups of them, and their order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from occupancy.arrays import Floats
from occupancy.config import Network
from occupancy.tracking.records import FoldRows, Run

EPOCHS = {settings.model_fields["name"].default for settings in get_args(Network)}
"""Models that are trained in epochs, by their ``model.name``."""


@dataclass(frozen=True, eq=False)
class Group:
    """The runs of one configuration that differ by their seed alone.

    Attributes:
        name: the configuration's name.
        variant: the settings by which it differs from others of its name and protocol, or nothing.
        runs: one for each seed, the smallest seed first.
        parts: of each run the test rows of each fold.
        difference: its MSE, averaged over folds, minus that of the best honest group; nan without one.
        low: lower end of the 95 % interval of the difference; nan for the best group itself.
        high: upper end of it.
    """

    name: str
    variant: str
    runs: Sequence[Run]
    parts: Sequence[Sequence[FoldRows]]
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @property
    def protocol(self) -> str:
        """``honest``, or ``report``: stopped on the test rows."""
        return self.runs[0].tags["protocol"]

    @property
    def title(self) -> str:
        """The name with all that tells it from the other groups."""
        marks = [self.variant, "report" * (self.protocol == "report"), "offline" * is_offline(self)]
        return ", ".join([self.name, *filter(None, marks)])

    def mean(self, key: str) -> float:
        """Return a recorded score averaged over seeds; nan where no run has it."""
        return _mean(run.metrics.get(key, math.nan) for run in self.runs)

    def spread(self, key: str) -> float:
        """Return the standard deviation of a recorded score over seeds (ddof 1); nan for fewer than two."""
        values = [run.metrics[key] for run in self.runs if key in run.metrics]
        return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan

    def fold_mean(self, key: str, fold: int) -> float:
        """Return a score of one fold averaged over seeds; nan where no run has it."""
        folds = (one for run in self.runs for one in run.folds if one.number == fold)
        return _mean(one.metrics.get(key, math.nan) for one in folds)

    def squared_errors(self) -> Floats:
        """Return the squared error of the label, averaged over seeds, of the test rows of all folds, (N,)."""
        each = [np.concatenate([np.square(rows.label - rows.truth) for rows in parts]) for parts in self.parts]
        return np.asarray(np.mean(each, axis=0))


@dataclass(frozen=True)
class LeftOut:
    """Runs of one name that were left out for one reason."""

    name: str
    runs: int
    reason: str


@dataclass(frozen=True)
class Comparison:
    """The groups that were tested on the same rows, the smallest MSE first, and what was left out.

    Attributes:
        scheme: the folds' name.
        groups: at least one.
        label_runs: how many stretches of equal true count the test rows consist of.
        left_out: every other run of the store.
    """

    scheme: str
    groups: Sequence[Group]
    label_runs: int
    left_out: Sequence[LeftOut]

    @property
    def newest(self) -> Run:
        """The run that ended last; its tags name the data and the folds of all."""
        return max((run for group in self.groups for run in group.runs), key=lambda run: run.ended)

    @property
    def folds(self) -> Sequence[FoldRows]:
        """The test rows of each fold, beside what the best group's first seed predicted for them."""
        return self.groups[0].parts[0]

    @property
    def rows(self) -> int:
        """The test rows of all folds."""
        return sum(len(rows.truth) for rows in self.folds)

    @property
    def best(self) -> Group | None:
        """The honest, causal group of the smallest MSE, to which the others are compared."""
        return best_of(self.groups)


def is_optimistic(group: Group) -> bool:
    """Return whether a group's training stopped early on the test rows, as only training in epochs can."""
    return group.protocol == "report" and group.runs[0].tags["model"] in EPOCHS


def is_offline(group: Group) -> bool:
    """Return whether a group's predictions rest on rows after their own too."""
    return group.runs[0].tags.get("causal") == "False"


def candidates(groups: Iterable[Group]) -> list[Group]:
    """Return those of several groups that one may pick: they neither stopped on the test rows nor look ahead."""
    return [group for group in groups if not is_optimistic(group) and not is_offline(group)]


def best_of(groups: Iterable[Group]) -> Group | None:
    """Return the first of several groups that neither stopped on the test rows nor looks ahead."""
    return next(iter(candidates(groups)), None)


def _mean(values: Iterable[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan
