"""The UCI log on disk: found in a folder or downloaded; in both cases its checksum is verified."""

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

# The first class that matches is used, so a class comes before its base classes.
_UNREACHED: tuple[tuple[type[http.RequestException], str], ...] = (
    (http.ProxyError, "no connection through the proxy"),
    (http.SSLError, "no secure connection"),
    (http.Timeout, "no answer within {timeout:g} s"),
    (http.ConnectionError, "no connection"),
    (http.TooManyRedirects, "too many redirects"),
    (http.RequestException, "not a valid address"),
)


class Unreachable(InputError):  # noqa: N818 - it describes the servers, and callers may go on without the file
    """No address sent a file, so nothing is known about the file itself."""


class Unwritable(Unreachable):
    """The file can't be written into its folder."""


def find_uci() -> Path:
    """Return the path of the UCI log in ``$OCCUPANCY_DATA_DIR`` or ``data/``; it is downloaded if it is in neither.

    It is downloaded into ``$OCCUPANCY_DATA_DIR`` if this is set and can be written, otherwise into ``data/``.

    Raises:
        InputError: if a file of that name has other content or cannot be read; see also `download`.
        Unreachable: if there is no such file, and no address answers.
    """
    named = os.environ.get("OCCUPANCY_DATA_DIR")
    folders = [Path(os.path.expanduser(named))] if named else []  # noqa: PTH111 (it leaves an unknown ~user as it is)
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
                f"delete it to download it again, or use it as it is with data.source={path}"
            )
    for folder in folders:
        try:
            return download(folder, ADDRESSES)
        except Unwritable as error:
            refused = error
    raise refused


def download(folder: Path, addresses: Sequence[str] = ADDRESSES, timeout: float = TIMEOUT_S) -> Path:
    """Download the UCI log into a folder, and return its path.

    Either the whole file is written or nothing; after a failure the folder is as before.

    Args:
        folder: the folder for `UCI_FILE`, which is created if needed; an older file of that name is replaced.
        addresses: tried in turn until one sends the file; an address that ends in ``.zip`` sends it zipped.
        timeout: seconds to wait for a server.

    Raises:
        InputError: if an address sends something other than the UCI log.
        Unwritable: if the folder cannot be written.
        Unreachable: if no address sends a file.
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
                f"could not download {UCI_FILE} ({reasons}); put the file into data/, set OCCUPANCY_DATA_DIR to the "
                "folder that holds it, or give data.source=simulated"
            )
    except OSError as error:
        raise Unwritable(
            f"cannot write {UCI_FILE} into {folder}: {error.strerror}; set OCCUPANCY_DATA_DIR to another folder"
        ) from error


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        # Another process may use the folder; a folder that is not empty stays.
        with suppress(OSError):
            for path in missing:
                path.rmdir()
        raise


def _fetch(address: str, folder: Path, timeout: float) -> Path:
    # In the same folder, so that the final rename stays on one file system.
    with TemporaryDirectory(dir=folder, prefix=f".{UCI_FILE}.") as scratch:
        body = _request(address, Path(scratch), timeout)
        content = _unzip(body) if address.endswith(".zip") else body.read_bytes()
        # Written again: other users may not be able to read the file of pooch, with any umask.
        csv = Path(scratch) / UCI_FILE
        csv.write_bytes(content)
        got = _sha256(csv)
        if got != UCI_SHA256:
            raise InputError(f"sent a file with sha256 {got}, expected {UCI_SHA256}")
        return csv.replace(folder / UCI_FILE)


def _request(address: str, scratch: Path, timeout: float) -> Path:
    pooch.get_logger().setLevel("ERROR")
    # With streaming, a failed answer would leave its socket open until garbage is collected.
    downloader = pooch.HTTPDownloader(progressbar=False, timeout=timeout, stream=False)
    try:
        return Path(pooch.retrieve(address, None, fname="body", path=scratch, downloader=downloader))
    except http.HTTPError as error:
        status = "an error" if error.response is None else f"HTTP {error.response.status_code}"
        raise Unreachable(f"answered {status}") from error
    except (http.ChunkedEncodingError, http.ContentDecodingError) as error:
        raise InputError("sent a file that is incomplete or damaged") from error
    except http.RequestException as error:
        # If a server stops after the first bytes, requests raises a ConnectionError, not a Timeout.
        if "Read timed out" in str(error) and not isinstance(error, http.Timeout):
            raise InputError(f"stopped for {timeout:g} s in the middle of the file") from error
        reason = next(text for kind, text in _UNREACHED if isinstance(error, kind))
        raise Unreachable(reason.format(timeout=timeout)) from error
    except ValueError as error:
        # Requests and pooch pass some headers on to Python's parsers unchecked: Location, Content-Length.
        raise Unreachable("sent an answer that can't be read") from error


def _unzip(body: Path) -> bytes:
    try:
        with zipfile.ZipFile(body) as archive:
            name = next((name for name in archive.namelist() if PurePosixPath(name).name == UCI_FILE), None)
            content = None if name is None else archive.read(name)
    # A damaged zip can raise many errors: zlib.error, EOFError, RuntimeError ...
    except Exception as error:
        raise InputError("sent no zip file, or a damaged one") from error
    if content is None:
        raise InputError(f"sent a zip file without {UCI_FILE}")
    return content


def _sha256(path: Path) -> str:
    return str(pooch.file_hash(str(path)))
