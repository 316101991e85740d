"""Settings of the explanation of fitted models."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from occupancy.config.section import Count, Positive, Section


class Explanation(Section):
    """Which sensors the counts of a fitted model rest on; no result depends on it.

    `occupancy.train` records it with each fold of a log of one room.
    """

    repeats: Count = 5
    """How often the blocks of a sensor's readings are shuffled, each time by another seed."""
    block_s: Positive = 1800.0
    """Length of a block in seconds; within it, readings keep their order. A fold's test rows must hold two."""
    backgrounds: Annotated[int, Field(ge=1, le=100)] = 16
    """How many stretches of learned rows stand in for the readings of sensors whose contribution is taken away."""
