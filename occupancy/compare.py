"""The command that compares the recorded models and shows which one to pick: ``occupancy compare``."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from occupancy.cli import files
from occupancy.cli.command import Parser
from occupancy.cli.progress import Stages
from occupancy.config import Data, Section, Tracking
from occupancy.config.keys import COMMAND_LINE
from occupancy.config.parsing import parse_overrides, resolve
from occupancy.config.section import Place
from occupancy.errors import InputError
from occupancy.files import write

if TYPE_CHECKING:
    from occupancy.comparison import ranking
    from occupancy.comparison.groups import Comparison

_PAPER, _UNLIMITED = 120, 10_000  # columns: without a terminal; more than any table needs
_NAME = 19  # columns of a name, unless one of its words is longer


class Folds(Section):
    """The scheme of folds on which the models were tested."""

    folds: Place = Data().folds


class Question(Section):
    """The runs to compare: those of one experiment in a store, on one scheme of folds."""

    data: Folds = Folds()
    tracking: Tracking = Tracking()


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 2 wrong arguments, 130 interrupted."""
    return _parser().run(_command, arguments)


def _parser() -> Parser:
    parser = Parser(
        prog="occupancy compare",
        description="Compare the models that were trained on the same folds of the same log; the best comes first.",
        epilog="Keys are those of a config, with the same defaults as in training: tracking.uri, tracking.experiment "
        "and data.folds, for example: data.folds=blocked",
    )
    parser.add_argument("--report", action="store_true", help="compare with the figures of the student report")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with the table and figures")
    parser.add_argument(
        "--fold",
        type=int,
        metavar="N",
        help="fold whose predictions the page shows (default: the first with the most labels)",
    )
    parser.add_argument("--csv", metavar="FILE", type=Path, help="write the table as CSV")
    parser.add_json()
    parser.add_overrides("the store, and which runs to compare")
    return parser


def _command(options: argparse.Namespace) -> None:
    question = resolve(Question, {}, COMMAND_LINE, parse_overrides(options.overrides, "data.folds=blocked"))
    html, csv = (
        None if path is None else files.check_target(path, f"--{kind}", [kind])
        for kind, path in (("html", options.html), ("csv", options.csv))
    )
    if options.fold is not None and html is None:
        raise InputError(f"--fold: got {options.fold}, but only the page shows a fold; add --html FILE")
    with redirect_stdout(sys.stderr), Stages() as stages:  # standard output is only for the result
        # Imported late, so that `--help` and mistakes found above are answered without waiting for MLflow.
        from occupancy.comparison import standings  # noqa: PLC0415
        from occupancy.comparison.reading import read_comparison  # noqa: PLC0415

        stages.begin("reading runs")
        comparison = read_comparison(question.tracking, question.data.folds)
        contents: dict[Path, bytes] = {}
        if html is not None:
            from occupancy.comparison.page import page  # noqa: PLC0415

            stages.begin("drawing figures")
            made = f"{datetime.now():%Y-%m-%d %H:%M} from {question.tracking.shown_uri}"
            contents[html] = page(comparison, made, options.report, options.fold).encode()
        if csv is not None:
            contents[csv] = standings.to_csv(comparison, options.report).encode()
        write(contents)
    if options.json:
        print(standings.to_json(comparison, options.report))
        return
    _show(comparison, options.report)
    for what, path in (("page", html), ("table", csv)):
        if path is not None:
            print(f"{what:<8} {path}")


def _show(comparison: Comparison, with_report: bool) -> None:
    from occupancy.comparison import ranking  # noqa: PLC0415
    from occupancy.comparison.report import NOTE  # noqa: PLC0415

    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PAPER
    tables = [(ranking.facts(comparison), ranking.table(comparison))]
    if with_report:
        tables.append(
            ("compared with the student report (diff: ours minus the report's)", ranking.report_table(comparison))
        )
    for title, table in tables:
        console.print(Text(title))
        for part in _parts(table, console.width):
            # A single column that is wider than the terminal is not cut off: the terminal breaks its lines.
            console.print(part, width=_UNLIMITED, crop=False, no_wrap=True)
            console.print()
    said = [*ranking.notes(comparison), *([NOTE] if with_report else [])]
    if comparison.left_out:
        said.append("left out:\n" + "\n".join(f"  {line}" for line in ranking.left_out(comparison)))
    for text in said:
        console.print(Text(text))


def _parts(table: ranking.Table, width: int) -> list[Table]:
    """Return the table, cut into tables no wider than the terminal; each begins with the names."""
    cells = [["\n".join(heading) for heading in table.headings], *table.rows]
    cells = [[_wrapped(name), *others] for name, *others in cells]
    widths = [max(len(line) for cell in column for line in cell.split("\n")) for column in zip(*cells, strict=True)]
    scores, others = range(1, table.scores), range(table.scores, len(widths))
    if sum(widths) + len(widths) - 1 <= width:
        return [_drawn(cells, [*scores, *others])]
    return [_drawn(cells, part) for columns in (scores, others) for part in _packed(columns, widths, width)]


def _packed(columns: Sequence[int], widths: Sequence[int], width: int) -> list[list[int]]:
    """Return the columns in groups that fit into the width beside the names."""
    groups: list[list[int]] = []
    used = width
    for column in columns:
        if used + 1 + widths[column] > width:
            groups.append([])
            used = widths[0]
        groups[-1].append(column)
        used += 1 + widths[column]
    return groups


def _drawn(cells: Sequence[Sequence[str]], columns: Sequence[int]) -> Table:
    """Return a table of the names and some columns; the first row of cells holds the headings."""
    head, *rows = ([row[0], *(row[column] for column in columns)] for row in cells)
    drawn = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for place, heading in enumerate(head):
        drawn.add_column(Text(heading), justify="right" if place else "left")
    for row in rows:
        drawn.add_row(*map(Text, row))
    return drawn


def _wrapped(cell: str) -> str:
    return "\n".join(textwrap.fill(line, _NAME, break_long_words=False) for line in cell.splitlines())


if __name__ == "__main__":
    sys.exit(main())
