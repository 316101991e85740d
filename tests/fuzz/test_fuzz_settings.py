"""Spoiled configs, schemas and fold files: settings that are within their bounds, or one clean line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from occupancy.config.parsing import load_config
from occupancy.data.folds import cut, load_scheme
from occupancy.data.log import Log
from occupancy.data.schema import load_schema
from occupancy.errors import CONTROL, InputError
from tests.fuzz.changes import TOKENS, spoiled_file
from tests.fuzz.test_fuzz_logs import SCHEMA
from tests.places import ROOT

CONFIGS = [path.read_text().splitlines() for path in sorted((ROOT / "configs").glob("*.yaml"))]
FOLDS = (ROOT / "data" / "folds" / "simulated.yaml").read_text().splitlines()
Read = TypeVar("Read")
KEYS = [
    "seed",
    "data.max_count",
    "data.max_gap",
    "model.name",
    "model",
    "train.max_epochs",
    "features",
    "train.members",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings")


def numbers_of(tree: Any) -> Iterator[float]:
    if isinstance(tree, dict):
        yield from (number for value in tree.values() for number in numbers_of(value))
    elif isinstance(tree, list):
        yield from (number for value in tree for number in numbers_of(value))
    elif isinstance(tree, int | float):
        yield tree


def read(how: Callable[[], Read]) -> Read | None:
    """Return what is read, or None if it is refused by one clean line."""
    try:
        return how()
    except InputError as error:
        said = str(error)
    assert len(said) <= 2_000
    assert CONTROL.search(said) is None
    return None


@given(st.one_of(*(spoiled_file(lines, ":") for lines in CONFIGS)))
def test_a_spoiled_config_has_finite_settings_or_is_refused_in_a_line(folder: Path, content: bytes) -> None:
    path = folder / "config.yaml"
    path.write_bytes(content)
    config = read(lambda: load_config(path))
    if config is None:
        return
    assert all(math.isfinite(number) for number in numbers_of(config.shown()))
    again = folder / "again.yaml"
    again.write_text(config.to_yaml(), encoding="utf-8")
    assert load_config(again) == config


@given(st.lists(st.tuples(st.sampled_from(KEYS), TOKENS), min_size=1, max_size=3))
def test_a_spoiled_override_gives_a_setting_or_is_refused_in_a_line(given: list[tuple[str, str]]) -> None:
    overrides = [f"{key}={value}" for key, value in given]
    config = read(lambda: load_config(ROOT / "configs" / "smoke.yaml", overrides))
    assert config is None or all(math.isfinite(number) for number in numbers_of(config.shown()))


@given(spoiled_file(SCHEMA.splitlines(), ":"))
def test_a_spoiled_schema_names_columns_or_is_refused_in_a_line(folder: Path, content: bytes) -> None:
    path = folder / "schema.yaml"
    path.write_bytes(content)
    schema = read(lambda: load_schema(str(path)))
    if schema is None:
        return
    names = [*schema.time, *schema.sensors, schema.count]
    assert len(set(names)) == len(names)


@given(spoiled_file(FOLDS, '"'))
def test_spoiled_folds_cut_rows_into_parts_apart_or_are_refused_in_a_line(
    folder: Path, simulated_log: Log, content: bytes
) -> None:
    path = folder / "folds.yaml"
    path.write_bytes(content)
    for fold in read(lambda: cut(simulated_log, load_scheme(str(path)))) or []:
        assert (fold.train.astype(int) + fold.validation + fold.test).max() == 1
        assert fold.train.any()
        assert fold.test.any()
