"""The console command: ``occupancy NAME ...`` does what ``python -m occupancy.NAME ...`` does."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from occupancy import __version__
from occupancy.cli.command import USAGE_ERROR
from occupancy.errors import plain


class Command(NamedTuple):
    """A command of the package.

    Attributes:
        module: where its ``main`` is.
        summary: what it does, in one line.
    """

    module: str
    summary: str


COMMANDS = {
    "setup": Command("occupancy.setup.__main__", "look at a log as you have it, and write what training needs"),
    "data": Command("occupancy.data.__main__", "fetch a sensor log, check it, and show what is in it"),
    "explore": Command("occupancy.explore", "write a page that shows what is in a log before any model"),
    "train": Command("occupancy.train", "train a model on the folds of a log and record it"),
    "tune": Command("occupancy.tune", "search for the settings of a model"),
    "compare": Command("occupancy.compare", "compare the recorded models, the best first"),
    "ui": Command("occupancy.ui", "show the recorded runs in the browser"),
    "predict": Command("occupancy.predict", "count the people in a log with a trained model"),
}
"""All commands by name, in the order in which a person meets them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code of the command that the arguments name; without one, list the commands."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in {"-h", "--help", "help"}:
        print(_overview())
        return 0
    name, *rest = given
    if name == "--version":
        print(f"occupancy {__version__}")
        return 0
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(COMMANDS)}"
        print(plain(f"occupancy: unknown command {name}; {hint}"), file=sys.stderr)
        return USAGE_ERROR
    return int(import_module(COMMANDS[name].module).main(rest))


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: occupancy COMMAND ...",
            "",
            "Count the people in a room from cheap sensors.",
            "",
            *lines,
            "",
            "`occupancy COMMAND --help` shows the options of a command.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
