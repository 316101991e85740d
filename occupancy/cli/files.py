"""Files that commands write: where they may be, and predictions as a table or a picture by the ending of the name."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from occupancy.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from matplotlib.figure import Figure

    from occupancy.prediction import Prediction

TABLES = ("csv", "jsonl")
PICTURES = ("png", "svg")


def check_target(path: Path, option: str = "--out", endings: Sequence[str] = (*TABLES, *PICTURES)) -> Path:
    """Return the full path of a file that can be written, and whose ending says what it is to hold.

    Raises:
        InputError: it can't, or says nothing; the message begins with the option that named it.
    """
    # An ending that fits also keeps logs and stores, which have others, from being written over.
    if ending(path) not in endings:
        expected = f"{'one of ' if len(endings) > 1 else ''}{', '.join(f'.{name}' for name in endings)}"
        raise InputError(f"{option}: got {path}, expected a name that ends in {expected}")
    try:
        if path.is_dir():
            raise InputError(f"{option}: {path} is a folder; name a file")
        if path.exists() and not path.is_file():
            raise InputError(f"{option}: {path} is not an ordinary file; name another")
        if not path.parent.is_dir():
            raise InputError(f"{option}: {path.parent} is not a folder; create it or name another")
        if not os.access(path.parent, os.W_OK):
            raise InputError(f"{option}: {path.parent} can't be written to; name another folder")
    except OSError as error:
        raise InputError(f"{option}: {path} can't be written ({error.strerror}); name another file") from None
    return path.resolve()  # through a link, which is not to be replaced by the file


def ending(path: Path) -> str:
    """Return what a file of this name holds."""
    return path.suffix.removeprefix(".").lower()


def to_table(prediction: Prediction, kind: str, health: Sequence[str], times: Sequence[datetime]) -> str:
    """Return the predictions as text, a line a row: ``csv`` with a header, or ``jsonl``.

    Args:
        prediction: of N rows.
        kind: ``csv`` or ``jsonl``.
        health: (N,) what is wrong with the sensors at each row.
        times: (N,) the time of each row as it is to be written, with its offset where that is known.
    """
    table = prediction.to_frame().assign(health=health)
    # pandas leaves the time of day away where all times are midnight, as the one of a lone row may be.
    table["time"] = [time.isoformat(sep=" ") for time in times]
    if kind == "csv":
        return str(table.to_csv(index=False, lineterminator="\n"))
    return "".join(f"{json.dumps(row, allow_nan=False)}\n" for row in table.to_dict("records"))


def to_picture(figure: Figure, kind: str) -> bytes:
    """Return a figure as the file of it would be: ``png`` or ``svg``."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind)
    return buffer.getvalue()
