"""Exceptions and warnings for the user of a command, each in one line that any terminal can show."""

from __future__ import annotations

import re
import reprlib
import signal

LONGEST = 2_000
"""The most characters of a message."""
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that steer a terminal or turn the direction of a text, and halves of characters."""

_END = 500  # characters of the end that stay: it says what to do
_CUT = "..."
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxtuple, _SHORT.maxdict = 4, 10, 10, 10
_SHORT.maxstring = _SHORT.maxother = 100


def plain(text: str) -> str:
    """Return a text as one line of at most `LONGEST` characters: its middle is left out, control characters escaped."""
    line = " ".join(text.split())
    if len(line) > LONGEST:
        line = line[: LONGEST - _END - len(_CUT)] + _CUT + line[-_END:]
    # Escapes are longer than what they stand for, so a second cut may be needed.
    shown = escaped(line)
    return shown if len(shown) <= LONGEST else plain(shown)


def escaped(text: str) -> str:
    """Return a text in which the characters of `CONTROL` are written out, as Python writes them."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def shortened(value: object) -> str:
    """Return what a value is written as in code; of a long one, the first and the last part."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python writes no whole number of more than some thousand digits
        return "a number of thousands of digits"


def typed(value: object) -> str:
    """Return a value as `shortened`, and its type."""
    return f"{shortened(value)} ({type(value).__name__})"


class InputError(ValueError):
    """A mistake in the input of the user: the message says what was got, what was expected and what to do.

    Commands print it as one line and exit 2. Any other ``ValueError`` is a bug in this package or in a
    library and keeps its traceback.
    """

    def __str__(self) -> str:
        """Return the message, see `plain`: it may quote what others wrote into a file."""
        return plain(super().__str__())


class InputWarning(UserWarning):
    """A problem that does not stop the command, but that the user must know; commands show it in a frame."""

    def __str__(self) -> str:
        """Return the message, see `plain`."""
        return plain(super().__str__())


STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
"""The signals that ask a command to stop; the last repeats one that Python ignored, as it does in a finalizer."""


class Interrupted(BaseException):
    """The user or the system asked the process to stop.

    Not a ``KeyboardInterrupt``, which the trainer of Lightning would catch and turn into exit code 1.
    """
