from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from occupancy.comparison.dots import fold_dots
from occupancy.plots.colours import LABELS

SHARES = pd.DataFrame({1: [0.9, 0.5], 2: [0.9, 0.7], 3: [0.6, np.nan]}, index=["one", "a name too long for one line"])


def drawn(figure: Figure) -> Figure:
    figure.savefig(io.BytesIO(), dpi=50)  # a warning of the layout would be an error
    return figure


def test_each_model_has_a_bar_to_its_mean_and_a_dot_for_each_fold() -> None:
    (axes,) = drawn(fold_dots(SHARES, "Folds differ", "share of rows", 0.9)).axes
    assert [patch.get_width() for patch in axes.patches] == pytest.approx([0.8, 0.6])  # type: ignore[attr-defined]
    lines = {line.get_label(): line for line in axes.lines}
    for place, fold in enumerate(SHARES.columns):
        line = lines[f"fold {fold}"]
        np.testing.assert_array_equal(np.asarray(line.get_xdata(), dtype=float), SHARES[fold])
        assert to_hex(line.get_color()).upper() == LABELS[place]
    assert set(np.asarray(lines["asked for: 0.9"].get_xdata())) == {0.9}
    assert axes.get_xlabel() == "share of rows"
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first is on top"
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["one", "a name too long for one\nline"]


def test_no_dot_hides_another_one_and_each_stays_in_its_models_row() -> None:
    (axes,) = drawn(fold_dots(SHARES, "Folds differ", "share of rows")).axes
    heights = np.array([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])  # (folds, models)
    assert (np.diff(heights, axis=0) > 0.1).all()
    assert (np.abs(heights - np.arange(len(SHARES))) < 0.5).all()
    assert "asked" not in str([line.get_label() for line in axes.lines])


def test_the_figure_grows_with_its_rows() -> None:
    few, many = (fold_dots(pd.concat([SHARES] * times), "t", "x").get_size_inches()[1] for times in (1, 4))
    assert few < many


def test_without_any_model_the_figure_is_empty() -> None:
    (axes,) = drawn(fold_dots(SHARES.iloc[:0], "Folds differ", "share of rows", 0.9)).axes
    assert not axes.patches
