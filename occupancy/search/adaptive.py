"""A search in which each fold's own scores suggest what that fold tries next.

A single study of the mean over all folds would lead each fold by the validation rows of the others, which are its own
test rows or lie beside them. So each fold has its own study. It is rebuilt from the recorded scores whenever it is
asked: what it answers depends on nothing else, neither on the number of workers nor on how often it was stopped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from occupancy.config import Config
from occupancy.config.search import AdaptiveSearch, Range
from occupancy.search.space import Point, Space, Trial

_RANDOM = 8  # trials of a fold before scores suggest anything: of fewer they say little


@dataclass(frozen=True)
class Adaptive:
    """A search in which each fold tries what its own scores suggest.

    Attributes:
        space: what there is to try.
    """

    space: Space[AdaptiveSearch]

    def on(self, config: Config) -> Adaptive:
        """Return the same search for an experiment whose log and store are decided."""
        return replace(self, space=replace(self.space, config=config))

    @property
    def identity(self) -> list[str]:
        """What decides which settings are tried, in addition to the settings of the search."""
        return [optuna.__version__]

    @property
    def trials_per_fold(self) -> int:
        """How many settings each fold tries."""
        return self.space.search.trials

    def size(self, folds: int) -> str:
        """Return in words how much there is to do."""
        trials = self.space.search.trials
        return f"{trials:,} {'trial' if trials == 1 else 'trials'} on each of {folds} folds = {trials * folds:,} fits"

    def crossings(self, folds: int) -> int:
        """Return how many fits more the choice for all folds takes, at most: each fold's choice on all others."""
        return folds * (folds - 1)

    def samples(self) -> list[Trial]:
        """Return settings that are valid if every setting is: values and ends of ranges, any two keys together."""
        return [self.space.trial(number, "sample", point) for number, point in enumerate(_samples(self.space.search))]

    def propose(self, fold: int, told: Sequence[tuple[Trial, float]]) -> list[Trial]:
        """Return what a fold tries next; nothing at the end.

        Args:
            fold: its number.
            told: what it has tried, in the order of the trials' numbers, with the score on its own validation rows,
                lower is better; nan where it failed.
        """
        search = self.space.search
        spaces = {key: distribution_of(values) for key, values in search.over.items()}
        study = _study(spaces, search, [self.space.config.seed, fold, len(told)])
        for trial, score in told:
            end: dict[str, Any] = {"value": score} if math.isfinite(score) else {"state": TrialState.FAIL}
            params = {key: coded(search.over[key], value) for key, value in trial.setting.items()}
            study.add_trial(create_trial(params=params, distributions=spaces, **end))
        if not told and (own := self._own()) is not None:
            study.enqueue_trial(own)
        numbers = range(len(told) + 1, min(len(told) + search.batch, search.trials) + 1)
        return [self._trial(number, fold, study.ask(spaces).params) for number in numbers]

    def candidates(self, chosen: Mapping[int, Trial]) -> list[Trial]:
        """Return the settings that all folds choose one of together: those that the folds chose.

        Args:
            chosen: the choice of each fold, by its number.
        """
        found: list[Trial] = []
        for fold, one in chosen.items():
            if one.setting not in [other.setting for other in found]:
                number = self.trials_per_fold + len(found) + 1  # up to there, a number is another setting on each fold
                found.append(replace(one, number=number, name=f"choice of fold {fold}"))
        return found

    def points(self, trials: Mapping[tuple[int, int], Trial], scores: pd.DataFrame) -> list[Point]:
        """Return each setting that did not fail with its score and its fold.

        Args:
            trials: what was tried, by the numbers of trial and fold.
            scores: of each trial (rows, by number) on each fold (columns); nan where it failed.
        """
        table = scores.to_dict()  # by fold, then by trial
        found = [Point(trial.setting, table[fold][number], fold) for (number, fold), trial in trials.items()]
        return [point for point in found if not math.isnan(point.score)]

    def _trial(self, number: int, fold: int, params: Mapping[str, Any]) -> Trial:
        over = self.space.search.over
        setting = {key: _decoded(values, params[key]) for key, values in over.items()}
        return self.space.trial(number, f"fold {fold} trial {number}", setting)

    def _own(self) -> dict[str, Any] | None:
        """Return the config's own setting for a study; none if it lies outside the lists and ranges."""
        tree = self.space.config.model_dump(by_alias=True)
        own = {key: reduce(lambda below, part: below[part], key.split("."), tree) for key in self.space.search.over}
        if any(own[key] not in values for key, values in self.space.search.over.items()):
            return None
        return {key: coded(values, own[key]) for key, values in self.space.search.over.items()}


def distribution_of(values: list[Any] | Range) -> BaseDistribution:
    """Return what a study takes the values of a key from: of a list, their places in it."""
    if isinstance(values, list):
        return CategoricalDistribution(tuple(range(len(values))))
    if values.is_whole:
        return IntDistribution(int(values.low), int(values.high), log=values.log, step=values.step or 1)
    return FloatDistribution(values.low, values.high, log=values.log)


def _study(spaces: Mapping[str, BaseDistribution], search: AdaptiveSearch, seeds: Sequence[int]) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = TPESampler(
        seed=int(np.random.SeedSequence(seeds).generate_state(1)[0]),
        n_startup_trials=max(_RANDOM, search.batch),
        multivariate=len(spaces) > 1,
        constant_liar=True,  # keeps those that are tried at once apart
    )
    return optuna.create_study(sampler=sampler)


def coded(values: list[Any] | Range, value: Any) -> Any:
    """Return what a study knows the value of a key by: of a list, its place there."""
    return values.index(value) if isinstance(values, list) else value


def _decoded(values: list[Any] | Range, value: Any) -> Any:
    return values[value] if isinstance(values, list) else value


def _samples(search: AdaptiveSearch) -> Iterator[dict[str, Any]]:
    ends = {
        key: values if isinstance(values, list) else [values.low, values.high] for key, values in search.over.items()
    }
    base = {key: values[0] for key, values in ends.items()}
    for keys in itertools.combinations(ends, min(2, len(ends))):
        for values in itertools.product(*(ends[key] for key in keys)):
            yield {**base, **dict(zip(keys, values, strict=True))}
