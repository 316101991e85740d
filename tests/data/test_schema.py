from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from occupancy.data.schema import UCI, Column, Schema, load_schema
from occupancy.errors import InputError

Write = Callable[[dict[str, Any] | str], Path]


def described(**changes: Any) -> dict[str, Any]:
    columns = [
        {"name": "air", "kind": "co2", "unit": "ppm"},
        {"name": "trend", "kind": "co2_slope", "unit": "ppm per sample", "slope_of": "air", "slope_span_s": 600.0},
        {"name": "door", "kind": "other", "unit": "0 or 1", "optional": True},
    ]
    schema = {"name": "office", "time": ["at"], "time_format": "%Y-%m-%d %H:%M", "columns": columns, "count": "people"}
    return {**schema, **changes}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: dict[str, Any] | str) -> Path:
        path = tmp_path / "office.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


def test_the_built_in_schema_lists_the_columns_of_the_real_file_in_order(uci_path: Path) -> None:
    header = uci_path.read_text().splitlines()[0].split(",")
    assert header == [*UCI.time, *UCI.sensors, UCI.count]
    assert load_schema("uci") is UCI


def test_the_built_in_schema_knows_kinds_and_what_a_room_may_lack() -> None:
    kinds = {kind: len(UCI.of_kind(kind)) for kind in ("temperature", "light", "sound", "co2", "co2_slope", "motion")}
    assert kinds == {"temperature": 4, "light": 4, "sound": 4, "co2": 1, "co2_slope": 1, "motion": 2}
    assert {column.name for column in UCI.columns if column.optional} == {
        "S1_Light", "S2_Light", "S3_Light", "S4_Light", "S5_CO2_Slope",
    }  # fmt: skip


def test_columns_of_several_kinds_come_in_the_order_of_the_file() -> None:
    assert [column.name for column in UCI.of_kind("motion", "co2")] == ["S5_CO2", "S6_PIR", "S7_PIR"]
    assert UCI.of_kind("other") == []


def test_a_yaml_file_describes_another_log(write: Write) -> None:
    schema = load_schema(str(write(described())))
    assert schema.name == "office"
    assert schema.sensors == ["air", "trend", "door"]
    assert schema.columns[1] == Column(
        name="trend", kind="co2_slope", unit="ppm per sample", slope_of="air", slope_span_s=600.0
    )
    assert [column.optional for column in schema.columns] == [False, False, True]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "got an empty file, expected keys with values"),
        (
            described(cuont="n"),
            "unknown key cuont; did you mean count? allowed in the top level: name, time, time_form",
        ),
        (
            described(columns=[{"name": "air", "kind": "co2", "units": "ppm"}]),
            "columns.0.unit is missing; FILE: unknown key columns.0.units; did you mean columns.0.unit? allowed in co",
        ),
        (
            described(columns=[{"name": "air", "kind": "CO2", "unit": "ppm"}]),
            "columns.0.kind: got 'CO2' (str), expected 'temperature', 'light', 'sound', 'co2', 'co2_slope', 'motion'",
        ),
        (described(columns=[]), "columns: got [] (list); list should have at least 1 item after validation, not 0"),
        (described(time="at"), "time: got 'at' (str), expected a valid list"),
        (described(count="air"), "column air is in the schema twice"),
        (
            described(columns=[{"name": "trend", "kind": "co2_slope", "unit": "", "slope_of": "air"}]),
            "columns.0: column trend: got one of slope_of and slope_span_s; give both or neither",
        ),
        (
            described(
                columns=[{"name": "trend", "kind": "co2_slope", "unit": "", "slope_of": "air", "slope_span_s": 9.0}]
            ),
            "column trend: got slope_of 'air', expected one of",
        ),
    ],
)
def test_a_file_that_describes_no_log_is_refused(write: Write, content: dict[str, Any] | str, said: str) -> None:
    path = write(content)
    with pytest.raises(InputError) as caught:
        load_schema(str(path))
    assert str(caught.value).replace(str(path), "FILE").startswith(f"FILE: {said}")


def test_a_name_that_is_no_schema_is_refused() -> None:
    said = "data.schema: got 'uic', which is not a file; expected 'uci' or the path of a YAML file"
    with pytest.raises(InputError, match=f"^{re.escape(said)}$"):
        load_schema("uic")


def test_a_schema_survives_the_way_through_json() -> None:
    assert Schema.model_validate_json(UCI.model_dump_json()) == UCI


def test_ignored_columns_are_known_by_name_or_pattern_and_a_sensor_among_them_is_left_out(write: Write) -> None:
    schema = load_schema(str(write(described(ignore=["light_*", "door", "outdoor"]))))
    assert schema.sensors == ["air", "trend"]
    assert [schema.ignores(name) for name in ("light_1", "outdoor", "door", "air", "lights")] == [True] * 3 + [
        False
    ] * 2
    assert Schema.model_validate_json(schema.model_dump_json()) == schema


@pytest.mark.parametrize(
    ("ignored", "said"),
    [
        (["people"], "ignore matches people, without which no log can be read; remove it there"),
        (["a?"], "ignore matches at, without which no log can be read"),
        (["air", "trend", "door"], "columns"),
        (["air"], "slope_of"),
    ],
)
def test_what_a_log_needs_cannot_be_ignored(write: Write, ignored: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_schema(str(write(described(ignore=ignored))))
