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


Loss = Literal["squared", "absolute", "zero_one"]
"""What a wrong count costs."""


class Decision(Section):
    """How one count is chosen from the probabilities of all."""

    loss: Loss = "squared"
    """The count that is answered has the smallest expected loss: ``squared``, the count nearest to the mean;
    ``absolute``, the median; ``zero_one``, the likeliest count. Where 0 and 2 are equally likely, squared loss answers
    1, zero-one loss one of the two."""
    switch_cost: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """What a change of the count costs, in the unit of the loss: people squared, people, or a probability. The count of
    the row before is kept until another one is better by more than this, so that what is switched by it does not
    flicker; a true change is then answered later. 0: each row decides for itself."""


class Calibration(Section):
    """Correct probabilities and intervals, and decide which rows are answered, with predictions of left-out visits."""

    answered_mse: Annotated[float, Field(gt=0, le=1e6)] = 0.05
    """Target of selective prediction: the mean squared error, in people squared, that the answered rows should have.
    The threshold is chosen on the training rows, each day or visit predicted without it; rows that are less certain are
    not answered, and the column ``answered`` says so. Where left-out days differ too much to promise it, the training
    says so. ``mse_answered`` is the error reached on the test rows."""
