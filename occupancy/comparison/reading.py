"""The comparison of what a store recorded."""

from __future__ import annotations

from functools import partial

from occupancy.comparison.grouping import compare
from occupancy.comparison.groups import Comparison, candidates
from occupancy.config import Tracking
from occupancy.errors import InputError
from occupancy.tracking.read import read_predictions, read_runs


def read_comparison(tracking: Tracking, scheme: str, least: int = 0) -> Comparison:
    """Return how the models compare that a store recorded on one scheme of folds.

    Args:
        tracking: the store, and the experiment in it.
        scheme: the name of the folds.
        least: how many honest, causal models it takes.

    Raises:
        InputError: there is no such store, or it holds too few models on that scheme.
    """
    comparison = compare(read_runs(tracking), scheme, partial(read_predictions, tracking.uri))
    if (found := len(candidates(comparison.groups))) < least:
        raise InputError(
            f"tracking.uri: {tracking.shown_uri} holds {found} honest models on {scheme!r}, expected at least {least}; "
            "run `make compare`, or train more by python -m occupancy.train"
        )
    return comparison
