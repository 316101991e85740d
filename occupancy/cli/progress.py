"""One progress display for a command, on standard error."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
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
    """One display for many units of work: done, all, and time left; silent off a terminal."""

    def __init__(self, total: int) -> None:
        done = TextColumn("{task.completed:,}/{task.total:,} fits")
        self._bar = _progress(done, BarColumn(), TimeElapsedColumn(), _time_left())
        self._total = total
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> UnitProgress:
        """Show the display."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the display away."""
        self._bar.stop()

    def add(self, units: int) -> None:
        """Say that there are so many more."""
        self._total += units
        self._bar.update(self._task, total=self._total)

    def advance(self) -> None:
        """Say that one is done."""
        self._bar.update(self._task, advance=1)


class FoldProgress:
    """One display for a whole experiment: fold, share done and time left; silent off a terminal."""

    def __init__(self, folds: int) -> None:
        """Describe the work by the number of folds."""
        share = TextColumn("{task.percentage:>3.0f}%")
        self._bar = _progress(TextColumn("{task.description}"), BarColumn(), share, _time_left())
        self._folds = folds
        self._task: TaskID | None = None

    def __enter__(self) -> FoldProgress:
        """Show the display."""
        self._bar.start()
        self._task = self._bar.add_task("starting", total=self._folds)
        return self

    def __exit__(self, *_: object) -> None:
        """Take the display away."""
        self._bar.stop()

    def fold(self, number: int) -> FoldSteps:
        """Return what counts the steps of a fold, numbered from 1."""
        assert self._task is not None
        self._bar.update(self._task, completed=number - 1, description=f"fold {number}/{self._folds}")
        return FoldSteps(self._bar, self._task, number - 1)


class FoldSteps:
    """Counts the steps of the fit of one fold (`occupancy.models.estimator.Steps`) as a share of that fold."""

    def __init__(self, bar: Progress, task: TaskID, begun: int) -> None:
        self._bar = bar
        self._task = task
        self._begun = begun  # folds done before
        self._planned = self._done = 0

    def plan(self, steps: int) -> None:
        """Add steps to those still to come; a negative number takes some away."""
        self._planned += steps
        self._show()

    def done(self) -> None:
        """Count one step as done."""
        self._done += 1
        self._show()

    def _show(self) -> None:
        self._bar.update(self._task, completed=self._begun + self._done / max(self._planned, 1))
