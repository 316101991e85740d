"""What a file holds, unpacked: the bytes of a text, or the table of a Parquet file; never more than a bound."""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from occupancy.errors import InputError
from occupancy.files import read

LONGEST_CELL = 1_000  # characters
MOST_BYTES = 200_000_000  # of a text: two million rows of the UCI log
_BLOCK = 1 << 23  # bytes of text that are checked at once
_SEPARATORS = np.frombuffer(b",;\t|\r\n", np.uint8)
_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_LIMIT = "data.max_csv_mb"


def read_content(path: Path, most: int) -> bytes | pd.DataFrame:
    """Return the text of a file in UTF-8, unpacked, or the table of a Parquet file.

    Raises:
        InputError: if the file is missing, too large, also when it is unpacked, damaged, or neither text nor a table.
    """
    content = read(path, most, "a CSV file", _LIMIT)
    if content.startswith(_GZIP) or content.startswith(_ZIP):
        content = _unpack(content, path, most)
    if content.startswith(_PARQUET):
        return _read_parquet(content, path, most)
    if content[:2] in _UTF16:
        content = _from_utf16(content, path)
    check_text(content, path)
    return content


def _unpack(content: bytes, path: Path, most: int) -> bytes:
    try:
        if content.startswith(_GZIP):
            with gzip.open(io.BytesIO(content)) as file:
                unpacked = file.read(most + 1)
        else:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                names = [entry for entry in archive.infolist() if not _is_no_log(entry)]
                if any(entry.filename.startswith("xl/") for entry in names):
                    raise InputError(f"{path}: is a spreadsheet; save the sheet of the log as CSV in UTF-8")
                if len(names) != 1:
                    raise InputError(f"{path}: holds {len(names)} files, expected one; unpack it and name the log")
                with archive.open(names[0]) as file:
                    unpacked = file.read(most + 1)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: can't be unpacked ({error}); pack it again, or give the file that is in it"
        ) from None
    if len(unpacked) > most:
        raise InputError(f"{path}: is larger than {most:,} bytes unpacked; give a smaller file, or raise {_LIMIT}")
    return unpacked


def _is_no_log(entry: zipfile.ZipInfo) -> bool:
    return entry.is_dir() or entry.filename.startswith("__MACOSX/") or Path(entry.filename).name.startswith(".")


def _read_parquet(content: bytes, path: Path, most: int) -> pd.DataFrame:
    try:
        from pyarrow import parquet  # noqa: PLC0415 (late: few logs are Parquet files)
    except ImportError:
        raise InputError(
            f"{path}: is a Parquet file, which needs pyarrow; pip install pyarrow, or save it as CSV"
        ) from None
    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        size = sum(file.metadata.row_group(number).total_byte_size for number in range(file.metadata.num_row_groups))
        cells = file.metadata.num_rows * file.metadata.num_columns  # a value may be packed into less than a bit
        if max(size, 8 * cells) > most:
            raise InputError(f"{path}: is larger than {most:,} bytes unpacked; give a smaller file, or raise {_LIMIT}")
        table: pd.DataFrame = file.read().to_pandas()
    except InputError:
        raise
    except Exception as error:  # a damaged file breaks its reader in any way
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: can't be read as Parquet ({said}); write it again, or save it as CSV") from None
    named = [name for name in table.index.names if name is not None]
    return table.reset_index() if named else table.reset_index(drop=True)


def _from_utf16(content: bytes, path: Path) -> bytes:
    try:
        return content.decode("utf-16").encode("utf-8")
    except UnicodeError:
        raise InputError(f"{path}: is not whole text in UTF-16; save it as CSV in UTF-8") from None


def check_text(content: bytes, path: Path) -> None:
    """Check that bytes are text without cells that are too long.

    Raises:
        InputError: if they are not.
    """
    if not content.removeprefix(codecs.BOM_UTF8).strip():
        raise InputError(f"{path}: is empty; expected a header line and one line for each sample")
    decoder, blocks = codecs.getincrementaldecoder("utf-8")(), range(0, len(content), _BLOCK)
    for start in blocks:  # in blocks, since the whole text would take as much memory again, or four times as much
        block = content[start : start + _BLOCK]
        try:
            decoder.decode(block, final=start == blocks[-1])
        except UnicodeDecodeError as error:
            place = start + error.start - (len(error.object) - len(block))
            raise InputError(f"{path}: is not text (byte {place}); save it as CSV in UTF-8") from None
        ends = np.flatnonzero(np.isin(np.frombuffer(block, np.uint8), _SEPARATORS))
        if np.diff(ends, prepend=-1, append=len(block)).max(initial=0) > 4 * LONGEST_CELL:  # bytes of a character
            raise InputError(too_long(path))
    if b"\0" in content:
        raise InputError(f"{path}: is not text (byte {content.index(0)} is zero); save it as CSV in UTF-8")


def too_long(path: Path) -> str:
    """Return the message for a file with a cell that is too long."""
    return (
        f"{path}: has a cell of more than {LONGEST_CELL:,} characters; shorten it, and close every quotation mark that "
        "begins a cell"
    )
