"""Settings of what is made of a model's probabilities: decoding in time, and calibration."""

from __future__ import annotations

from typing import Literal

from occupancy.config.section import Positive, Section


class Decoding(Section):
    """The probabilities of each row given the rows around it, by how long counts last in the rows learned from."""

    mode: Literal["filter", "lag", "smooth", "viterbi"] = "filter"
    """The rows that a count rests on: ``filter``, those up to its own, and is causal; ``lag``, also those of the next
    ``lag`` seconds, by which the answer is late; ``smooth``, all of the recording; ``viterbi``, too, its labels being
    those of the likeliest path."""
    lag: Positive = 300.0
    """How late the answer of ``mode: lag`` is, in seconds; other modes do not look at it."""


class Calibration(Section):
    """Probabilities, intervals and a rule when to answer that fit the rows learned from, each visit left out once."""

    label: Literal["nearest", "likeliest"] = "nearest"
    """The count to act on: the one next to the mean, which has the least expected squared error, or the likeliest; a
    path of ``decoding.mode: viterbi`` stays as it is."""
    answered_mse: Positive = 0.05
    """An answer is given where the model is so sure that the answered rows learned from, their visit left out, have
    this mean squared error, in people squared; elsewhere it abstains, and says so in the column ``answered``. It is
    what the model aims at: ``mse_answered`` says what came of it on the test rows."""
