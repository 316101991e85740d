from __future__ import annotations

import os
from pathlib import Path

import pytest

from occupancy.errors import InputError
from occupancy.serving.checksums import CHECKSUMS, check_sums, seal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "settings.json").write_text('{"format": 1}')
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "weights.pt").write_bytes(bytes(100))
    seal(tmp_path)
    return tmp_path


def test_a_sealed_folder_is_as_it_was_saved_also_elsewhere(folder: Path) -> None:
    check_sums(folder)
    folder = folder.rename(folder.parent / "elsewhere")
    check_sums(folder)
    seal(folder)
    check_sums(folder)


def test_the_seal_is_the_same_for_the_same_files(folder: Path) -> None:
    before = (folder / CHECKSUMS).read_bytes()
    seal(folder)
    assert (folder / CHECKSUMS).read_bytes() == before


def test_a_change_in_any_folder_is_found(folder: Path) -> None:
    (folder / "base" / "weights.pt").write_bytes(bytes(99) + b"1")
    with pytest.raises(InputError, match=r"the model is damaged \(base/weights.pt is not as it was saved\)"):
        check_sums(folder)


def test_many_files_are_not_all_named(folder: Path) -> None:
    for number in range(50):
        (folder / f"{number:0200}").touch()
    with pytest.raises(InputError, match="and 47 more was not saved with the model") as caught:
        check_sums(folder)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "x", "sha256": {}}', '{"format": 1, "sha256": []}'])
def test_checksums_that_can_not_be_read_are_refused(folder: Path, text: str) -> None:
    (folder / CHECKSUMS).write_text(text)
    with pytest.raises(InputError, match="the checksums can't be read"):
        check_sums(folder)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_pipe_is_refused_instead_of_waited_for(folder: Path, sealed: bool) -> None:
    if not sealed:
        (folder / CHECKSUMS).unlink()
    (folder / "base" / "weights.pt").unlink()
    os.mkfifo(folder / "base" / "weights.pt")
    with pytest.raises(InputError, match=r"weights.pt: is not an ordinary file"):
        check_sums(folder)
