"""One progress display for a command, on standard error."""

from __future__ import annotations

from collections.abc import Hashable

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column


def _progress(*columns: ProgressColumn, transient: bool = False) -> Progress:
    """Return a display beside the results, on standard error; off a terminal it shows nothing."""
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=transient)


def _time_left() -> TimeRemainingColumn:
    return TimeRemainingColumn(table_column=Column(no_wrap=True))  # on a narrow screen the bar alone gives way


class Stages:
    """One display for a command of several stages, which names the present one and vanishes; silent off a terminal.

    It can be shown before the number of stages is known, while what knows it is still being imported.
    """

    def __init__(self) -> None:
        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        self._bar = _progress(*columns, transient=True)
        self._total: int | None = None
        self._begun = 0
        self._task = self._bar.add_task("loading", total=None)

    def __enter__(self) -> Stages:
        """Show the display."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the display away."""
        self._bar.stop()

    def plan(self, stages: int) -> None:
        """Say how many stages there are."""
        self._total = stages
        self._bar.update(self._task, total=stages)

    def begin(self, description: str) -> None:
        """Say which stage begins."""
        self._begun += 1
        of = "" if self._total is None else f"{self._begun}/{self._total} "
        # A stage that begins is not done yet.
        self._bar.update(self._task, completed=self._begun - 1, description=f"{of}{description}")


class UnitProgress:
    """One display for many units of work: done, all, elapsed and remaining time; silent off a terminal."""

    def __init__(self, total: int, done: int = 0) -> None:
        """Describe the work.

        Args:
            total: how many units there are.
            done: how many of them are done already.
        """
        text = TextColumn("{task.fields[done]:,}/{task.total:,.0f} fits")
        self._bar = _progress(text, BarColumn(), TimeElapsedColumn(), _time_left())
        self._total = total
        self._done = done
        self._shares: dict[Hashable, float] = {}  # of units under way
        self._task = self._bar.add_task("", total=total, completed=done, done=done)

    def __enter__(self) -> UnitProgress:
        """Show the display."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the display if it is full; one of work that broke off vanishes."""
        self._bar.live.transient = self._done < self._total
        self._bar.stop()

    def share(self, unit: Hashable, share: float) -> None:
        """Say which share of a unit is done, 0 to 1."""
        self._shares[unit] = share
        self._show()

    def advance(self, unit: Hashable, done: int, total: int) -> None:
        """Say that a unit has ended, and how many are done of how many."""
        self._shares.pop(unit, None)
        self._done, self._total = done, total
        self._show()

    def _show(self) -> None:
        completed = self._done + sum(self._shares.values())
        self._bar.update(self._task, total=self._total, completed=completed, done=self._done)
