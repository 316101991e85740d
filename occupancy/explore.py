"""The command that describes a log before any model is trained: ``occupancy explore``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from occupancy.cli import files
from occupancy.cli.command import Parser
from occupancy.cli.progress import Stages
from occupancy.errors import InputError
from occupancy.files import write

if TYPE_CHECKING:
    from occupancy.config import Data

PAGE = Path("reports", "explore.html")


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 2 wrong arguments, 130 interrupted."""
    return _parser().run(_command, arguments)


def _parser() -> Parser:
    parser = Parser(
        prog="occupancy explore",
        description="Write a page that describes a sensor log: recordings, labels, sensors, correlations, folds, and a "
        "profile of every column.",
        epilog="Keys are those of the data section of a config, for example: source=room.csv schema=room.yaml. Missing "
        "cells and columns, which training would refuse, are allowed, and the page names them.",
    )
    parser.add_argument("--html", metavar="FILE", type=Path, help=f"where to write the page (default {PAGE})")
    parser.add_overrides("settings, with or without 'data.' in front")
    return parser


def _command(options: argparse.Namespace) -> None:
    # Imported late, so that `--help` and a mistyped key are answered without waiting for pandas.
    from occupancy.config.parsing import parse_data_settings  # noqa: PLC0415

    settings = parse_data_settings("explore", options.overrides)
    path = options.html or PAGE
    if options.html is not None or PAGE.parent.exists():
        files.check_target(path, "--html", ["html"])
    check_profiler()
    with redirect_stdout(sys.stderr), Stages() as stages:  # standard output is only for the result
        text, lines = _page(settings, stages)
        write({_ready(path): text.encode()})
    print("\n".join([*lines, f"page     {path}"]))


def _page(settings: Data, stages: Stages) -> tuple[str, list[str]]:
    """Return the page of a log, and the lines that are printed, too."""
    from occupancy.exploration.page import SECTIONS, page  # noqa: PLC0415
    from occupancy.exploration.profile import profile  # noqa: PLC0415
    from occupancy.exploration.subject import open_subject  # noqa: PLC0415

    stages.plan(len(SECTIONS) + 3)
    stages.begin("log")
    subject = open_subject(settings)
    made = []
    for name, make in SECTIONS:
        stages.begin(name)
        made.append(make(subject))
    sections = [section for section in made if section is not None]
    stages.begin("profile of every column")
    profiled = profile(subject)
    stages.begin("figures")
    when = f"{datetime.now():%Y-%m-%d %H:%M}"
    return page(subject, sections, profiled, when), [line for section in sections for line in section.printed]


def _ready(path: Path) -> Path:
    """Return the full path of the page; only the default folder is created if needed."""
    if path == PAGE:
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"{path.parent}: can't be created ({error.strerror}); give --html FILE") from None
    return files.check_target(path, "--html", ["html"])


def check_profiler() -> None:
    """Check that the profiling library is installed, without importing it, which would take long.

    Raises:
        InputError: if it is not installed.
    """
    if find_spec("data_profiling") is None:
        raise InputError("the profile needs fg-data-profiling, which is not installed; pip install 'occupancy[eda]'")


if __name__ == "__main__":
    sys.exit(main())
