"""The exceptions and warnings that are meant for the person at the keyboard."""


class InputError(ValueError):
    """A mistake in what the user gave: says what was got, what was expected and the remedy.

    Commands print it as one line and exit 2. A plain ``ValueError`` from our own code or from a
    library is a defect and keeps its traceback, which is why the two must be told apart.
    """


class InputWarning(UserWarning):
    """Something that can go on, but that the user must know of; commands show it in a frame."""


class Interrupted(BaseException):
    """The user or the system asked the process to stop.

    Not a ``KeyboardInterrupt``, which Lightning's trainer would swallow and turn into exit code 1.
    """
