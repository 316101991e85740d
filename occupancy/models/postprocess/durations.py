"""How long a count of people lasts and which one follows, learned from labelled rows, as a Markov chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from scipy.linalg import expm
from scipy.stats import gmean

from occupancy.arrays import Floats, Ints, Rows
from occupancy.data.times import stretches

AGE_EDGES_S = (0.0, 120.0, 600.0, 1800.0, 5400.0)
"""Where the bins of age begin: someone looks in, a chat, a talk, a lesson or a meeting, a night."""

USUAL_S = 1800.0  # a count is left once in this time, where there are no data
AGE_EVENTS = 1.0  # how many events the overall hazard is worth to that of one age
LABEL_EVENTS = 2.0  # how many events the hazard of an age is worth to that of one label at it
MOVES = 2.0  # how many moves the sizes of all labels' moves are worth to the moves of one label
LEAST = 1e-12  # a probability that no step of a chain falls below


class Steps(NamedTuple):
    """A Markov chain over S = C * K states, label by age bin with the age running fastest; no probability is 0."""

    start: Floats  # (S,)
    moves: Floats  # (S, S), from the state before to the state after


@dataclass(frozen=True)
class Durations:
    """An explicit-duration model: a hazard for each label and age, and where one goes.

    Attributes:
        edges_s: (K,) seconds at which the bins of age begin, the first 0; the last bin has no end.
        hazards: (C, K) rate per second at which a label of that age is left, above 0.
        destinations: (C, C) probability of each label when another is left; its diagonal is 0.
    """

    edges_s: Floats
    hazards: Floats
    destinations: Floats

    def steps(self, step_s: float) -> Steps:
        """Return the chain between rows at a step.

        The state is a Markov process in continuous time, looked at every ``step_s`` seconds: a label is left
        at the rate of its age bin, for the first bin of another label; an age bin is left for the next at the
        rate 1 / width. So the time in a bin is exponential with the width as its mean where it should be the
        width itself (a phase-type approximation). In exchange the moves over 60 s are exactly those over 30 s
        twice; a label is left within a step with the probability 1 - exp(-hazard * step_s); and the smallest
        of steps may lead anywhere, which keeps logarithms finite. A recording starts as the process is after
        a long time: nobody knows how old its first label is.
        """
        classes, ages = self.hazards.shape
        rates = np.zeros((classes, ages, classes, ages))
        rates[..., 0] = self.hazards[..., None] * self.destinations[:, None]
        for label in range(classes):
            bins = np.arange(ages - 1)
            rates[label, bins, label, bins + 1] = 1 / np.diff(self.edges_s)
        generator = rates.reshape(classes * ages, classes * ages)
        np.fill_diagonal(generator, -generator.sum(1))
        # Of all vectors, the distribution that the process keeps solves start @ generator = 0, start.sum() = 1.
        start = np.linalg.solve((generator + 1).T, np.ones(classes * ages))
        return Steps(_distributions(np.asarray(start, np.float64)), _distributions(expm(generator * step_s)))

    def to_settings(self) -> dict[str, Any]:
        """Return what `from_settings` makes equal durations from, as text can hold it."""
        return {name: values.tolist() for name, values in vars(self).items()}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the durations that `to_settings` described."""
        return cls(**{name: np.array(values) for name, values in settings.items()})


class Lasting(NamedTuple):
    """What was seen of C labels at K ages."""

    events: Floats  # (C, K), how often a label of that age was left
    exposure_s: Floats  # (C, K), for how long one might have been
    moves: Floats  # (C, C), how often one label followed another


def learn_durations(
    counts: Ints,
    times: pd.DatetimeIndex,
    rows: Rows,
    max_gap: float,
    classes: int,
    edges_s: Sequence[float] | Floats = AGE_EDGES_S,
) -> Durations:
    """Return the durations that labelled rows tell, smoothed where they tell little.

    Hazards have gamma priors: one with mean m that is worth n events counts as n events in n / m seconds, and
    the hazard is events over seconds. The overall hazard is the geometric mean of the labels' at any age,
    each smoothed by one event in `USUAL_S`; that of an age is the geometric mean of the labels' at it, each
    smoothed by `AGE_EVENTS` at the overall hazard; that of a label and age is smoothed by `LABEL_EVENTS` at
    the hazard of the age, which is all that a label has that was never seen. Labels have equal weight in the
    means, for by time the nights of an empty room would tell how long people stay.

    A label's moves are smoothed by `MOVES` moves, spread over sizes (by how many people the count changes)
    as all labels' moves are: for each size, how often it was taken among the times it could have been. That
    in turn is smoothed by one time, of which a share of 2 ** -size was taken.

    Args:
        counts: (N,) people; those of other rows are not read.
        times: (N,) sorted times.
        rows: (N,) the rows that may be read.
        max_gap: seconds; a longer step ends a recording.
        classes: how many labels there are, at least 2.
        edges_s: (K,) where the bins of age begin, the first 0.
    """
    edges = np.asarray(edges_s, np.float64)
    assert classes > 1, "a chain of one label"
    assert edges[0] == 0, "bins of age that do not begin at 0"
    assert (np.diff(edges) > 0).all(), "bins of age without a width"
    seen = observe(counts, times, rows, max_gap, classes, edges)
    by_label = _hazard(seen.events.sum(1), seen.exposure_s.sum(1), 1.0, 1 / USUAL_S)
    by_age = gmean(_hazard(seen.events, seen.exposure_s, AGE_EVENTS, gmean(by_label)))
    hazards = _hazard(seen.events, seen.exposure_s, LABEL_EVENTS, by_age)
    return Durations(edges, hazards, _destinations(seen.moves))


def observe(
    counts: Ints, times: pd.DatetimeIndex, rows: Rows, max_gap: float, classes: int, edges_s: Floats
) -> Lasting:
    """Return what labelled rows show of each label at each age; see `learn_durations` for the arguments.

    Labels change halfway between two rows, but the event is shared by the bins that the step between them
    lies in. A run of equal labels is watched from its first row on, for a run too short to have a row is not
    seen at all; without these rules hazards per second would depend on the step. A run that a stretch (see
    `stretches`) breaks off is watched up to its last row and has no event. Of a run that opens a stretch
    nobody knows the age: it is watched, and left, in the last bin alone, from when it certainly is that old.
    To count its age from the stretch's start would make the long rest of long visits pass for young ones,
    and short visits rarer than they are.
    """
    readable = np.flatnonzero(rows)
    stretch, label = stretches(times, rows, max_gap)[readable], counts[readable]
    opens = np.diff(stretch, prepend=-1) != 0
    first = np.flatnonzero(opens | (np.diff(label, prepend=label[:1]) != 0))
    following = np.append(first, len(readable))[1:]  # the first row after each run
    left = ~np.append(opens, True)[following]
    seconds = (times[readable] - times[0]).total_seconds().to_numpy()
    halfway = seconds - np.diff(seconds, prepend=seconds[:1]) / 2  # between each row and the one before it
    born = np.where(opens, seconds, halfway)[first]
    since = np.where(opens[first], edges_s[-1], seconds[first] - born)
    last = seconds[following - 1] - born
    after = np.where(left, np.append(seconds, 0.0)[following] - born, last)

    seen = Lasting(*(np.zeros((classes, width)) for width in (len(edges_s), len(edges_s), classes)))
    np.add.at(seen.exposure_s, label[first], _overlaps(since, (last + after) / 2, edges_s))
    shares = _overlaps(np.maximum(since, last), after, edges_s)[left] / (after - last)[left, None]
    np.add.at(seen.events, label[first][left], shares)
    np.add.at(seen.moves, (label[first][left], label[following[left]]), 1.0)
    return seen


def _overlaps(begin_s: Floats, end_s: Floats, edges_s: Floats) -> Floats:
    """Return how much of spans of age (R,) lies in each bin, (R, K), seconds."""
    upper = np.append(edges_s[1:], np.inf)
    overlaps: Floats = np.minimum(end_s[:, None], upper) - np.maximum(begin_s[:, None], edges_s)
    return overlaps.clip(0.0)


def _hazard(events: Any, exposure_s: Any, worth: float, mean: Any) -> Any:
    """Return the mean of a rate's gamma posterior, for a prior with a mean that is worth so many events."""
    return (events + worth) / (exposure_s + worth / mean)


def _destinations(moves: Floats) -> Floats:
    """Return where one goes (C, C) from how often one went there, smoothed."""
    classes = len(moves)
    sizes = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes)))
    possible = moves.sum(1, keepdims=True) * (sizes > 0)
    taken, chances = (np.bincount(sizes.ravel(), part.ravel(), classes) for part in (moves, possible))
    usual = ((taken + 0.5 ** np.arange(classes)) / (chances + 1))[sizes] * (sizes > 0)
    smoothed = moves + MOVES * usual / usual.sum(1, keepdims=True)
    return _distributions(smoothed, 0.0)


def _distributions(values: Floats, least: float = LEAST) -> Floats:
    """Return values (..., S) as distributions, without what rounding left below the least."""
    positive: Floats = values.clip(least)
    positive /= positive.sum(-1, keepdims=True)
    return positive
