"""What all commands share: the parser, errors in one line, warnings in a frame, and a clean stop by Ctrl-C."""

from __future__ import annotations

import argparse
import errno
import io
import os
import re
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn, TextIO

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from occupancy.cli.process import hide_arguments
from occupancy.errors import STOPS, InputError, InputWarning, Interrupted, plain

USAGE_ERROR = 2
INTERRUPTED = 130
_AGAIN_S = 0.05
_SHOWN_OF_A_KIND = 2
_VARYING = re.compile(r"'[^']*'|\d+(?:[,.:-]\d+)*")
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Parser(argparse.ArgumentParser):
    """Parses the arguments of a command; a mistake is one line, as all others are."""

    def add_config(self, meaning: str) -> None:
        """Require the file of an experiment."""
        self.add_argument("--config", required=True, metavar="FILE", help=meaning)

    def add_json(self, what: str = "the result") -> None:
        """Offer output for programs."""
        self.add_argument("--json", action="store_true", help=f"print {what} as one JSON object on one line")

    def add_overrides(self, meaning: str) -> None:
        """Take settings as ``key=value``, before, after and between the options."""
        self.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help=meaning)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit 2."""
        self.exit(USAGE_ERROR, f"{self.prog}: {_safe(message)}; see --help\n")

    def run(
        self,
        command: Callable[[argparse.Namespace], None],
        arguments: Sequence[str] | None,
        interrupted: str = "interrupted",
    ) -> int:
        """Return the exit code of a command that is given what these arguments say.

        Args:
            command: does the work; raises `InputError` for a mistake of the user's.
            arguments: as typed; None takes those of the process.
            interrupted: what to say when the user stops it.
        """
        hide_arguments()
        options = self.parse_intermixed_args(arguments)
        return run(self.prog, lambda: command(options), interrupted)


def run(name: str, command: Callable[[], None], interrupted: str = "interrupted") -> int:
    """Return the exit code of a command: 0 done, 2 a mistake of the user's, 130 interrupted, 1 nobody reads the output.

    What went wrong is one line on standard error.

    Args:
        name: what the line begins with.
        command: does the work; raises `InputError` for a mistake of the user's.
        interrupted: what to say when the user stops it.
    """
    with _stoppable(), _our_warnings_only():
        try:
            command()
            sys.stdout.flush()  # here: if the reader has gone, a later flush would be a traceback
        except InputError as error:
            print(f"{name}: {_safe(ValueError.__str__(error))}", file=sys.stderr)
            return USAGE_ERROR
        except Interrupted:
            print(f"{name}: {interrupted}", file=sys.stderr)
            return INTERRUPTED
        except BrokenPipeError:  # the reader of our output has gone, as in `... | head`
            _drop_output()
            return 1
        except OSError as error:
            if error.errno not in _FULL:
                raise
            where = f" for {error.filename}" if error.filename else ""
            print(f"{name}: no space left on the disk{where}; free some, then give the command again", file=sys.stderr)
            _drop_output()
            return USAGE_ERROR
    return 0


def _drop_output() -> None:
    """Let what is still to be printed go nowhere, which would be a traceback when Python ends."""
    with suppress(io.UnsupportedOperation):  # no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _safe(message: str) -> str:
    """Return a message in one line without passwords: what is mistyped may hold one, wherever it was typed."""
    from occupancy.config.secrets import hide  # noqa: PLC0415 (so that --help is quick)

    return plain(hide(message))  # in this order: half a password would not be found


@contextmanager
def _stoppable() -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Interrupted

    def swallowed(unraisable: sys.UnraisableHookArgs) -> None:
        # Python ignores what is raised in a finalizer, and a signal may come just then: it is sent again.
        if isinstance(unraisable.exc_value, Interrupted):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        else:
            hook(unraisable)

    hook, sys.unraisablehook = sys.unraisablehook, swallowed
    before = {number: signal.signal(number, stop) for number in STOPS}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook


@contextmanager
def _our_warnings_only() -> Iterator[None]:
    """Show our own warnings in a frame; those of libraries are for developers and stay hidden.

    Of one kind, such as a label that many folds lack, the first ones are shown and the others counted.
    """
    kinds: Counter[str] = Counter()

    def show(message: Warning | str, category: type[Warning], _file: str, _line: int, *_: TextIO | str | None) -> None:
        if not issubclass(category, InputWarning):
            return
        said = _safe(str(message))
        kind = _kind_of(said)
        kinds[kind] += 1
        if kinds[kind] <= _SHOWN_OF_A_KIND:
            _frame(said)

    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        try:
            yield
        finally:
            for kind, times in kinds.items():
                if times > _SHOWN_OF_A_KIND:
                    _frame(f"{times - _SHOWN_OF_A_KIND:,} more of the kind: {kind}")


def _kind_of(message: str) -> str:
    """Return a warning without what differs between warnings of one kind: where it was, names in quotes, numbers."""
    said = message.partition(": ")[2] or message
    return _VARYING.sub("...", said)


def _frame(text: str) -> None:
    Console(stderr=True).print(Panel(escape(text), title="Warning", style="bold yellow"))
