"""What is in a log, before any model: each module measures one thing, draws it and describes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from matplotlib.figure import Figure

from occupancy.arrays import Floats
from occupancy.data.folds import Fold
from occupancy.data.log import Log


@dataclass(frozen=True)
class Subject:
    """The log that is explored.

    Attributes:
        log: the log; missing cells are filled, and marked in ``log.missing``.
        labelled: whether the log has counts.
        blank: the sensor columns in the file without any reading; they are not in the log.
        folds: the folds of the log; empty if no scheme fits.
        scheme: the name of the folds, or why there are none.
        refused: why training would refuse the log, or empty.
    """

    log: Log
    labelled: bool = True
    blank: Sequence[str] = ()
    folds: Sequence[Fold] = ()
    scheme: str = ""
    refused: str = ""

    @property
    def sensors(self) -> list[str]:
        """Names of the sensor columns that have readings, in the order of the schema."""
        return [name for name in self.log.schema.sensors if name in self.log.frame.columns]

    @cached_property
    def varying(self) -> list[str]:
        """Names of the sensor columns that hold more than one value, in the order of the schema."""
        return [name for name in self.sensors if self.log.frame[name].nunique() > 1]

    @property
    def changing(self) -> list[str]:
        """Names of the columns that hold more than one value: first the count, then the sensors."""
        count = self.log.schema.count
        changes = self.labelled and self.log.frame[count].nunique() > 1
        return [*([count] if changes else []), *self.varying]

    @property
    def counts(self) -> Floats:
        """The count at each row, (N,), NaN where it has none; only for a labelled log."""
        assert self.labelled, "an unlabelled log has no counts"
        return self.log.frame[self.log.schema.count].to_numpy(dtype="float64")


@dataclass(frozen=True)
class Picture:
    """A figure of a section.

    Attributes:
        draw: returns the figure for a width in inches, with a title that says what to see.
        text: what the figure shows, for readers who cannot see it.
        small: whether figures like this stand side by side if there is room, instead of being drawn wider.
    """

    draw: Callable[[float], Figure]
    text: str
    small: bool = False


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes:
        title: the question that the section answers.
        finding: the answer in one or two sentences, with numbers from the log.
        notes: how to read the figures, and their limits.
        pictures: the figures, in the order of reading.
        table: the lines of each heading, and the rows, if there is a table.
        words: how many of its first columns hold words; with 5 they are whole sentences.
        in_short: whether the finding is part of the summary at the top.
        printed: lines that the command prints, too.
    """

    title: str
    finding: str
    notes: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    table: tuple[Sequence[Sequence[str]], Sequence[Sequence[str]]] | None = None
    words: int = 2
    in_short: bool = True
    printed: Sequence[str] = ()
