"""The parts of a comparison of models: groups of runs from the store, and their order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from occupancy.arrays import Floats
from occupancy.config import Network
from occupancy.tracking.stored_runs import FoldRows, Run

EPOCH_MODELS = {settings.model_fields["name"].default for settings in get_args(Network)}
"""The ``model.name`` of each model that is trained in epochs."""


@dataclass(frozen=True, eq=False)
class Group:
    """The runs of one configuration, which differ only by their seed.

    Attributes:
        name: the name of the configuration.
        variant: the settings in which it differs from others of its name and protocol, or empty.
        runs: one for each seed, the smallest seed first.
        parts: the test rows of each fold, for each run.
        difference: its MSE, averaged over folds, minus that of the best group; NaN if there is no best group.
        low: lower end of the 95 % interval of the difference; NaN for the best group itself.
        high: upper end of the interval.
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
        """``honest``, or ``report``: networks are stopped on the test rows."""
        return self.runs[0].tags["protocol"]

    @property
    def title(self) -> str:
        """The name, with all that distinguishes the group from others."""
        marks = [self.variant, "report" * (self.protocol == "report"), "offline" * is_offline(self)]
        return ", ".join([self.name, *filter(None, marks)])

    def mean(self, key: str) -> float:
        """Return a recorded score averaged over seeds; NaN if no run has it."""
        return _mean(run.metrics.get(key, math.nan) for run in self.runs)

    def spread(self, key: str) -> float:
        """Return the standard deviation of a recorded score over seeds (ddof 1); NaN for fewer than two seeds."""
        values = [run.metrics[key] for run in self.runs if key in run.metrics]
        return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan

    def fold_mean(self, key: str, fold: int) -> float:
        """Return a score of one fold averaged over seeds; NaN if no run has it."""
        folds = (one for run in self.runs for one in run.folds if one.number == fold)
        return _mean(one.metrics.get(key, math.nan) for one in folds)

    def squared_errors(self) -> Floats:
        """Return the squared error of the label of each test row of all folds, averaged over seeds, (N,)."""
        each = [np.concatenate([np.square(rows.label - rows.truth) for rows in parts]) for parts in self.parts]
        return np.asarray(np.mean(each, axis=0))


@dataclass(frozen=True)
class LeftOut:
    """Runs of one name that were left out for the same reason."""

    name: str
    runs: int
    reason: str


@dataclass(frozen=True)
class Comparison:
    """The groups that were tested on the same rows, the smallest MSE first, and the runs that were left out.

    Attributes:
        scheme: the name of the folds.
        groups: the groups, at least one.
        label_runs: number of stretches of one true count in the test rows.
        left_out: every other run of the store.
    """

    scheme: str
    groups: Sequence[Group]
    label_runs: int
    left_out: Sequence[LeftOut]

    @property
    def newest(self) -> Run:
        """The run that ended last; its tags name the data and folds of all runs."""
        return max((run for group in self.groups for run in group.runs), key=lambda run: run.ended)

    @property
    def folds(self) -> Sequence[FoldRows]:
        """The test rows of each fold, as predicted by the first seed of the first group."""
        return self.groups[0].parts[0]

    @property
    def rows(self) -> int:
        """The number of test rows of all folds."""
        return sum(len(rows.truth) for rows in self.folds)

    @property
    def best(self) -> Group | None:
        """The group that the others are compared with: the first of `candidates`."""
        return best_of(self.groups)


def is_optimistic(group: Group) -> bool:
    """Return whether the training of a group was stopped early on the test rows; only models with epochs can be."""
    return group.protocol == "report" and group.runs[0].tags["model"] in EPOCH_MODELS


def is_offline(group: Group) -> bool:
    """Return whether the predictions of a group depend on later rows."""
    return group.runs[0].tags.get("causal") == "False"


def candidates(groups: Iterable[Group]) -> list[Group]:
    """Return the groups that can be the best: they are causal and were not stopped on the test rows."""
    return [group for group in groups if not is_optimistic(group) and not is_offline(group)]


def best_of(groups: Iterable[Group]) -> Group | None:
    """Return the first group that is causal and was not stopped on the test rows, or None."""
    return next(iter(candidates(groups)), None)


def _mean(values: Iterable[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan
