from __future__ import annotations

from pathlib import Path

import pytest

from occupancy.errors import InputError
from occupancy.writing import write


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
