"""Settings of the processing of a model's probabilities: decoding in time, and calibration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from occupancy.config.section import Section, Span


class Decoding(Section):
    """Combine the probabilities of neighbouring rows; the training rows show how long each count usually lasts."""

    mode: Literal["filter", "lag", "smooth", "viterbi"] = "filter"
    """The rows that a count depends on: ``filter``, the rows up to its own, which is causal; ``lag``, also the rows of
    the next ``lag`` seconds, so the answer comes that much later; ``smooth``, the whole recording; ``viterbi``, the
    whole recording too, and the labels are those of the most likely path."""
    lag: Span = 300.0
    """Delay of the answer in seconds, only for ``mode: lag``."""


class Calibration(Section):
    """Correct probabilities and intervals, and decide which rows are answered, with predictions of left-out visits."""

    label: Literal["nearest", "likeliest"] = "nearest"
    """The count that is answered: ``nearest`` to the mean, which has the smallest expected squared error, or the
    ``likeliest``. The path of ``decoding.mode: viterbi`` is not changed."""
    answered_mse: Annotated[float, Field(gt=0, le=1e6)] = 0.05
    """Target of selective prediction: the mean squared error, in people squared, that the answered rows should have.
    The threshold is chosen on the training rows, each visit predicted without it; rows that are less certain are not
    answered, and the column ``answered`` says so. ``mse_answered`` is the error reached on the test rows."""
