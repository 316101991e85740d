"""The reference of the configuration in docs/: it is what the types say, and the types say everything."""

from __future__ import annotations

import re
import runpy
from typing import Annotated

import pytest
from pydantic import Field

from occupancy.config import Section
from occupancy.config.keys import known_keys
from tests.kinds import MODELS
from tests.places import ROOT

DOCS = ROOT / "docs"
GENERATOR = runpy.run_path(str(DOCS / "reference.py"))
PAGE = (DOCS / "configuration.md").read_text(encoding="utf-8")


def test_the_reference_is_what_the_types_say_and_python_docs_reference_py_writes_it() -> None:
    assert GENERATOR["reference"]() + "\n" == PAGE, "the page is stale; run: python docs/reference.py"
    assert GENERATOR["PAGE"] == DOCS / "configuration.md"


def test_the_table_of_kinds_is_what_the_code_says() -> None:
    page = (DOCS / "your_own_data.md").read_text(encoding="utf-8")
    assert GENERATOR["with_kinds"](page) == page, "the page is stale; run: python docs/reference.py"
    assert "| `co2` | ppm (250 to 20,000)" in page


def test_the_reference_has_every_key_and_no_other() -> None:
    of_a_config = PAGE.partition("## A schema file")[0]
    listed = set(re.findall(r"^#### `([^`]+)`$", of_a_config, re.MULTILINE))
    known = {key for name in MODELS for key in known_keys(tree={"model": {"name": name}})}
    sections = {"data", "data.simulation", "data.simulation.room", "model", "train", "tracking"}
    assert listed == known - sections - {"model.name"}
    assert re.findall(r"^### `model.name: (\w+)`$", PAGE, re.MULTILINE) == MODELS


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", "whole number ≥ 0 and ≤ 9,223,372,036,854,775,807. Default: `0`."),
        ("data.schema", "text of at most 4,096 characters. Default: `uci`."),
        ("data.time_format", "text of at most 200 characters or `null`. Default: `null`."),
        ("data.simulation.room.co2_mixing_share", "number ≥ 0 and < 1. Default: `0.03`."),
        ("model.trees", "whole number ≥ 1 and ≤ 10,000. Default: `300`."),
        (
            "train.epoch_choices",
            "list of 1 to 100 (whole number ≥ 1 and ≤ 100,000) or `null`. Default: `null`.",
        ),
        ("train.refit", "`true` or `false`. Default: `true`."),
        ("name", "text of 1 to 200 characters."),
        ("columns", "list of 1 to 5,000 (see below)."),
        ("folds[].test", "list of 1 to 10,000 (pair of times)."),
    ],
)
def test_the_reference_says_in_words_what_a_key_takes_and_its_default(key: str, value: str) -> None:
    entries = re.findall(rf"^#### `{re.escape(key)}`\n\n.+\n\n(Value: .+)$", PAGE, re.MULTILINE)
    assert f"Value: {value}" in entries


def test_no_line_of_the_reference_is_a_table_which_a_telephone_would_cut() -> None:
    assert "|" not in PAGE


def test_a_key_without_a_text_under_its_field_is_refused() -> None:
    class Bare(Section):
        """A section."""

        told: int = 1
        """What it means."""
        untold: Annotated[int, Field(ge=0)] = 1

    with pytest.raises(AssertionError, match=r"^train\.untold has no text under its field"):
        GENERATOR["_section"]("train.", Bare)


def test_a_section_without_a_text_is_refused() -> None:
    class Mute(Section):
        pass

    Mute.__doc__ = None
    with pytest.raises(AssertionError, match="a section has no text"):
        GENERATOR["_section"]("", Mute)
