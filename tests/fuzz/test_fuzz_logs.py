"""Spoiled logs through the commands that read them: the right values, or one clean line."""

from __future__ import annotations

import codecs
import contextlib
import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.config import Data
from occupancy.data.__main__ import main as data
from occupancy.data.reading import read_files
from occupancy.data.reading.content import MOST_BYTES
from occupancy.data.schema import Column, Schema
from occupancy.data.table import validate_cells
from occupancy.errors import InputError
from tests.fuzz.changes import LONGEST_S, ended, spoiled_file

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


@given(spoiled_file(LOG, ","), st.sampled_from(["refuse", "hold", "keep"]))
def test_a_spoiled_log_is_described_with_finite_numbers_or_refused_in_a_line(
    folder: Path, content: bytes, missing: str
) -> None:
    path = folder / "log.csv"
    path.write_bytes(content)
    end = ended(data, f"source={path}", f"schema={folder / 'office.yaml'}", f"missing={missing}", "--json")
    if end.code == 0:
        told = json.loads(end.output)
        assert 1 <= told["rows"] <= 200
        assert sum(told["labels"].values()) + told["unlabelled"] == told["rows"]
        numbers = [column[what] for column in told["columns"] for what in ("min", "mean", "max")]
        assert all(math.isfinite(number) and abs(number) < 2e19 for number in numbers)
    else:
        assert str(path) in end.errors or "data.source" in end.errors


def _at(minute: int) -> str:
    return f"2024-01-01T{8 + minute // 60:02d}:{minute % 60:02d}:00"


KINDS: dict[str, tuple[list[str], str]] = {
    "clean": (LOG, ","),
    "of a spreadsheet": (
        ["sep=;", "at;air;moved;warm;people", ";ppm;;°C;"]
        + [
            f"01.01.2024 {8 + n // 60:02d}:{n % 60:02d};1.{400 + n};{n % 2};{20 + n / 50:.2f};{n // 30}".replace(
                ".2", ",2"
            )
            for n in range(90)
        ]
        + ["Mittelwert;1.444;0;21,0;1"],
        ";",
    ),
    "of Home Assistant": (
        ["entity_id,state,last_changed"]
        + [f"sensor.air,{400 + n},{_at(n)}.000Z" for n in range(45)]
        + [f"binary_sensor.moved,{'on' if n % 2 else 'off'},{_at(n)}.500Z" for n in range(45)]
        + [f"sensor.air,unavailable,{_at(50)}Z"],
        ",",
    ),
    "of InfluxDB": (
        [
            "#group,false,false,true,false,true",
            "#datatype,string,long,dateTime:RFC3339,double,string",
            "#default,_result,,,,",
        ]
        + [",result,table,_time,_value,_field"]
        + [f",,0,{_at(n)}Z,{400 + n},air" for n in range(45)]
        + ["", ",result,table,_time,_value,_field"]
        + [f",,1,{_at(n)}Z,{n % 2},moved" for n in range(45)],
        ",",
    ),
    "of R, over a change of clocks": (
        ['"at"\t"air"\t"moved"\t"people"']
        + [
            f'"{n}"\t"2024-10-27 {1 + n // 60 - (n >= 120):02d}:{n % 60:02d}"\t{400 + n}\t{n % 2}\t0'
            for n in range(150)
        ],
        "\t",
    ),
}
OFFICE = Schema(
    name="office",
    time=["at"],
    columns=[
        Column(name="air", kind="co2", unit="ppm"),
        Column(name="moved", kind="motion", unit="0 or 1"),
        Column(name="warm", kind="temperature", unit="degC", optional=True),
    ],
    count="people",
)


@given(
    st.sampled_from([*KINDS]).flatmap(lambda kind: spoiled_file(*KINDS[kind])), st.sampled_from([None, "Europe/Berlin"])
)
def test_a_spoiled_file_of_any_kind_is_read_or_refused_in_time(folder: Path, content: bytes, zone: str | None) -> None:
    path = folder / "any.csv"
    path.write_bytes(content)
    begun = time.monotonic()
    with contextlib.suppress(InputError):
        cells = read_files([path], MOST_BYTES, zone)
        assert len(cells.frame) == len(cells.rows) >= 1
        assert (np.diff(np.unique(cells.rows)) > 0).all()
        validate_cells(cells, OFFICE, Data(source=str(path), schema="office.yaml", time_zone=zone), labelled=False)
    assert time.monotonic() - begun < LONGEST_S


@given(st.lists(spoiled_file(LOG, ","), min_size=2, max_size=3), st.sampled_from([None, "Europe/Berlin"]))
def test_spoiled_files_are_put_together_or_refused(folder: Path, contents: list[bytes], zone: str | None) -> None:
    paths = [folder / f"part_{number}.csv" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    with contextlib.suppress(InputError):
        cells = read_files(paths, MOST_BYTES, zone)
        assert all(cells.label(place).endswith(".csv") for place in range(len(cells.frame)))


@given(spoiled_file(LOG, ","))
def test_cells_are_read_as_they_stand_or_refused(folder: Path, content: bytes) -> None:
    path = folder / "cells.csv"
    path.write_bytes(content)
    try:
        cells = read_files([path], MOST_BYTES).frame
    except InputError:
        return
    assert len(cells) >= 1
    text = content.decode("utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig")
    for name in cells.columns:
        for value in set(cells[name].astype(str)):
            assert set(value) - {'"'} <= {*text, "."}, "no cell is made up, but for the form of its numbers"
