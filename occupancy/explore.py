"""The command that shows what is in a log before any model: ``python -m occupancy.explore``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from occupancy.cli import files
from occupancy.cli.command import Parser, run
from occupancy.cli.progress import Steps
from occupancy.errors import InputError

NAME = "occupancy.explore"
REPORT = Path("reports", "explore.html")


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 2 a mistake in what was given, 130 interrupted."""
    options = _parser().parse_intermixed_args(arguments)
    return run(NAME, lambda: _command(options))


def _parser() -> Parser:
    parser = Parser(
        prog=f"python -m {NAME}",
        description="Write one page that shows what is in a sensor log: recordings, labels, sensors, how they go "
        "together, the folds, and a profile of every column.",
        epilog="Keys are those of a config's data section, for example: source=room.csv schema=room.yaml. A log that "
        "training would refuse for missing cells or columns is shown all the same, and the page says so.",
    )
    parser.add_argument("--html", metavar="FILE", type=Path, help=f"the page; without it {REPORT}")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings, with or without 'data.' before")
    return parser


def _command(options: argparse.Namespace) -> None:
    # Imported late: `--help` is to answer at once, and a mistyped key without waiting for pandas.
    from occupancy.config.parsing import parse_data_settings  # noqa: PLC0415

    settings = parse_data_settings(NAME, options.overrides)
    path = options.html or REPORT
    if options.html is not None or REPORT.parent.exists():
        files.check_target(path, "--html", ["html"])
    check_profiler()
    from occupancy.exploration.page import SECTIONS, page  # noqa: PLC0415
    from occupancy.exploration.profile import profile  # noqa: PLC0415
    from occupancy.exploration.subject import open_subject  # noqa: PLC0415

    with redirect_stdout(sys.stderr), Steps(len(SECTIONS) + 3) as steps:  # what a library prints is no result
        steps.next("log")
        subject = open_subject(settings)
        sections = []
        for name, make in SECTIONS:
            steps.next(name)
            sections.append(make(subject))
        steps.next("profile of every column")
        profiled = profile(subject)
        steps.next("pictures")
        made = f"{datetime.now():%Y-%m-%d %H:%M}"
        text = page(subject, [section for section in sections if section is not None], profiled, made)
        files.write({_ready(path): text.encode()})
    print(f"page     {path}")


def _ready(path: Path) -> Path:
    """Return the full path of a page whose folder is there; only the default one is made."""
    if path == REPORT:
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"{path.parent}: can't be made ({error.strerror}); give --html FILE") from None
    return files.check_target(path, "--html", ["html"])


def check_profiler() -> None:
    """Find out whether the library that profiles is there, without waiting for its import.

    Raises:
        InputError: it is not.
    """
    if find_spec("data_profiling") is None:
        raise InputError("the profile needs fg-data-profiling, which is not there; pip install 'occupancy[eda]'")


if __name__ == "__main__":
    sys.exit(main())
