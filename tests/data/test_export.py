from __future__ import annotations

from pathlib import Path

import pytest

from occupancy.config import Simulation
from occupancy.data import export
from occupancy.errors import InputError

SMALL = Simulation(days=1)


def test_rooms_of_which_one_cannot_be_written_leave_none_behind(tmp_path: Path) -> None:
    (tmp_path / "room_3.csv").mkdir()
    with pytest.raises(InputError, match=r"room_3\.csv: can't be written"):
        export.write_rooms(SMALL, 3, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["room_3.csv"]


def test_a_folder_for_rooms_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/rooms: can't be made \(Not a directory\); name another folder"):
        export.write_rooms(SMALL, 1, tmp_path / "file" / "rooms")


def test_a_log_that_cannot_be_written_leaves_the_old_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.csv"
    path.write_text("old")

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"log\.csv: can't be written \(No space left on device\)"):
        export.write_log(SMALL, path)
    assert [each.name for each in tmp_path.iterdir()] == ["log.csv"]
    assert path.read_text() == "old"
