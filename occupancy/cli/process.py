"""What the system tells everyone of this process: its arguments."""

from __future__ import annotations

import ctypes
from pathlib import Path

_STAT, _STARTS = Path("/proc/self/stat"), 45  # fields after the name: arg_start and arg_end, see proc(5)


def hide_arguments() -> None:
    """Hide the passwords of addresses in the list of processes, which shows everyone what was typed, as on Linux.

    Elsewhere nothing is done: there, and in the moment before this, only an address without a password is safe.
    """
    try:
        start, end = map(int, _STAT.read_text().rpartition(")")[2].split()[_STARTS : _STARTS + 2])
    except (OSError, ValueError):
        return
    if not start < end:  # the system does not say
        return
    given = ctypes.string_at(start, end - start)
    if b":" not in given and b"@" not in given:
        return  # which spares `--help` the import
    from occupancy.config.secrets import hide_in  # noqa: PLC0415

    arguments = [argument.decode(errors="surrogateescape") for argument in given.split(b"\0")]
    hidden = [hide_in(argument).encode(errors="surrogateescape") for argument in arguments]
    pairs = zip(given.split(b"\0"), hidden, strict=True)
    ctypes.memmove(start, b"\0".join(new[: len(old)].ljust(len(old)) for old, new in pairs), end - start)
