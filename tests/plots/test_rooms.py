"""The figure of many rooms names all of a few, and the worst of many."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from occupancy.plots import rooms


def table_of(number: int) -> pd.DataFrame:
    mse = np.random.default_rng(0).gamma(4, 0.02, number)
    return pd.DataFrame({"room": [f"room_{place}" for place in range(number)], "rows": 9, "mse": mse})


@pytest.mark.parametrize("number", [1, 5, 40])
def test_few_rooms_are_each_named_beside_their_dots(number: int) -> None:
    table = table_of(number)
    dots, bars = rooms.draw(table, "rooms").axes
    assert [label.get_text() for label in dots.get_yticklabels()] == table.sort_values("mse")["room"].tolist()
    assert sum(bar.get_height() for bar in bars.patches) == number  # type: ignore[attr-defined]


def test_of_many_rooms_the_worst_are_named() -> None:
    table = table_of(200)
    dots, _ = rooms.draw(table, "rooms").axes
    (text,) = dots.texts
    assert [line.split()[0] for line in text.get_text().split("\n")[1:]] == table.nlargest(5, "mse")["room"].tolist()
    np.testing.assert_array_equal(dots.lines[0].get_xdata(), np.sort(table["mse"]))
