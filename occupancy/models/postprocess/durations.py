"""How long a count lasts and which count follows, learned from labelled rows, as a Markov chain."""

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
from occupancy.features.learned import STEPS_S, Learned

AGE_EDGES_S = (0.0, 120.0, 600.0, 1800.0, 5400.0)
"""Where the bins of age begin: a glance into the room, a chat, a talk, a lesson or a meeting, a night."""

_FEWER_EDGES_S = ((0.0,), (0.0, 600.0), (0.0, 120.0, 1800.0), (0.0, 120.0, 600.0, 1800.0), AGE_EDGES_S)
"""Where they begin if there are one to five of them."""

MOST_STATES = 512  # of the chain, as long as there are so many labels at most: its time grows with their square
USUAL_S = 1800.0  # without data, a count is expected to change once in this time
AGE_EVENTS = 1.0  # weight of the overall hazard in the hazard of one age, in events
LABEL_EVENTS = 2.0  # weight of the hazard of an age in the hazard of one label at that age, in events
MOVES = 2.0  # weight of the sizes of all labels' moves in the moves of one label, in moves
MOVE_FLOOR = 1e-12  # lowest probability of a move of the chain


class AgeChain(NamedTuple):
    """A Markov chain over S = C * K states (label, age bin), in which the age bin changes fastest; no probability is 0.

    The age of a label is the time since the count became this label.
    """

    start: Floats  # (S,)
    moves: Floats  # (S, S), from the state before to the state after


@dataclass(frozen=True)
class Durations:
    """An explicit-duration model: how often each label is left at each age, and for which label.

    Attributes:
        edges_s: (K,) seconds at which the bins of age begin, the first 0; the last bin has no end.
        hazards: (C, K) rate per second at which a label of that age is left, above 0.
        destinations: (C, C) probability of each next label (column) when a label (row) is left; the diagonal is 0.
    """

    edges_s: Floats
    hazards: Floats
    destinations: Floats

    def chain(self, step_s: float) -> AgeChain:
        """Return the chain between rows that are ``step_s`` seconds apart.

        The state is a Markov process in continuous time, observed every ``step_s`` seconds: a label is left at the
        rate of its age bin, for the first bin of another label; an age bin is left for the next bin at the rate
        1 / width. So the time in a bin is exponential with the width as its mean, though it should be the width
        itself (a phase-type approximation). In return, the moves over 60 s are exactly the moves over 30 s twice,
        a label is left within a step with probability 1 - exp(-hazard * step_s), and even a short step can lead to
        any state, so that all logarithms are finite. A recording starts with the stationary distribution, because
        the age of its first label is unknown.
        """
        classes, ages = self.hazards.shape
        rates = np.zeros((classes, ages, classes, ages))
        rates[..., 0] = self.hazards[..., None] * self.destinations[:, None]
        for label in range(classes):
            bins = np.arange(ages - 1)
            rates[label, bins, label, bins + 1] = 1 / np.diff(self.edges_s)
        generator = rates.reshape(classes * ages, classes * ages)
        np.fill_diagonal(generator, -generator.sum(1))
        # The stationary distribution solves start @ generator = 0 with start.sum() = 1.
        start = np.linalg.solve((generator + 1).T, np.ones(classes * ages))
        return AgeChain(_distributions(np.asarray(start, np.float64)), _distributions(expm(generator * step_s)))

    def to_settings(self) -> dict[str, Any]:
        """Return plain values from which `from_settings` makes equal durations."""
        return {name: values.tolist() for name, values in vars(self).items()}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """Return the durations that `to_settings` described.

        Raises:
            InputError: they are not as it gives them.
        """
        learned = Learned(settings, "durations")
        edges_s = learned.numbers("edges_s", (None,), 0.0)
        if edges_s[0] != 0 or (np.diff(edges_s) < STEPS_S[0]).any():
            raise learned.wrong("edges_s", "seconds that begin at 0 and rise")
        hazards = learned.numbers("hazards", (None, len(edges_s)), 0.0, 1 / STEPS_S[0], above=True)
        destinations = learned.distributions("destinations", (len(hazards), len(hazards)))
        if len(hazards) < 2 or np.diagonal(destinations).any():
            raise learned.wrong("destinations", "probabilities of two labels or more, and none of staying")
        return cls(edges_s, hazards, destinations)


class Observed(NamedTuple):
    """What was observed of C labels at K ages."""

    events: Floats  # (C, K), how often a label of that age was left
    exposure_s: Floats  # (C, K), how long a label of that age was observed, in seconds
    moves: Floats  # (C, C), how often one label followed another


def age_edges(classes: int) -> tuple[float, ...]:
    """Return where the bins of age begin: `AGE_EDGES_S`, or fewer with so many labels that the chain would be slow.

    With a hundred labels and more, each one has too few rows to show how long it lasts at five ages.
    """
    ages = int(np.clip(MOST_STATES // classes, 1, len(AGE_EDGES_S)))
    return _FEWER_EDGES_S[ages - 1]


def learn_durations(
    counts: Ints,
    times: pd.DatetimeIndex,
    rows: Rows,
    max_gap: float,
    classes: int,
    edges_s: Sequence[float] | Floats = AGE_EDGES_S,
) -> Durations:
    """Return the durations learned from labelled rows, smoothed where there are few data.

    A hazard is events over seconds, with a gamma prior: a prior with mean m and the weight of n events adds n events
    in n / m seconds. There are three levels. The overall hazard is the geometric mean over labels of each label's
    hazard at any age, each smoothed by one event in `USUAL_S`. The hazard of an age is the geometric mean over labels
    at that age, each smoothed by `AGE_EVENTS` at the overall hazard. The hazard of a label and age is smoothed by
    `LABEL_EVENTS` at the hazard of the age; for a label that never occurred it is this hazard. All labels have equal
    weight in the means: weighted by time, the nights of an empty room would say how long people stay.

    The moves of a label are smoothed by `MOVES` moves. These are spread over the sizes of a move (by how many people
    the count changes) like the moves of all labels: for each size, how often it occurred among the times that it was
    possible. That share is smoothed by one more possible time, of which 2 ** -size occurred.

    Args:
        counts: (N,) people; the counts of other rows are not read.
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
) -> Observed:
    """Return what labelled rows show of each label at each age; see `learn_durations` for the arguments.

    A label is taken to change halfway between two rows, and the event is shared among the age bins that the step
    between them covers. A run of equal labels is observed from its first row on, because a run too short to have a
    row is not observed at all. Without these two rules, hazards per second would depend on the step.

    A run that is cut off by the end of a stretch (see `stretches`) is observed up to its last row and has no event.
    The age of a run that opens a stretch is unknown: it is observed, and left, in the last bin only, from the time at
    which it is certainly that old. Ages counted from the start of the stretch would turn the rest of long visits into
    short visits.
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

    seen = Observed(*(np.zeros((classes, width)) for width in (len(edges_s), len(edges_s), classes)))
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
    """Return the mean of a rate's gamma posterior; the prior has this mean and the weight of ``worth`` events."""
    return (events + worth) / (exposure_s + worth / mean)


def _destinations(moves: Floats) -> Floats:
    """Return the probabilities of the next label (C, C) from the numbers of moves (C, C), smoothed."""
    classes = len(moves)
    sizes = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes)))
    possible = moves.sum(1, keepdims=True) * (sizes > 0)
    taken, chances = (np.bincount(sizes.ravel(), part.ravel(), classes) for part in (moves, possible))
    usual = ((taken + 0.5 ** np.arange(classes)) / (chances + 1))[sizes] * (sizes > 0)
    smoothed = moves + MOVES * usual / usual.sum(1, keepdims=True)
    return _distributions(smoothed, 0.0)


def _distributions(values: Floats, least: float = MOVE_FLOOR) -> Floats:
    """Return values (..., S) as distributions in which no probability is below ``least`` by rounding."""
    positive: Floats = values.clip(least)
    positive /= positive.sum(-1, keepdims=True)
    return positive
