"""Every figure has a title and labels that can be read."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from occupancy.plots.folds import timeline
from occupancy.plots.prediction import confusion, predictions
from occupancy.plots.training import learning_curves
from tests.drawn import boxes, overlapping, texts
from tests.plots.made_figures import UCI_LIKE, count, cut, predict, record, show, train

FIGURES = {
    "predictions": lambda: show(record(*UCI_LIKE)),
    "predictions of one row": lambda: show(record(("2017-12-22 10:50", 1))),
    "timeline": lambda: timeline(
        record(*UCI_LIKE), count(record(*UCI_LIKE)), cut(record(*UCI_LIKE)), "Folds of the scheme forward"
    ),
    "confusion": lambda: confusion(np.array([0, 1, 2]), np.array([0, 1, 1]), 4, "LSTM, fold 1"),
    "learning curves": lambda: learning_curves(train(3, 50), 27),
    "learning curves of one epoch": lambda: learning_curves(train(1, 1), 1),
}
every_figure = pytest.mark.parametrize("name", FIGURES)


@every_figure
def test_every_figure_has_a_title_and_a_label_on_every_outer_axis(name: str) -> None:
    figure = FIGURES[name]()
    assert figure.get_suptitle()
    places = [(axes, place) for axes in figure.axes if (place := axes.get_subplotspec())]
    for axes, place in places:
        if place.is_first_col():
            assert axes.get_ylabel() or [label.get_text() for label in axes.get_yticklabels()] == ["wrong"]
    assert any(axes.get_xlabel() for axes, place in places if place.is_last_row())


@every_figure
def test_texts_are_large_enough_inside_the_figure_and_not_on_one_another(name: str) -> None:
    figure = FIGURES[name]()
    found = texts(figure)
    assert min(float(text.get_fontsize()) for text in found) >= 9
    drawn = boxes(figure, found)
    assert not overlapping(drawn)
    assert min(min(box.x0, box.y0) for box in drawn) >= 0
    assert max(box.x1 for box in drawn) <= figure.bbox.x1
    assert max(box.y1 for box in drawn) <= figure.bbox.y1


@every_figure
def test_the_legend_lies_outside_the_axes_and_off_their_labels(name: str) -> None:
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    if name == "confusion":
        assert not figure.legends  # the numbers are in the cells
        return
    (legend,) = figure.legends
    outer = [box for axes in figure.axes if (box := axes.get_tightbbox())]
    assert len(outer) == len(figure.axes)
    assert not [box for box in outer if box.overlaps(legend.get_window_extent())]


def test_a_long_title_is_wrapped_and_stays_inside() -> None:
    times = record(("2017-12-22", 10))
    figure = predictions(predict(times, count(times)), count(times), "a mixture of many models " * 10)
    (box,) = boxes(figure, [text for text in figure.texts if text.get_text() == figure.get_suptitle()])
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


def test_pyplot_is_not_imported() -> None:
    code = "import sys; from occupancy.plots import prediction, training; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
