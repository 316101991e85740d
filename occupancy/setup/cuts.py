"""Moments at which a log can be cut without cutting a visit in two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from occupancy.arrays import Floats, Ints, Rows

Span = tuple[pd.Timestamp, pd.Timestamp]

LONG_S, SHORT_S = 1800.0, 300.0  # an empty room this long: the air forgets people, at least in part
MOST = 400  # cuts that are weighed
_APART_S = 3600.0  # two counts of 0 that are not further apart mean that nobody came between them
TIERS = 5
"""Kinds of cuts, the best first: in empty nights, in long empty hours, in short ones, where no count is known, and
where the count changes."""


@dataclass(frozen=True)
class Cuts:
    """Where a log can be cut, with its start and its end as the first and the last one.

    Attributes:
        times: (M,) the moments.
        labels: (M, C) labelled rows of each count before each moment.
    """

    times: pd.DatetimeIndex
    labels: Ints

    @property
    def weight(self) -> Floats:
        """Share of the log before each cut, (M,): half by labelled rows, half by rows with people."""
        rows, people = self.labels.sum(axis=1), self.labels[:, 1:].sum(axis=1)
        return np.asarray(rows / max(rows[-1], 1) / 2 + people / max(people[-1], 1) / 2)


def find_cuts(times: pd.DatetimeIndex, counts: Floats, max_gap: float, tier: int) -> Cuts:
    """Return the cuts of a log, of all kinds up to a tier of `TIERS`.

    Args:
        times: (N,) sorted local times.
        counts: (N,) people, NaN where the number is not known.
        max_gap: seconds; a longer step between rows is a gap.
        tier: from 0.
    """
    empty, known = _empty(times, counts), np.flatnonzero(~np.isnan(counts))
    kinds = [
        _nights(_spans(times, empty, max_gap, LONG_S)),
        _middles(_spans(times, empty, max_gap, LONG_S)),
        _middles(_spans(times, empty, max_gap, SHORT_S)) if tier > 1 else [],
        _middles(_spans(times, np.isnan(counts), max_gap, LONG_S)) if tier > 2 else [],
        list(times[known[1:][np.diff(counts[known]) != 0]]) if tier > 3 else [],
    ]
    found = [moment for kind in kinds[: tier + 1] for moment in kind]
    moments = np.array(sorted(set(found)), dtype="datetime64[ns]")
    places = np.searchsorted(times.to_numpy(), moments)
    _, first = np.unique(places, return_index=True)
    inner = first[(places[first] > 0) & (places[first] < len(times))]
    if len(inner) > MOST:
        inner = inner[np.linspace(0, len(inner) - 1, MOST).astype(int)]
    start, end = times[0].floor("D"), (times[-1] + pd.Timedelta(1, "s")).ceil("D")
    whole = pd.DatetimeIndex([start, *pd.DatetimeIndex(moments[inner]), end])
    return Cuts(whole, _before(np.concatenate([[0], places[inner], [len(times)]]), counts))


def _empty(times: pd.DatetimeIndex, counts: Floats) -> Rows:
    """Return the rows (N,) in which nobody is in, also those without a count between two counts of 0."""
    known = pd.Series(counts, times)
    before, after = known.ffill(), known.bfill()
    moments = pd.Series(times, times).where(known.notna())
    apart = (moments.bfill() - moments.ffill()).dt.total_seconds()
    return np.asarray((before == 0) & (after == 0) & (apart <= _APART_S))


def _spans(times: pd.DatetimeIndex, free: Rows, max_gap: float, shortest_s: float) -> list[Span]:
    """Return the spans in which all rows are free, or no row was recorded."""
    steps = np.diff(times.to_numpy()) / np.timedelta64(1, "s")
    edges = np.flatnonzero(np.diff(free, prepend=False, append=False))
    spans = [(times[first], times[last - 1]) for first, last in zip(edges[::2], edges[1::2], strict=True)]
    spans += [(times[row], times[row + 1]) for row in np.flatnonzero(steps > max_gap).tolist()]
    return [(start, end) for start, end in spans if (end - start).total_seconds() >= shortest_s]


def _nights(spans: list[Span]) -> list[pd.Timestamp]:
    """Return every midnight that has an hour or so of a span on either side."""
    margin = pd.Timedelta(LONG_S / 2, "s")
    return [
        night for start, end in spans for night in pd.date_range((start + margin).ceil("D"), end - margin, freq="D")
    ]


def _middles(spans: list[Span]) -> list[pd.Timestamp]:
    """Return the middle of each span, at a whole minute where there is one."""
    return [
        (start + (end - start) / 2).ceil("min" if (end - start).total_seconds() > 240 else "s") for start, end in spans
    ]


def _before(places: Ints, counts: Floats) -> Ints:
    """Return the labelled rows of each count before each place, (M, C)."""
    known = ~np.isnan(counts)
    labels = counts[known].astype(int)
    classes = int(labels.max(initial=0)) + 1
    part = np.searchsorted(places, np.flatnonzero(known), side="right") - 1
    each = np.bincount(part * classes + labels, minlength=len(places) * classes)[: len(places) * classes]
    whole = np.cumsum(each.reshape(-1, classes), axis=0)
    return np.concatenate([np.zeros((1, classes), int), whole[:-1]])
