"""Settings of the explanation of fitted models."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from occupancy.config.section import Duration, Section


class Explanation(Section):
    """Which sensors the counts of a fitted model depend on; it changes no score.

    `occupancy train` records it with each fold, if the log is of one room.
    """

    repeats: Annotated[int, Field(ge=1, le=1000)] = 5
    """How many times the blocks of a sensor's readings are shuffled, each time with another seed."""
    block_s: Duration = 1800.0
    """Length of a block in seconds; readings keep their order inside a block. The test rows of a fold must hold at
    least two blocks."""
    backgrounds: Annotated[int, Field(ge=1, le=100)] = 16
    """How many stretches of learned rows replace the readings of a sensor to measure what the sensor adds."""
