"""The download against a real server on 127.0.0.1; nothing here may leave the machine."""

from __future__ import annotations

import gc
import hashlib
import io
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pooch
import pytest

from occupancy.data import download as module
from occupancy.data.download import UCI_FILE, UCI_SHA256, Unreachable, download, find_uci
from occupancy.errors import InputError
from tests.places import ROOT

CSV = b"Date,Time,S1_Temp\n" + b"".join(b"2017/12/22,10:49:%02d,24.94\n" % second for second in range(60))
OTHER = b"a file of that name, but another\n"
QUICK = 0.3
REMEDY = "put the file into data/, set OCCUPANCY_DATA_DIR to the folder that holds it, or give data.source=simulated"

Answer = Callable[[BaseHTTPRequestHandler], None]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def damaged(archive: bytes) -> bytes:
    # The directory at the end stays whole; the damage shows only on decompressing.
    start = archive.index(b"csv") + len(b"csv")
    return archive[:start] + bytes(20) + archive[start + 20 :]


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def body(content: bytes, *, length: int | None = None, status: int = 200) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def without_length(content: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def redirect(target: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


class Server:
    """A server with an answer for each path, which keeps the paths asked for in ``asked``."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.answers[self.path](self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
                del format, args

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def at(self, path: str, answer: Answer) -> str:
        """Return the address that gets this answer."""
        self.answers[path] = answer
        return f"http://127.0.0.1:{self.http.server_port}{path}"

    def silent(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer nothing until the test ends."""
        del handler
        self.released.wait(timeout=20)

    def silent_halfway(self, handler: BaseHTTPRequestHandler) -> None:
        """Send half of the file and then nothing until the test ends."""
        body(CSV[: len(CSV) // 2], length=len(CSV))(handler)
        handler.wfile.flush()
        self.released.wait(timeout=20)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.released.set()
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def down() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"http://127.0.0.1:{port}/{UCI_FILE}"


@pytest.fixture(autouse=True)
def _only_loopback_and_a_small_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if address[0] != "127.0.0.1":
            pytest.fail(f"a test went for {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(module, "UCI_SHA256", sha256(CSV))
    monkeypatch.setattr(module, "ADDRESSES", ())
    monkeypatch.delenv("OCCUPANCY_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_checksum_is_that_of_the_published_log() -> None:
    published = ROOT.parent / "shared" / "data" / UCI_FILE
    if not published.is_file():
        pytest.skip("no copy of the UCI log beside this checkout")
    assert sha256(published.read_bytes()) == UCI_SHA256


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/log.zip", body(zipped(**{UCI_FILE: CSV}))),
        ("/log.zip", body(zipped(**{"readme.txt": OTHER, f"room/{UCI_FILE}": CSV}))),
        ("/log.csv", body(CSV)),
        ("/log.csv", without_length(CSV)),
    ],
    ids=["zip", "zip with a folder", "csv", "csv of unknown length"],
)
def test_a_download_leaves_the_log_and_nothing_else(server: Server, tmp_path: Path, path: str, answer: Answer) -> None:
    got = download(tmp_path / "deep" / "data", [server.at(path, answer)])
    assert got == tmp_path / "deep" / "data" / UCI_FILE
    assert got.read_bytes() == CSV
    assert listing(tmp_path) == {"deep", "deep/data", f"deep/data/{UCI_FILE}"}


@pytest.mark.parametrize("path", ["/log.zip", "/log.csv"])
def test_a_download_has_the_permissions_of_any_new_file(server: Server, tmp_path: Path, path: str) -> None:
    content = zipped(**{UCI_FILE: CSV}) if path.endswith(".zip") else CSV
    umask = os.umask(0o022)
    try:
        got = download(tmp_path, [server.at(path, body(content))])
    finally:
        os.umask(umask)
    assert stat.S_IMODE(got.stat().st_mode) == 0o644


def test_the_second_address_is_left_alone_when_the_first_gives_the_log(server: Server, tmp_path: Path) -> None:
    first = server.at("/log.zip", body(zipped(**{UCI_FILE: CSV})))
    download(tmp_path, [first, server.at("/log.csv", body(CSV))])
    assert server.asked == ["/log.zip"]


FAULTS: dict[str, tuple[str, Answer, type[InputError], str]] = {
    "not found": ("/log.zip", body(b"", status=404), Unreachable, "answered HTTP 404"),
    "server error": ("/log.zip", body(CSV, status=500), Unreachable, "answered HTTP 500"),
    "truncated csv": (
        "/log.csv",
        body(CSV[:-9], length=len(CSV)),
        InputError,
        "sent a file that is incomplete or damaged",
    ),
    "truncated zip": (
        "/log.zip",
        body(zipped(**{UCI_FILE: CSV})[:-9], length=len(zipped(**{UCI_FILE: CSV}))),
        InputError,
        "sent a file that is incomplete or damaged",
    ),
    "silently short csv": (
        "/log.csv",
        without_length(CSV[:-9]),
        InputError,
        f"sent a file with sha256 {sha256(CSV[:-9])}, expected {sha256(CSV)}",
    ),
    "silently short zip": (
        "/log.zip",
        without_length(zipped(**{UCI_FILE: CSV})[:-9]),
        InputError,
        "sent no zip file, or a damaged one",
    ),
    "damaged zip": (
        "/log.zip",
        body(damaged(zipped(**{UCI_FILE: CSV}))),
        InputError,
        "sent no zip file, or a damaged one",
    ),
    "web page": ("/log.zip", body(b"<html>Please log in</html>"), InputError, "sent no zip file, or a damaged one"),
    "empty": ("/log.zip", body(b""), InputError, "sent no zip file, or a damaged one"),
    "another file": (
        "/log.csv",
        body(OTHER),
        InputError,
        f"sent a file with sha256 {sha256(OTHER)}, expected {sha256(CSV)}",
    ),
    "another file in the zip": (
        "/log.zip",
        body(zipped(**{UCI_FILE: OTHER})),
        InputError,
        f"sent a file with sha256 {sha256(OTHER)}, expected {sha256(CSV)}",
    ),
    "zip of something else": (
        "/log.zip",
        body(zipped(**{"readme.txt": CSV})),
        InputError,
        f"sent a zip file without {UCI_FILE}",
    ),
    "redirected for ever": ("/log.zip", redirect("/log.zip"), Unreachable, "too many redirects"),
    "redirected to another protocol": ("/log.zip", redirect("ftp://127.0.0.1/"), Unreachable, "not a valid address"),
    "redirected to nonsense": ("/log.zip", redirect("http://["), Unreachable, "sent an answer that can't be read"),
    "length that is no number": (
        "/log.csv",
        without_length(CSV, **{"Content-Length": "long"}),
        Unreachable,
        "sent an answer that can't be read",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_one_line_and_leaves_nothing_behind(server: Server, tmp_path: Path, fault: str) -> None:
    path, answer, kind, reason = FAULTS[fault]
    address = server.at(path, answer)
    with pytest.raises(InputError) as caught:
        download(tmp_path / "deep" / "data", [address])
    assert type(caught.value) is kind
    assert str(caught.value) == f"could not download {UCI_FILE} ({address}: {reason}); {REMEDY}"
    assert listing(tmp_path) == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_the_next_address_gives_the_log(server: Server, tmp_path: Path, fault: str) -> None:
    path, answer, _, _ = FAULTS[fault]
    got = download(tmp_path, [server.at(path, answer), server.at("/second.csv", body(CSV))])
    assert got.read_bytes() == CSV
    assert listing(tmp_path) == {UCI_FILE}
    assert server.asked.count(path) == (31 if fault == "redirected for ever" else 1)
    assert server.asked[-1] == "/second.csv"


def test_a_redirect_to_a_web_page_is_refused(server: Server, tmp_path: Path) -> None:
    page = b"<html>moved</html>"
    server.at("/portal", body(page))
    with pytest.raises(InputError, match=f"sent a file with sha256 {sha256(page)}") as caught:
        download(tmp_path, [server.at("/log.csv", redirect("/portal"))])
    assert not isinstance(caught.value, Unreachable)
    assert listing(tmp_path) == set()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_body_that_is_not_compressed_as_announced_is_refused(server: Server, tmp_path: Path) -> None:
    address = server.at("/log.csv", without_length(CSV, **{"Content-Encoding": "gzip"}))
    with pytest.raises(InputError) as caught:
        download(tmp_path / "data", [address])
    assert type(caught.value) is InputError
    assert f"({address}: sent a file that is incomplete or damaged)" in str(caught.value)
    assert listing(tmp_path) == set()
    # Requests leaves this one socket to the garbage collector, which would warn in a later test.
    del caught
    gc.collect()


def test_a_server_that_is_down_is_unreachable(down: str, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=re.escape(f"({down}: no connection); {REMEDY}")):
        download(tmp_path / "data", [down])
    assert listing(tmp_path) == set()


def test_a_server_that_is_down_is_passed_over(server: Server, down: str, tmp_path: Path) -> None:
    got = download(tmp_path, [down, server.at("/log.zip", body(zipped(**{UCI_FILE: CSV})))])
    assert got.read_bytes() == CSV
    assert listing(tmp_path) == {UCI_FILE}


def test_a_proxy_that_is_down_is_named(down: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", down)
    with pytest.raises(Unreachable, match="no connection through the proxy"):
        download(tmp_path, ["http://log.invalid/log.zip"])


def test_a_server_without_encryption_behind_https_is_named(server: Server, tmp_path: Path) -> None:
    address = server.at("/log.zip", body(CSV)).replace("http:", "https:")
    with pytest.raises(Unreachable, match="no secure connection"):
        download(tmp_path, [address])


def test_a_server_that_never_answers_is_unreachable_after_the_timeout(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"log\.zip: no answer within 0\.3 s\)"):
        download(tmp_path / "data", [server.at("/log.zip", server.silent)], timeout=QUICK)
    assert listing(tmp_path) == set()


def test_a_server_that_falls_silent_halfway_is_refused_after_the_timeout(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"stopped for 0\.3 s in the middle of the file") as caught:
        download(tmp_path / "data", [server.at("/log.csv", server.silent_halfway)], timeout=QUICK)
    assert not isinstance(caught.value, Unreachable)
    assert listing(tmp_path) == set()


@pytest.mark.parametrize("down_first", [True, False])
def test_a_wrong_file_outweighs_a_server_that_is_down(
    server: Server, down: str, tmp_path: Path, down_first: bool
) -> None:
    wrong = server.at("/log.csv", body(OTHER))
    with pytest.raises(InputError) as caught:
        download(tmp_path, [down, wrong] if down_first else [wrong, down])
    assert not isinstance(caught.value, Unreachable)
    assert f"{down}: no connection" in str(caught.value)
    assert f"{wrong}: sent a file with sha256 {sha256(OTHER)}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_failure_keeps_what_the_folder_held(server: Server, tmp_path: Path) -> None:
    (tmp_path / UCI_FILE).write_bytes(OTHER)
    with pytest.raises(InputError, match="sha256"):
        download(tmp_path, [server.at("/log.csv", body(b"wrong"))])
    assert listing(tmp_path) == {UCI_FILE}
    assert (tmp_path / UCI_FILE).read_bytes() == OTHER


def test_a_reader_of_the_older_file_keeps_it_whole(server: Server, tmp_path: Path) -> None:
    (tmp_path / UCI_FILE).write_bytes(OTHER)
    with (tmp_path / UCI_FILE).open("rb") as reader:
        download(tmp_path, [server.at("/log.csv", body(CSV))])
        assert reader.read() == OTHER
    assert (tmp_path / UCI_FILE).read_bytes() == CSV


@pytest.mark.parametrize("empty_folder_exists", [True, False])
def test_an_interrupt_leaves_the_folder_as_it_was(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_folder_exists: bool
) -> None:
    folder = tmp_path / "data"
    if empty_folder_exists:
        folder.mkdir()
    before = listing(tmp_path)
    seen: list[str] = []

    def interrupted(path: str) -> str:
        seen.append(path)
        assert Path(path).read_bytes() == CSV
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch, "file_hash", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download(folder, [server.at("/log.csv", body(CSV))])
    assert [Path(path).parent.parent for path in seen] == [folder]
    assert listing(tmp_path) == before


def test_a_failure_spares_the_folder_in_which_another_process_is_at_work(server: Server, tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        (tmp_path / "data" / UCI_FILE).write_bytes(CSV)
        body(OTHER)(handler)

    with pytest.raises(InputError, match="sha256"):
        download(tmp_path / "data", [server.at("/log.csv", answer)])
    assert listing(tmp_path) == {"data", f"data/{UCI_FILE}"}


def test_a_folder_that_cannot_be_written_is_told_with_a_remedy(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(InputError, match=r"cannot write .* set OCCUPANCY_DATA_DIR to another folder") as caught:
        download(tmp_path / "data", [server.at("/log.csv", body(CSV))])
    assert isinstance(caught.value, Unreachable)  # `auto` may go on without it
    assert server.asked == []


def test_two_processes_at_once_both_get_the_log(server: Server, tmp_path: Path) -> None:
    both_ask = threading.Barrier(2, timeout=30)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        both_ask.wait()
        body(zipped(**{UCI_FILE: CSV}))(handler)

    address = server.at("/log.zip", answer)
    script = (
        "import sys; from pathlib import Path; from occupancy.data import download as module; "
        "module.UCI_SHA256 = sys.argv[1]; module.download(Path(sys.argv[2]), [sys.argv[3]], timeout=30)"
    )
    command = [sys.executable, "-c", script, sha256(CSV), str(tmp_path / "data"), address]
    root = ROOT
    processes = [subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outcomes = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert outcomes == [("", 0), ("", 0)]
    assert (tmp_path / "data" / UCI_FILE).read_bytes() == CSV
    assert listing(tmp_path) == {"data", f"data/{UCI_FILE}"}


def test_a_download_prints_nothing(server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pooch.get_logger().setLevel("INFO")
    download(tmp_path, [server.at("/log.csv", body(CSV))])
    assert capfd.readouterr() == ("", "")


def test_the_named_folder_comes_before_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("named", "data"):
        (tmp_path / name).mkdir()
        (tmp_path / name / UCI_FILE).write_bytes(CSV)
    assert find_uci().resolve() == tmp_path / "data" / UCI_FILE
    monkeypatch.setenv("OCCUPANCY_DATA_DIR", str(tmp_path / "named"))
    assert find_uci() == tmp_path / "named" / UCI_FILE


def test_data_is_searched_when_the_named_folder_has_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / UCI_FILE).write_bytes(CSV)
    monkeypatch.setenv("OCCUPANCY_DATA_DIR", str(tmp_path / "named"))
    assert find_uci().resolve() == tmp_path / "data" / UCI_FILE
    assert not (tmp_path / "named").exists()


@pytest.mark.parametrize("name", ["named", "data"])
def test_a_found_file_with_other_content_is_refused_and_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(module, "ADDRESSES", (server.at("/log.csv", body(CSV)),))
    monkeypatch.setenv("OCCUPANCY_DATA_DIR", "named")
    path = Path(name) / UCI_FILE
    path.parent.mkdir()
    path.write_bytes(OTHER)
    with pytest.raises(InputError) as caught:
        find_uci()
    assert not isinstance(caught.value, Unreachable)
    assert str(caught.value) == (
        f"{path} is not the UCI log: its sha256 is {sha256(OTHER)}, expected {sha256(CSV)}; "
        f"delete it to download it again, or use it as it is with data.source={path}"
    )
    assert path.read_bytes() == OTHER
    assert server.asked == []


@pytest.mark.parametrize(("named", "folder"), [("named", "named"), ("", "data"), (None, "data")])
def test_a_log_found_nowhere_is_downloaded_once_into_the_folder_searched_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None, folder: str
) -> None:
    monkeypatch.setattr(module, "ADDRESSES", (server.at("/log.zip", body(zipped(**{UCI_FILE: CSV}))),))
    if named is not None:
        monkeypatch.setenv("OCCUPANCY_DATA_DIR", named)
    assert find_uci() == find_uci() == Path(folder) / UCI_FILE
    assert server.asked == ["/log.zip"]
    assert listing(tmp_path) == {folder, f"{folder}/{UCI_FILE}"}


def test_a_log_found_nowhere_with_the_server_down_is_unreachable(
    down: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ADDRESSES", (down,))
    with pytest.raises(Unreachable, match="no connection"):
        find_uci()
    assert listing(tmp_path) == set()


def test_a_found_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / UCI_FILE).write_bytes(CSV)

    def refused(path: str) -> str:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(pooch, "file_hash", refused)
    with pytest.raises(InputError, match=f"cannot read data/{UCI_FILE}: Permission denied; make it readable"):
        find_uci()
