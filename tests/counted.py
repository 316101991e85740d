"""The progress of a fit, counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counted:
    """Counts the steps planned and done; a step that was not planned before is refused.

    Attributes:
        most: the most steps that were planned at any time.
        at_first: how many had been planned when the first one was done.
    """

    planned: int = 0
    finished: int = 0
    most: int = 0
    at_first: int = 0

    def plan(self, steps: int) -> None:
        """Add steps to those planned."""
        self.planned += steps
        self.most = max(self.most, self.planned)
        assert self.finished <= self.planned

    def done(self) -> None:
        """Count one step as done."""
        if self.finished == 0:
            self.at_first = self.planned
        self.finished += 1
        assert self.finished <= self.planned
