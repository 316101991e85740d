"""Several models of different kinds pooled into one: where they err in different places, the pool errs less."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import log_softmax

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Clock, Config, Majority, Mixture
from occupancy.config.model import Single
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.times import label_runs
from occupancy.errors import InputError, InputWarning
from occupancy.features.holes import NoSensorError
from occupancy.features.learned import Learned
from occupancy.models.base import EstimatorBase
from occupancy.models.estimator import NO_STEPS, Make, Steps, read_settings
from occupancy.models.holes import unanswered
from occupancy.models.postprocess.out_of_fold import UNGROUPED, count_groups, days_with_people, left_out, out_of_fold
from occupancy.prediction import Prediction, decide, floor, from_probabilities

MEMBER_FLOOR = 1e-3  # lowest probability of a member: no member rules a count out by itself
WEIGHT_STD = 1.0
"""Prior standard deviation of the logarithm of a weight, around that of equal weights: of 0.5, 1, 2 and 4 the smallest
that was no worse than 0.5 for days left out of two real and of eight simulated rooms together."""


class MixtureEstimator(EstimatorBase):
    """Pools the probabilities of its members: their mean (a linear pool), or their product (a logarithmic pool).

    Weights are equal, or learned (stacking, Wolpert 1992): they maximise the probability that the pool gives the labels
    of the learned rows, each row predicted by members that left out its visit. Against a prior around equal weights,
    each label run counts once, because its rows are almost the same.

    A row's label is the count nearest to the mean, which has the smallest expected squared error.

    A member whose sensors have no readings at a row is left out there, and the weights of the others grow to the same
    sum. A row is answered if a member that reads sensors answers it.

    A member that needs a sensor which the log lacks does not take part; nor does one that knows the hour where people
    were in on too few days to know their rhythm (``rhythm_days``).
    """

    def __init__(self, config: Config, settings: Mixture, make: Make) -> None:
        super().__init__(config)
        self.settings = settings
        self.make = make
        self._choose(range(len(settings.members)))
        self.knows_rhythm = True

    def _choose(self, chosen: Sequence[int]) -> None:
        """Let the members at the chosen places in the settings take part, with equal weights."""
        self.chosen = list(chosen)
        self.members = [self.make(each) for each in self._configs()]
        self.weights: Floats = np.full(len(self.members), 1 / len(self.members))

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs."""
        return max(member.history_s for member in self.members)

    @property
    def step_s(self) -> float:
        """Seconds between rows in training; NaN if no member depends on it."""
        return next((member.step_s for member in self.members if not math.isnan(member.step_s)), math.nan)

    @property
    def parameters(self) -> int:
        """How many numbers all members learned, and the weights if they are learned."""
        learned = sum(member.parameters for member in self.members)
        return learned + (len(self.members) if self.cross_fits else 0)

    @property
    def cross_fits(self) -> bool:
        """Whether the fit makes members that leave visits out: it does if it learns the weights."""
        return self.settings.weights == "learned" and self.knows_rhythm

    def check(self, log: Log) -> None:
        """Check that a log has the sensors that some members need.

        Warns:
            InputWarning: if a member cannot work without one that it lacks, and does not take part.

        Raises:
            InputError: if fewer than one member can work.
        """
        if errors := self._able(log)[1]:
            warnings.warn(f"model: a member does not take part: {errors[0]}", InputWarning, stacklevel=2)

    def _able(self, log: Log) -> tuple[list[int], list[str]]:
        """Return the places of the members that have their sensors in a log, and what others lack."""
        able, errors = [], []
        for place, settings in enumerate(self.settings.members):
            try:
                self.make(self.config.model_copy(update={"model": settings})).check(log)
                able.append(place)
            except InputError as error:
                errors.append(str(error))
        if not able:
            raise InputError(errors[0])
        return able, errors

    def fit(self, fold: Fold, steps: Steps) -> None:
        """Learn from a fold; each fit of a member, on all rows or with some left out, is a step."""
        learned = self.learned(fold)
        self.knows_rhythm = days_with_people(fold, learned) >= self.settings.rhythm_days
        able, _ = self._able(fold.log)
        waiting = [] if self.knows_rhythm else [place for place in able if knows_hour(self.settings.members[place])]
        self._choose([place for place in able if place not in waiting] or able)
        steps.plan(len(self.members))
        if self.cross_fits:
            groups, held_out = self._cross_fit(fold, steps)
            self.weights = self._learn(held_out, groups, fold)
            self.held_out = np.full(held_out.shape[1:], np.nan)
            for group in np.unique(groups[groups != UNGROUPED]):
                others = np.where(groups == group, UNGROUPED, groups)
                self.held_out[groups == group] = pool(
                    held_out[:, groups == group], self._learn(held_out, others, fold), self.settings.pool
                )
        for member in self.members:
            member.fit(fold, NO_STEPS)
            steps.done()
        self.history = _join([member.history for member in self.members if len(member.history)])
        self.chosen_epochs = max(member.chosen_epochs for member in self.members)

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return predictions for the given rows (N,) of a frame of sensors; earlier rows serve as history.

        Raises:
            InputError: if the frame has no sensor that a member was trained on, or has another step.
        """
        predictions = self._predictions(frame, rows, past)
        probs = np.stack([prediction.probs for prediction in predictions])
        answered = np.asarray(np.stack([prediction.is_answered for prediction in predictions]))
        causal = all(prediction.causal for prediction in predictions)
        shares = probs.mean(axis=0)  # of rows that no member answers
        probs[~answered] = np.nan
        pooled = pool(probs, self.weights, self.settings.pool)
        pooled = np.where(answered.any(axis=0, keepdims=True).T, pooled, shares)
        means = probs @ np.arange(self.classes)
        spread = means.std(axis=0)
        holed = np.flatnonzero(~answered.all(axis=0))
        if len(holed):
            spread[holed] = np.ma.masked_invalid(means[:, holed]).std(axis=0).filled(0.0)
        decided = decide(from_probabilities(predictions[0].times, pooled[None], causal), disagreement=spread)
        reading = [not isinstance(member.config.model, Majority | Clock) for member in self.members]
        if answered.all() or not any(reading):
            return decided
        return dataclasses.replace(decided, answered=np.asarray(answered[reading].any(axis=0)))

    def _predictions(self, frame: pd.DataFrame, rows: Rows, past: Rows | None) -> list[Prediction]:
        """Return the prediction of each member; one of whose sensors the frame has none answers no row."""
        found: list[Prediction | NoSensorError] = []
        for member in self.members:
            try:
                found.append(member.predict(frame, rows, past))
            except NoSensorError as error:
                found.append(error)
        if all(isinstance(one, NoSensorError) for one in found):
            raise next(one for one in found if isinstance(one, NoSensorError))
        equal, causal = np.full(self.classes, 1 / self.classes), not self.config.looks_ahead
        silent = unanswered(pd.DatetimeIndex(frame.index)[rows], equal, causal)
        return [silent if isinstance(one, NoSensorError) else one for one in found]

    def save(self, folder: Path) -> None:
        """Write the weights as JSON into a folder, and each member into its own folder inside it."""
        self.write(folder, weights=self.weights.tolist(), members=self.chosen)
        for number, member in enumerate(self.members, start=1):
            (folder / f"member_{number}").mkdir()
            member.save(folder / f"member_{number}")

    def load(self, folder: Path) -> None:
        """Become the model that `save` wrote into a folder."""
        learned = read_settings(folder)
        if "members" in learned:  # earlier versions had all
            self._choose(_read_places(learned, len(self.settings.members)))
        self.weights = learned.numbers("weights", (len(self.members),), 0.0, 1e6, above=True)
        for number, member in enumerate(self.members, start=1):
            member.load(folder / f"member_{number}")
        self.chosen_epochs = max(member.chosen_epochs for member in self.members)

    def _configs(self) -> list[Config]:
        members = [self.settings.members[place] for place in self.chosen]
        return [self.config.model_copy(update={"model": member}) for member in members]

    def _cross_fit(self, fold: Fold, steps: Steps) -> tuple[Ints, Floats]:
        """Return the group that each row was left out with, (N,), and each member's probabilities of it (M, N, C)."""
        groups = left_out(fold, self.learned(fold))
        configs = self._configs()
        steps.plan(len(configs) * count_groups(groups))
        return groups, np.stack([out_of_fold(config, fold, groups, self.make, steps) for config in configs])

    def _learn(self, held_out: Floats, groups: Ints, fold: Fold) -> Floats:
        """Return the weights (M,) learned from the grouped rows (N,) and each member's probabilities (M, N, C)."""
        rows = (groups != UNGROUPED) & ~np.isnan(held_out).any(axis=(0, 2))
        return (
            self.weights if not rows.any() else learn_weights(held_out[:, rows], fold.counts(rows), self.settings.pool)
        )


def knows_hour(settings: Single) -> bool:
    """Return whether a model has the hour of the day as an input."""
    return isinstance(settings, Clock) or getattr(settings, "hour", False)


def _read_places(learned: Learned, members: int) -> list[int]:
    """Return which members took part in a saved model. Raise InputError if they are none of them."""
    places = learned.value("members")
    if not isinstance(places, list) or not places or sorted({*places} & {*range(members)}) != places:
        raise learned.wrong("members", f"places among {members} members, ascending")
    return places


def _join(histories: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the epochs of several models as one table, in which all networks are numbered in sequence."""
    sizes = [0, *(int(history["member"].max()) + 1 for history in histories)]
    numbered = [
        history.assign(member=history["member"] + before)
        for history, before in zip(histories, np.cumsum(sizes[:-1]), strict=True)
    ]
    return pd.concat(numbered, ignore_index=True) if numbered else pd.DataFrame()


def pool(probs: Floats, weights: Floats, how: str) -> Floats:
    """Return the pooled probabilities (N, C) of members (M, N, C) with weights (M,): their ``mean`` or ``product``.

    A member whose probabilities of a row are NaN is left out there; without any member the pool is NaN too.
    """
    there = ~np.isnan(probs).any(axis=2)  # (M, N)
    if there.all():
        return _pool(probs, weights, how)
    pooled = np.full(probs.shape[1:], np.nan)
    for members in np.unique(there, axis=1).T:
        rows, kept = (there == members[:, None]).all(axis=0), weights[members]
        if members.any():
            raised = kept * weights.sum() / kept.sum()
            pooled[rows] = _pool(probs[np.ix_(members, rows)], raised, how)
    return pooled


def _pool(probs: Floats, weights: Floats, how: str) -> Floats:
    """Return what `pool` does where every member has probabilities."""
    floored = floor(probs, MEMBER_FLOOR)
    if how == "mean":
        return np.asarray(np.tensordot(weights / weights.sum(), floored, 1))
    return np.asarray(np.exp(log_softmax(np.tensordot(weights, np.log(floored), 1), axis=1)))


def learn_weights(probs: Floats, counts: Ints, how: str) -> Floats:
    """Return the weights (M,) with which a pool of members (M, N, C) gives counts (N,) the largest probability.

    The weights of a product need not add up to 1: a smaller sum makes the pool less certain, like a temperature.
    """
    equal = np.log(1 / len(probs))
    runs = int(label_runs(counts)[-1]) + 1

    def loss(logarithms: Floats) -> float:
        pooled = _pool(probs, np.exp(logarithms), how)[np.arange(len(counts)), counts]
        return float(-runs * np.log(pooled).mean() + np.square((logarithms - equal) / WEIGHT_STD).sum() / 2)

    return np.asarray(np.exp(minimize(loss, np.full(len(probs), equal), method="L-BFGS-B").x))
