"""A search that tries every combination of the listed values."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from occupancy.config import Config
from occupancy.config.search import GridSearch
from occupancy.search.space import Point, Space, Trial


@dataclass(frozen=True)
class Grid:
    """A search that tries every combination on every fold.

    Attributes:
        space: what there is to try.
    """

    space: Space[GridSearch]

    @cached_property
    def trials(self) -> list[Trial]:
        """Every combination."""
        over = self.space.search.over
        points = [dict(zip(over, values, strict=True)) for values in itertools.product(*over.values())]
        return [self.space.trial(number, f"trial {number}", point) for number, point in enumerate(points, start=1)]

    def on(self, config: Config) -> Grid:
        """Return the same search for an experiment whose log and store are decided."""
        return replace(self, space=replace(self.space, config=config))

    @property
    def identity(self) -> list[str]:
        """What decides which settings are tried, in addition to the settings of the search."""
        return [trial.config.key for trial in self.trials]

    @property
    def trials_per_fold(self) -> int:
        """How many settings each fold tries."""
        return len(self.trials)

    def size(self, folds: int) -> str:
        """Return in words how much there is to do."""
        trials = len(self.trials)
        return f"{trials:,} {'trial' if trials == 1 else 'trials'} x {folds} folds = {trials * folds:,} fits"

    def crossings(self, _folds: int) -> int:
        """Return how many fits more the choice for all folds takes, at most: none, every fold has tried everything."""
        return 0

    def samples(self) -> list[Trial]:
        """Return settings that are valid if every setting of the search is: all of them."""
        return self.trials

    def propose(self, _fold: int, told: Sequence[tuple[Trial, float]]) -> list[Trial]:
        """Return what a fold tries next: everything at once, then no more."""
        return [] if told else self.trials

    def candidates(self, _chosen: Mapping[int, Trial]) -> list[Trial]:
        """Return the settings that all folds choose one of together."""
        return self.trials

    def points(self, trials: Mapping[tuple[int, int], Trial], scores: pd.DataFrame) -> list[Point]:
        """Return each setting that failed on no fold with its mean score.

        Args:
            trials: what was tried, by the numbers of trial and fold.
            scores: of each trial (rows, by number) on each fold (columns); nan where it failed.
        """
        means = scores.mean(axis=1, skipna=False)
        settings = {number: trial.setting for (number, _), trial in trials.items()}
        found = [Point(settings[number], float(means[number])) for number in sorted(settings)]
        return [point for point in found if not np.isnan(point.score)]
