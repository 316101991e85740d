from __future__ import annotations

from pathlib import Path

import pytest

from occupancy.data.export import write_rooms
from tests.data.made_rooms import ROOMS, SMALL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_rooms(SMALL, ROOMS, tmp_path / "rooms")
    return tmp_path / "rooms"
