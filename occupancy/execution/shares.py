"""How much of a unit is done, told by the process that carries it out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


class Share:
    """Counts the steps of a unit and tells the share of them that is done; a `Steps` of estimators."""

    def __init__(self, tell: Callable[[float], object]) -> None:
        """Describe the listener.

        Args:
            tell: called with the share after each step, 0 to 1.
        """
        self._tell = tell
        self._planned = 0
        self._done = 0

    def plan(self, steps: int) -> None:
        """Add so many steps to those planned."""
        self._planned += steps

    def done(self) -> None:
        """Say that one of them is done."""
        self._done += 1
        self._tell(min(self._done / max(self._planned, 1), 1.0))


class ShareFile:
    """A file by which processes tell the shares of their units to the process that waits for them."""

    def __init__(self, path: Path) -> None:
        """Describe the file, which is there and empty."""
        self.path = path
        self._read = 0

    def tell(self, number: int, share: float) -> None:
        """Add the share of a unit, by its number."""
        # One short write to the end: lines of several processes do not mix.
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(file, f"{number} {share:.4f}\n".encode())
        finally:
            os.close(file)

    def news(self) -> dict[int, float]:
        """Return the latest share of each unit that was told since the last call, by its number."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            lines = [line for line in file if line.endswith(b"\n")]
        self._read += sum(map(len, lines))
        pairs = (line.split() for line in lines)
        return {int(number): float(share) for number, share in pairs}
