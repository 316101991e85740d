"""The three files as text."""

from __future__ import annotations

import pandas as pd
import yaml

from occupancy.config.parsing import resolve
from occupancy.data.folds import Scheme
from occupancy.data.schema import Column as SchemaColumn
from occupancy.data.schema import Schema
from occupancy.setup.columns import Column
from occupancy.setup.documents import schema_text, scheme_tree

ODD = ("CO₂ (ppm), desk: 1", "on", "# 7", "it's", "a\u2028b".replace("\u2028", "'"), "null", "12")


def test_a_schema_with_odd_names_is_read_back_as_it_was() -> None:
    columns = [SchemaColumn(name=name, kind="other", unit="°C") for name in ODD]
    schema = Schema(
        name="room",
        time=["Date: x"],
        columns=columns,
        count="people",
        labels={"on": 1, "off": 0, "3+": 3},
        ignore=["temp [C]", "no", "light_*"],
    )
    said = [Column(name, "sensor", "other", "°C", "a reason\nof two lines # and a sign") for name in ODD]
    assert resolve(Schema, yaml.safe_load(schema_text(schema, said)), "test") == schema


def test_comments_say_why_and_what_to_check() -> None:
    schema = Schema(name="r", time=["t"], columns=[SchemaColumn(name="x", kind="co2", unit="ppm")], count="n")
    text = schema_text(schema, [Column("x", "sensor", "co2", "ppm", "name: co2", "it may be outdoors")])
    assert "# name: co2; CHECK: it may be outdoors" in text


def test_folds_are_read_back_with_their_moments() -> None:
    start, noon, end = (pd.Timestamp(text) for text in ("2024-01-01", "2024-01-01 12:30:05", "2024-01-02"))
    parts = {"train": [(start, noon)], "validation": [(start, noon)], "test": [(noon, end)]}
    scheme = resolve(Scheme, scheme_tree("room", [parts]), "test")
    assert (scheme.log, scheme.folds[0].test) == ("room", [[noon, end]])
