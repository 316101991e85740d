"""What a command says to a person: one-line errors, framed warnings, and one progress display."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TextIO

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from occupancy.errors import InputError, InputWarning, Interrupted

if TYPE_CHECKING:
    pass

USAGE_ERROR = 2
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """Parses arguments; a mistake is one line, as all others are."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit 2."""
        self.exit(USAGE_ERROR, f"{self.prog}: {message}; see --help\n")


def run(name: str, command: Callable[[], None], interrupted: str = "interrupted") -> int:
    """Return the exit code of a command, having told its user in one line what went wrong, if anything.

    Args:
        name: how the command is called, for messages.
        command: does the work; raises `InputError` for a mistake of the user's.
        interrupted: what to say where the user stops it.
    """
    with _stoppable(), _our_warnings_only():
        try:
            command()
            sys.stdout.flush()  # here, since a reader who has gone is a traceback later
        except InputError as error:
            print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
            return USAGE_ERROR
        except Interrupted:
            print(f"{name}: {interrupted}", file=sys.stderr)
            return INTERRUPTED
        except BrokenPipeError:  # the reader of our output has gone, as in `... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
    return 0


@contextmanager
def _stoppable() -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Interrupted

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _our_warnings_only() -> Iterator[None]:
    """Show our warnings in a frame that is hard to overlook; a library's are for us, not for the user."""

    def show(message: Warning | str, category: type[Warning], _file: str, _line: int, *_: TextIO | str | None) -> None:
        if issubclass(category, InputWarning):
            Console(stderr=True).print(Panel(escape(str(message)), title="Warning", style="bold yellow"))

    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield
