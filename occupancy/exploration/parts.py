"""What a log holds, before any model: each module measures one thing, draws it and says what to see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from matplotlib.figure import Figure

from occupancy.arrays import Ints
from occupancy.data.folds import Fold
from occupancy.data.table import Log


@dataclass(frozen=True)
class Subject:
    """What is explored.

    Attributes:
        log: the log; its missing cells are filled, and marked in ``log.missing``.
        labelled: whether it holds counts.
        blank: the sensor columns that the file has, but without a single reading; the log lacks them.
        folds: its folds; none where no scheme fits it.
        scheme: what the folds are called, or why there are none.
        refused: why the log would not be taken for training, or nothing.
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
        """Names of the columns that hold more than one value: the count, if it does, and then sensors."""
        count = self.log.schema.count
        changes = self.labelled and self.log.frame[count].nunique() > 1
        return [*([count] if changes else []), *self.varying]

    @property
    def counts(self) -> Ints:
        """People at each row, (N,); only of a labelled log."""
        assert self.labelled, "an unlabelled log has no counts"
        return self.log.frame[self.log.schema.count].to_numpy(dtype="int64")


@dataclass(frozen=True)
class Picture:
    """A figure of a section.

    Attributes:
        draw: returns it, for a screen so many inches wide, with a title that says what to see.
        text: what it shows, for those who don't see it.
        small: whether it stands beside its like where there is room, rather than being drawn wider.
    """

    draw: Callable[[float], Figure]
    text: str
    small: bool = False


@dataclass(frozen=True)
class Section:
    """One thing to see.

    Attributes:
        title: the question that it answers.
        finding: the answer, in a sentence or two that its own numbers fill.
        notes: how to read the pictures, and what limits them.
        pictures: in the order of reading.
        table: the lines of each heading, and the rows, if there is a table.
        in_short: whether the finding belongs to what one should know first.
    """

    title: str
    finding: str
    notes: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    table: tuple[Sequence[Sequence[str]], Sequence[Sequence[str]]] | None = None
    in_short: bool = True
