"""Spoiled logs through the commands that read them: the right values, or one clean line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.data.__main__ import main as data
from occupancy.data.reading import read_files
from occupancy.data.reading.content import MOST_BYTES
from occupancy.errors import InputError
from tests.fuzz.changes import ended, spoiled_file

SCHEMA = """\
name: office
time: [at]
time_format: '%Y-%m-%d %H:%M'
count: people
columns:
- {name: air, kind: co2, unit: ppm}
- {name: moved, kind: motion, unit: 0 or 1}
- {name: warm, kind: temperature, unit: degC, optional: true}
"""
LOG = ["at,air,moved,warm,people"]
for minute in range(90):
    at = f"2024-01-01 {8 + minute // 60:02d}:{minute % 60:02d}"
    LOG.append(f"{at},{400 + minute},{minute % 2},{20 + minute / 50},{minute // 30}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    (folder / "office.yaml").write_text(SCHEMA)
    return folder


@given(spoiled_file(LOG, ","), st.sampled_from(["refuse", "interpolate"]))
def test_a_spoiled_log_is_described_with_finite_numbers_or_refused_in_a_line(
    folder: Path, content: bytes, missing: str
) -> None:
    path = folder / "log.csv"
    path.write_bytes(content)
    end = ended(data, f"source={path}", f"schema={folder / 'office.yaml'}", f"missing={missing}", "--json")
    if end.code == 0:
        told = json.loads(end.output)
        assert 1 <= told["rows"] <= 200
        assert sum(told["labels"].values()) == told["rows"]
        numbers = [column[what] for column in told["columns"] for what in ("min", "mean", "max")]
        assert all(math.isfinite(number) and abs(number) < 2e19 for number in numbers)
    else:
        assert str(path) in end.errors or "data.source" in end.errors


@given(spoiled_file(LOG, ","))
def test_cells_are_read_as_they_stand_or_refused(folder: Path, content: bytes) -> None:
    path = folder / "cells.csv"
    path.write_bytes(content)
    try:
        cells = read_files([path], MOST_BYTES).frame
    except InputError:
        return
    assert len(cells) >= 1
    text = content.decode("utf-8-sig")
    for name in cells.columns:
        for value in set(cells[name].astype(str)):
            assert value.replace('"', "") in text.replace('"', ""), "no cell is made up"
