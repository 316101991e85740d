from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from occupancy.data.export import write_rooms
from tests.data.made_rooms import ROOMS, SMALL


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rooms, written once; nobody may write into them."""
    folder = tmp_path_factory.mktemp("made") / "rooms"
    write_rooms(SMALL, ROOMS, folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """The rooms, in a folder that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "rooms"))
