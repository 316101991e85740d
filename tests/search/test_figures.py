from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from occupancy.config.search import Range
from occupancy.plots.colours import ORANGE
from occupancy.search.figures import draw
from occupancy.search.grid import Grid
from occupancy.search.request import load_search
from occupancy.search.space import Point
from tests.drawn import bars, boxes, overlapping, points, texts
from tests.places import ROOT

CRF = ROOT / "configs" / "grids" / "crf.yaml"


def scored(grid: Grid) -> pd.DataFrame:
    """Return scores of two folds that the learning rate decides alone, but for the first trial, which failed."""
    rates = [0.1 - 50 * trial.setting["train.learning_rate"] for trial in grid.trials]
    scores = pd.DataFrame({1: rates, 2: rates}, index=[trial.number for trial in grid.trials])
    scores.loc[1, 2] = np.nan
    return scores


def drawn(*overrides: str) -> tuple[Grid, dict[str, Figure]]:
    grid = load_search(CRF, overrides)
    assert isinstance(grid, Grid)
    return grid, draw(points_of(grid, scored(grid)), grid.space.search.over, "mse", "crf on forward")


def points_of(grid: Grid, scores: pd.DataFrame) -> list[Point]:
    return grid.points({(trial.number, fold): trial for trial in grid.trials for fold in (1, 2)}, scores)


def test_a_box_for_each_value_holds_the_mean_over_folds_of_each_trial_that_failed_nowhere() -> None:
    grid, figures = drawn()
    panels = figures["boxes"].axes
    assert [axes.get_xlabel() for axes in panels] == list(grid.space.search.over)
    assert [label.get_text() for label in panels[0].get_xticklabels()] == [
        "32",
        "64",
        "128",
        "64-32",
        "128-64",
        "64-32-16",
    ]
    assert panels[0].get_ylabel() == "validation mse, mean of folds (people²)"
    (places, scores) = next(points(line) for line in panels[1].lines if line.get_marker() == ".")
    dots = [scores[places.round() == place] for place in range(4)]
    expected = [0.1 - 50 * rate for rate in grid.space.search.over["train.learning_rate"]]
    assert [len(values) for values in dots] == [23, 24, 24, 24]
    for values, score in zip(dots, expected, strict=True):
        np.testing.assert_allclose(values, score)


def test_a_line_for_each_trial_passes_all_its_values_and_ends_at_its_score() -> None:
    _, figures = drawn()
    axes, _ = figures["parallel"].axes
    lines = [points(line) for line in axes.lines if len(line.get_xdata()) == 4]  # type: ignore[arg-type]
    assert len(lines) == 95
    ends = sorted({round(y[-1], 9) for _, y in lines})
    assert (ends[0], ends[-1], len(ends)) == (0, 1, 4)
    shown = {text.get_text() for text in texts(figures["parallel"])}
    assert shown >= {"64-32-16", "0.0007", "25", "model.sequence", "score"}


def test_what_decides_the_score_alone_is_all_that_matters() -> None:
    _, figures = drawn()
    (axes,) = figures["importance"].axes
    widths = [bar.get_width() for bar in bars(axes)]
    shares = dict(zip([label.get_text() for label in axes.get_yticklabels()], widths, strict=True))
    assert next(iter(shares)) == "train.learning_rate"
    assert shares["train.learning_rate"] == pytest.approx(1, abs=0.02)
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("name", ["boxes", "parallel", "importance"])
def test_no_text_lies_on_another(name: str) -> None:
    figure = drawn()[1][name]
    figure.canvas.draw()
    shown = texts(figure)
    if name == "parallel":  # both of its axes, one upon the other, own the texts below
        shown = [text for text in shown if text not in figure.axes[1].get_xticklabels()]
    assert not overlapping(boxes(figure, shown))


def test_of_few_or_equal_trials_nobody_is_told_what_matters() -> None:
    few = drawn("search.over.model.hidden=[[32]]", "search.over.model.sequence=[10]")[1]
    assert few.keys() == {"boxes", "parallel"}
    equal = drawn("search.over.train.learning_rate=[1e-3]")[1]
    assert equal.keys() == {"boxes", "parallel"}


def test_of_no_trial_at_all_nothing_is_drawn() -> None:
    assert draw([], {"model.window": [1]}, "mse", "crf") == {}


RANGES: dict[str, list[Any] | Range] = {
    "model.layers": Range(low=1, high=3),
    "model.hidden": [[8], [32, 16]],
    "train.learning_rate": Range(low=3e-4, high=2e-2, log=True),
}


def by_fold() -> list[Point]:
    """Return trials of two folds, the second of them harder, whose scores the learning rate decides alone."""
    draw_from, found = np.random.default_rng(0), []
    for place in range(60):
        rate = float(np.exp(draw_from.uniform(np.log(3e-4), np.log(2e-2))))
        setting = {"model.layers": int(draw_from.integers(1, 4)), "model.hidden": [[8], [32, 16]][place % 2]}
        fold = place % 3 // 2 + 1
        found.append(Point(setting | {"train.learning_rate": rate}, fold - np.log10(rate), fold))
    return found


def test_trials_of_single_folds_are_drawn_against_the_median_of_their_fold() -> None:
    found = by_fold()
    figures = draw(found, RANGES, "mse", "lstm on forward")
    layers, hidden, rates = figures["boxes"].axes
    assert (rates.get_xscale(), layers.get_ylabel()) == ("log", "validation mse, less its fold's median (people²)")
    assert [text.get_text() for text in figures["boxes"].legends[0].get_texts()] == ["fold 1", "fold 2"]
    for fold, line in zip((1, 2), (line for line in rates.lines if line.get_marker() == "."), strict=True):
        own = [point for point in found if point.fold == fold]
        x, y = points(line)
        np.testing.assert_allclose(x, [point.setting["train.learning_rate"] for point in own])
        np.testing.assert_allclose(y, -np.log10(x) - np.median(-np.log10(x)))
    assert [label.get_text() for label in hidden.get_xticklabels()] == ["8", "32-16"]
    lines = [line for line in figures["parallel"].axes[0].lines if len(points(line)[0]) == 4]
    assert sum(line.get_color() == ORANGE for line in lines) == 2  # the best of each fold
    heights = [points(line)[1] for line in lines]
    assert {round(float(height[0]), 9) for height in heights} == {0, 0.5, 1}
    assert all(0 <= height[2] <= 1 for height in heights)
    bar = bars(figures["importance"].axes[0])[0]
    assert bar.get_width() == pytest.approx(1, abs=0.1)
    assert figures["importance"].axes[0].get_yticklabels()[0].get_text() == "train.learning_rate"


@pytest.mark.parametrize("name", ["boxes", "parallel", "importance"])
def test_no_text_of_ranges_lies_on_another(name: str) -> None:
    figure = draw(by_fold(), RANGES, "mse", "lstm on forward")[name]
    figure.canvas.draw()
    shown = texts(figure)
    if name == "parallel":
        shown = [text for text in shown if text not in figure.axes[1].get_xticklabels()]
    assert not any("mathdefault" in text.get_text() for text in shown)
    assert not overlapping(boxes(figure, shown))
