"""The UCI log on disk: found where the user keeps it, or downloaded; its checksum decides either way."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import pooch
from requests import exceptions as http

from occupancy.errors import InputError

UCI_FILE = "Occupancy_Estimation.csv"
UCI_SHA256 = "c090ee5c94b61762bfec9d22767864490b51030f98cca030f02822468db25d9c"
ADDRESSES = (
    "https://archive.ics.uci.edu/static/public/864/room+occupancy+estimation.zip",
    "https://archive.ics.uci.edu/ml/machine-learning-databases/00640/Occupancy_Estimation.csv",
)
TIMEOUT_S = 10.0

# The first entry that fits counts, so a class stands before the classes it inherits from.
_UNREACHED: tuple[tuple[type[http.RequestException], str], ...] = (
    (http.ProxyError, "no connection through the proxy"),
    (http.SSLError, "no secure connection"),
    (http.Timeout, "no answer within {timeout:g} s"),
    (http.ConnectionError, "no connection"),
    (http.TooManyRedirects, "redirected without end"),
    (http.RequestException, "no usable address"),
)


class Unreachable(InputError):  # noqa: N818 - it tells of the servers, and callers may take it for no error
    """No address answered with a file, so nothing is known to be wrong with the file itself."""


class Unwritable(Unreachable):
    """The folder for the file cannot be written, so the file can't be had there."""


def find_uci() -> Path:
    """Return the path of the UCI log: in ``$OCCUPANCY_DATA_DIR``, else in ``data/``, else downloaded.

    A download lands in ``$OCCUPANCY_DATA_DIR`` if that is set and can be written, and in ``data/`` otherwise.

    Raises:
        InputError: a file of that name has other content, or cannot be read; see also `download`.
        Unreachable: there is no such file, and no address to download it from answered.
    """
    named = os.environ.get("OCCUPANCY_DATA_DIR")
    folders = [Path(named).expanduser()] if named else []
    folders.append(Path("data"))
    for folder in folders:
        path = folder / UCI_FILE
        try:
            got = _sha256(path) if path.is_file() else None
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}; make it readable or delete it") from error
        if got == UCI_SHA256:
            return path
        if got is not None:
            raise InputError(
                f"{path} is not the UCI log: its sha256 is {got}, expected {UCI_SHA256}; "
                f"delete it to download afresh, or read it as it is by data.source={path}"
            )
    for folder in folders:
        try:
            return download(folder, ADDRESSES)
        except Unwritable as error:
            refused = error
    raise refused


def download(folder: Path, addresses: Sequence[str] = ADDRESSES, timeout: float = TIMEOUT_S) -> Path:
    """Return the path of the UCI log after downloading it into a folder, which is made if missing.

    The file appears whole or not at all; on failure the folder is as it was before.

    Args:
        folder: where `UCI_FILE` is written; an older file of that name is replaced.
        addresses: tried in turn until one gives the file; one that ends in ``.zip`` gives it zipped.
        timeout: seconds that a server may be silent.

    Raises:
        InputError: an address sent something else than the UCI log.
        Unwritable: the folder cannot be written.
        Unreachable: no address answered with a file.
    """
    failures: list[InputError] = []
    try:
        with _made(folder):
            for address in addresses:
                try:
                    return _fetch(address, folder, timeout)
                except InputError as failure:
                    failures.append(failure)
            only_unreachable = all(isinstance(failure, Unreachable) for failure in failures)
            reasons = "; ".join(f"{address}: {failure}" for address, failure in zip(addresses, failures, strict=True))
            raise (Unreachable if only_unreachable else InputError)(
                f"could not download {UCI_FILE} ({reasons}); put the file into data/ or into the folder that "
                "OCCUPANCY_DATA_DIR names, or give data.source=simulated"
            )
    except OSError as error:
        raise Unwritable(
            f"cannot write {UCI_FILE} into {folder}: {error.strerror}; let OCCUPANCY_DATA_DIR name another folder"
        ) from error


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        # Another process may be at work in the folder; what it holds then stays.
        with suppress(OSError):
            for path in missing:
                path.rmdir()
        raise


def _fetch(address: str, folder: Path, timeout: float) -> Path:
    # Inside the folder, so that the final rename stays on one file system.
    with TemporaryDirectory(dir=folder, prefix=f".{UCI_FILE}.") as scratch:
        body = _request(address, Path(scratch), timeout)
        content = _unzip(body) if address.endswith(".zip") else body.read_bytes()
        # Written anew, for pooch's own file may be read by nobody else, whatever the umask says.
        csv = Path(scratch) / UCI_FILE
        csv.write_bytes(content)
        got = _sha256(csv)
        if got != UCI_SHA256:
            raise InputError(f"sent a file with sha256 {got}, expected {UCI_SHA256}")
        return csv.replace(folder / UCI_FILE)


def _request(address: str, scratch: Path, timeout: float) -> Path:
    pooch.get_logger().setLevel("ERROR")
    # Streamed, an answer that fails would leave its socket open to the garbage collector's leisure.
    downloader = pooch.HTTPDownloader(progressbar=False, timeout=timeout, stream=False)
    try:
        return Path(pooch.retrieve(address, None, fname="body", path=scratch, downloader=downloader))
    except http.HTTPError as error:
        status = "an error" if error.response is None else f"HTTP {error.response.status_code}"
        raise Unreachable(f"answered {status}") from error
    except (http.ChunkedEncodingError, http.ContentDecodingError) as error:
        raise InputError("sent a file that breaks off or is damaged") from error
    except http.RequestException as error:
        # A server that falls silent after the first bytes gives no Timeout but a ConnectionError.
        if "Read timed out" in str(error) and not isinstance(error, http.Timeout):
            raise InputError(f"fell silent for {timeout:g} s in the middle of the file") from error
        reason = next(text for kind, text in _UNREACHED if isinstance(error, kind))
        raise Unreachable(reason.format(timeout=timeout)) from error
    except ValueError as error:
        # Requests and pooch let some headers through to Python's own parsers: Location, Content-Length.
        raise Unreachable("gave no usable answer") from error


def _unzip(body: Path) -> bytes:
    try:
        with zipfile.ZipFile(body) as archive:
            name = next((name for name in archive.namelist() if PurePosixPath(name).name == UCI_FILE), None)
            content = None if name is None else archive.read(name)
    # Damage shows as whatever the decompressor it reaches raises: zlib.error, EOFError, RuntimeError ...
    except Exception as error:
        raise InputError("sent no zip, or a broken one") from error
    if content is None:
        raise InputError(f"sent a zip without {UCI_FILE}")
    return content


def _sha256(path: Path) -> str:
    return str(pooch.file_hash(str(path)))
