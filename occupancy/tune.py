"""The command that searches for settings and tests what it chooses: ``occupancy tune``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec

from rich.console import Console

from occupancy.cli.arguments import add_workers
from occupancy.cli.command import Parser
from occupancy.execution import workers

NAME = "occupancy tune"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 done, 2 a mistake in what was given, 130 interrupted."""
    return _parser().run(_command, arguments, "interrupted; what was recorded so far is kept")


def _parser() -> Parser:
    parser = Parser(
        prog=NAME,
        description="Search for a model's settings: each fold chooses by its own validation rows and tests its choice. "
        "A search that was stopped goes on where it was when the same command is given again.",
        epilog="Any setting can be overridden, and so can what is searched, for example: train.max_epochs=5 "
        "'search.over.model.window=[5,10]'",
    )
    parser.add_config("YAML file of an experiment with a section search")
    add_workers(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, say how much there is to do, and stop"
    )
    parser.add_json()
    parser.add_overrides("settings that replace the config's")
    return parser


def _command(options: argparse.Namespace) -> None:
    # Imported late: `--help` is to answer at once, and a mistyped key without waiting for torch.
    from occupancy.errors import InputError  # noqa: PLC0415
    from occupancy.search.request import load_search  # noqa: PLC0415

    if find_spec("optuna") is None:
        raise InputError("Optuna is not installed, which a search needs; pip install occupancy[tune]")

    method = load_search(options.config, options.overrides)
    from occupancy.tracking.store import check_store  # noqa: PLC0415

    # Here too, since importing what follows may take longer than the answer.
    check_store(method.space.config.tracking.uri)
    if not options.dry_run and not options.json:
        print(f"searching {method.space.config.name}: loading the log", flush=True)
    from occupancy.search import report  # noqa: PLC0415
    from occupancy.search.conduct import conduct  # noqa: PLC0415
    from occupancy.search.plan import plan_search  # noqa: PLC0415

    with redirect_stdout(sys.stderr):  # standard output is for the result alone, whatever a library prints
        search = plan_search(method)
        result = None
        if not options.dry_run:
            with workers.open_workers(options) as opened:
                result = conduct(search, opened)
    if result is not None:
        if options.json:
            print(report.to_json(result))
        else:
            Console().print(report.table(result), crop=False)
    elif options.json:
        print(report.plan_json(search))
    else:
        Console().print(report.plan_table(search), crop=False)


if __name__ == "__main__":
    sys.exit(main())
