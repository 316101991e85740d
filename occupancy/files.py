"""Reading files of bounded size, CSV that is safe in a spreadsheet, and writing files whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from occupancy.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t")  # a cell that begins so is a formula to a spreadsheet
_PIPES = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")


def read(path: Path, most: int, what: str, limit: str = "") -> bytes:
    """Return the bytes of a file, or of a pipe that is open already, which can be read only once.

    Args:
        path: a file, ``/dev/stdin``, or a pipe such as ``/dev/fd/63``, which shells write for ``<(...)``.
        most: largest size in bytes; no more is read.
        what: what the file should be, such as ``a CSV file``.
        limit: the setting that raises ``most``, if there is one.

    Raises:
        InputError: if the file can't be read, is larger, or is neither a file nor an open pipe: a device may have no
            end, and a named pipe no writer.
    """
    try:
        kind = path.stat().st_mode
        is_open_pipe = stat.S_ISFIFO(kind) and str(path).startswith(_PIPES)
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind) or is_open_pipe):  # `open` says what is wrong with a folder
            raise InputError(f"{path}: is neither an ordinary file nor an open pipe; give the path of {what}")
        with path.open("rb") as file:
            too_large = stat.S_ISREG(kind) and path.stat().st_size > most
            content = b"" if too_large else file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of {what}") from None
    if too_large or len(content) > most:
        remedy = f", or raise {limit}" if limit else ""
        raise InputError(f"{path}: is larger than {most:,} bytes; give the path of a smaller file{remedy}")
    return content


def to_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV, its texts and headings as `text_cell` has them."""
    texts = table.select_dtypes(exclude=["number", "bool", "datetime"]).columns
    safe = table.copy(deep=False)
    safe[texts] = table[texts].map(text_cell)
    return str(safe.rename(columns=text_cell).to_csv(index=False, lineterminator="\n"))


def text_cell(value: Any) -> Any:
    """Return a cell of CSV; a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if not isinstance(value, str):
        return value
    line = value.replace("\r", " ")  # which Python's csv does not quote
    return f"'{line}" if line.startswith(_FORMULA) else line


def write(contents: Mapping[Path, bytes]) -> None:
    """Write files, each of them whole; none of them takes its name before all are on the disk.

    Raises:
        InputError: one can't be written.
    """
    unfinished = {path: path.with_name(f".{path.name}.unfinished-{os.getpid()}") for path in contents}
    try:
        for path, content in contents.items():
            unfinished[path].write_bytes(content)
        for path, new in unfinished.items():
            new.replace(path)
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror}); name another file") from None
    finally:
        for new in unfinished.values():
            new.unlink(missing_ok=True)
