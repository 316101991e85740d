"""The command that says which of the recorded models to pick: ``occupancy compare``."""

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
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from occupancy.cli import files
from occupancy.cli.command import Parser
from occupancy.cli.progress import Stages
from occupancy.config import Data, Section, Tracking
from occupancy.config.keys import COMMAND_LINE
from occupancy.config.parsing import parse_overrides, resolve
from occupancy.errors import InputError

if TYPE_CHECKING:
    from occupancy.comparison.groups import Comparison

_PAPER, _UNLIMITED = 120, 10_000  # columns: where there is no terminal to fit; to ask for all that a table wants
_WORDS = 23  # columns of words at most, unless a word is longer


class Folds(Section):
    """The folds that the models were tested on."""

    folds: str = Data().folds


class Question(Section):
    """What is compared: the runs of an experiment in a store, on one scheme of folds."""

    data: Folds = Folds()
    tracking: Tracking = Tracking()


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 2 a mistake in what was given, 130 interrupted."""
    return _parser().run(_command, arguments)


def _parser() -> Parser:
    parser = Parser(
        prog="occupancy compare",
        description="Compare the models that were trained on the same folds of the same log, the best first.",
        epilog="Keys are those of a config: tracking.uri, tracking.experiment and data.folds, each with the default "
        "that training has, for example: data.folds=blocked",
    )
    parser.add_argument("--report", action="store_true", help="set the student report's figures beside ours")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with the table and figures")
    parser.add_argument(
        "--fold",
        type=int,
        metavar="N",
        help="fold whose predictions the page shows; else the first that holds all labels",
    )
    parser.add_argument("--csv", metavar="FILE", type=Path, help="write the table as CSV")
    parser.add_json()
    parser.add_overrides("where the runs are, and which to compare")
    return parser


def _command(options: argparse.Namespace) -> None:
    question = resolve(Question, {}, COMMAND_LINE, parse_overrides(options.overrides))
    html, csv = (
        None if path is None else files.check_target(path, f"--{kind}", [kind])
        for kind, path in (("html", options.html), ("csv", options.csv))
    )
    if options.fold is not None and html is None:
        raise InputError(f"--fold: got {options.fold}, which chooses what the page shows; add --html FILE")
    with redirect_stdout(sys.stderr), Stages() as stages:  # standard output is for the result alone
        # Imported late: `--help` is to answer at once, and a mistake in the above without waiting for MLflow.
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
        files.write(contents)
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
    rows = ranking.rows(comparison)
    whole = _table(ranking.HEADINGS, rows)
    if Measurement.get(console, console.options.update(max_width=_UNLIMITED), whole).maximum <= console.width:
        tables = [(ranking.facts(comparison), whole)]
    else:
        scores, costs = (_table(ranking.HEADINGS, rows, columns) for columns in (ranking.SCORES, ranking.COSTS))
        tables = [(ranking.facts(comparison), scores), ("what they take", costs)]
    if with_report:
        answers = _table(ranking.REPORT_HEADINGS, ranking.report_rows(comparison))
        tables.append(("beside the student report", answers))
    said = [*ranking.notes(comparison), *([NOTE] if with_report else [])]
    if comparison.left_out:
        said.append("left out:\n" + "\n".join(f"  {line}" for line in ranking.left_out(comparison)))
    for title, table in tables:
        console.print(Text(title), soft_wrap=True)
        # Wider than a narrow terminal, where its lines break: figures that are cut off would be worse.
        console.print(table, width=_UNLIMITED, crop=False, no_wrap=True)
        console.print()
    for text in said:
        console.print(Text(text))


def _table(
    headings: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], columns: Sequence[int] | None = None
) -> Table:
    """Return a table of some columns, or of all; the first two hold words, the others figures."""
    shown = range(len(headings)) if columns is None else columns
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for column in shown:
        table.add_column(Text("\n".join(headings[column])), justify="left" if column < 2 else "right")
    for row in rows:
        table.add_row(*(Text(_wrapped(row[column]) if column == 0 else row[column]) for column in shown))
    return table


def _wrapped(cell: str) -> str:
    return "\n".join(textwrap.fill(line, _WORDS, break_long_words=False) for line in cell.splitlines())


if __name__ == "__main__":
    sys.exit(main())
