from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from occupancy.errors import InputError
from occupancy.files import read, to_csv, write

BEGUN = pd.Timestamp("2024-01-01 10:00:00")


def test_files_are_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")
    write({tmp_path / "a.csv": b"new", tmp_path / "b.png": b"picture"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.csv": b"new", "b.png": b"picture"}


@pytest.mark.parametrize("order", [1, -1])
def test_where_one_file_cannot_be_written_none_is(tmp_path: Path, order: int) -> None:
    (tmp_path / "a.csv").write_text("old")
    paths = [tmp_path / "a.csv", tmp_path / "none" / "b.csv"][::order]
    with pytest.raises(InputError, match=r"/none/b\.csv: can't be written \(No such file or directory\)"):
        write(dict.fromkeys(paths, b"new"))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_an_interruption_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(path: Path, content: bytes) -> None:
        path.write_text(content.decode()[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(KeyboardInterrupt):
        write({tmp_path / "a.csv": b"new"})
    assert list(tmp_path.iterdir()) == []


def refusal(path: Path | str, most: int = 10) -> str:
    with pytest.raises(InputError) as refused:
        read(Path(path), most, "a CSV file", "data.max_csv_mb")
    return str(refused.value)


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    assert read(tmp_path / "a", 10, "a CSV file") == b"0123456789"
    assert refusal(tmp_path / "a", 9) == (
        f"{tmp_path / 'a'}: is larger than 9 bytes; give the path of a smaller file, or raise data.max_csv_mb"
    )


def test_what_has_no_end_or_no_content_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe"):
        assert refusal(path) == f"{path}: is neither an ordinary file nor an open pipe; give the path of a CSV file"
    assert refusal(tmp_path) == f"{tmp_path}: cannot be read (Is a directory); give the path of a CSV file"
    assert "cannot be read (No such file or directory)" in refusal(tmp_path / "none")
    assert "cannot be read (File name too long)" in refusal("x" * 5_000)


@pytest.mark.parametrize("path", ["/dev/stdin", "<(printf abc)"])
def test_an_open_pipe_is_read_once(path: str) -> None:
    program = "import sys; from pathlib import Path; from occupancy.files import read; "
    program += "print(read(Path(sys.argv[1]), 10, 'a CSV file'))"
    line = f'printf abc | {sys.executable} -c "{program}" {path}'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout == "b'abc'\n"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t"])
def test_a_text_that_a_spreadsheet_would_run_is_text_in_csv(begin: str) -> None:
    table = pd.DataFrame({f"{begin}head": [1.5, -2.0], "room": [f"{begin}cmd|'/c calc'!A0", "-"], "at": [BEGUN, BEGUN]})
    heads, first, second = csv.reader(io.StringIO(to_csv(table), newline=""))
    assert heads == [f"'{begin}head", "room", "at"]
    assert first == ["1.5", f"'{begin}cmd|'/c calc'!A0", "2024-01-01 10:00:00"]
    assert second == ["-2.0", "'-", "2024-01-01 10:00:00"], "a number below 0 stays a number"
