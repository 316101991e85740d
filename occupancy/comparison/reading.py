"""The comparison of the runs in a store."""

from __future__ import annotations

from functools import partial

from occupancy.comparison.grouping import compare
from occupancy.comparison.groups import Comparison, candidates
from occupancy.config import Tracking
from occupancy.errors import InputError
from occupancy.tracking.read import read_predictions, read_runs


def read_comparison(tracking: Tracking, scheme: str, least: int = 0) -> Comparison:
    """Return the comparison of the models in a store on one scheme of folds.

    Args:
        tracking: the store, and the experiment in it.
        scheme: the name of the folds.
        least: how many causal models that were not stopped on the test rows must be among them.

    Raises:
        InputError: if there is no such store, or it holds too few models on that scheme.
    """
    comparison = compare(read_runs(tracking), scheme, partial(read_predictions, tracking.uri))
    if (found := len(candidates(comparison.groups))) < least:
        raise InputError(
            f"tracking.uri: {tracking.shown_uri} holds {found} models on {scheme!r} that are causal and were not "
            f"stopped on the test rows, expected at least {least}; train more with occupancy train or `make compare`"
        )
    return comparison
