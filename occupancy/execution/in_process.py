"""Units in this very process, one after another: nothing has to start."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial

from occupancy.execution.shares import Share
from occupancy.execution.unit import OnShare, Outcome, Unit, carry_out, ignore


class InProcess:
    """This process. A unit that kills it ends the command, which a `Pool` would survive."""

    def __enter__(self) -> InProcess:
        """Nothing is started."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to stop."""

    def execute(self, units: Sequence[Unit], on_share: OnShare = ignore) -> Generator[tuple[Unit, Outcome]]:
        """Yield each unit with what it gave, in their order.

        Args:
            units: what to carry out.
            on_share: told how much of a unit is done.
        """
        for unit in units:
            yield unit, carry_out(unit, Share(partial(on_share, unit)))
