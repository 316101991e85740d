"""Exceptions and warnings for the user of a command."""


class InputError(ValueError):
    """A mistake in the input of the user: the message says what was got, what was expected and what to do.

    Commands print it as one line and exit 2. Any other ``ValueError`` is a bug in this package or in a
    library and keeps its traceback.
    """


class InputWarning(UserWarning):
    """A problem that does not stop the command, but that the user must know; commands show it in a frame."""


class Interrupted(BaseException):
    """The user or the system asked the process to stop.

    Not a ``KeyboardInterrupt``, which the trainer of Lightning would catch and turn into exit code 1.
    """
