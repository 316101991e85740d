"""Arguments that several commands take."""

from __future__ import annotations

import argparse
from urllib.parse import urlsplit

from occupancy.errors import shortened

MOST = 100_000
"""The largest number of processes or of rooms that a command takes."""


def add_workers(parser: argparse._ActionsContainer) -> None:
    """Add the options that say where units are carried out."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=count, metavar="N", help="processes at once (1: this one); without it, all cores"
    )
    where.add_argument(
        "--cluster",
        type=address,
        metavar="ADDRESS",
        help="the Dask scheduler whose workers to use instead, such as tcp://host:8786; see docs/scale.md",
    )


def count(text: str) -> int:
    """Return a whole number from 1 to `MOST`, as the command line has it."""
    if not text.isdecimal() or len(text) > len(str(MOST)) or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"got {shortened(text)}, expected a whole number from 1 to {MOST:,}")
    return int(text)


def address(text: str) -> str:
    """Return the address of a Dask scheduler."""
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in {"tcp", "tls"} and parts.hostname and parts.port
    except ValueError:  # a port that is not a number
        is_whole = False
    if not is_whole:
        raise argparse.ArgumentTypeError(
            f"got {shortened(text)}, expected an address such as tcp://host:8786, as `dask scheduler` prints it"
        )
    return text
