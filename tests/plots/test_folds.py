"""The timeline shows the part of every row."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from occupancy.plots.colours import PART_COLOURS
from occupancy.plots.folds import timeline
from tests.plots.made_figures import UCI_LIKE, bars, columns, count, covered, cut, days, record


def test_each_lane_shows_what_its_folds_rows_are_for() -> None:
    times = record(*UCI_LIKE)
    folds = cut(times)
    figure = timeline(times, count(times), folds, "Folds")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "validation", "test"]
    for lane, (_, *masks) in enumerate(folds):
        for part, mask in zip(("train", "validation", "test"), masks, strict=True):
            found = [bar for lanes, _ in columns(figure) for bar in bars(lanes, PART_COLOURS[part])]
            spans = [bar for bar in found if bar.y0 < lane < bar.y1]
            np.testing.assert_array_equal(covered(times, spans), mask)


def test_the_first_fold_is_on_top_and_every_lane_has_its_name() -> None:
    times = record(*UCI_LIKE)
    lanes = timeline(times, count(times), cut(times), "Folds").axes[0]
    assert [label.get_text() for label in lanes.get_yticklabels()] == ["forward 1", "forward 2"]
    assert lanes.get_yticks().tolist() == [0, 1]
    assert lanes.yaxis_inverted()


def test_the_counts_lie_below_the_lanes_on_the_same_time_axis() -> None:
    times = record(*UCI_LIKE)
    figure = timeline(times, count(times), cut(times), "Folds")
    drawn: dict[float, float] = {}
    for lanes, axes in columns(figure):
        assert lanes.get_xlim() == axes.get_xlim()
        (line,) = axes.get_lines()
        points = np.column_stack([line.get_xdata(), line.get_ydata()])
        drawn |= {round(x * 86_400): y for x, y in points if np.isfinite(x)}
    assert [drawn[round(day * 86_400)] for day in days(times)] == count(times).tolist()


@settings(max_examples=settings().max_examples // 2)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([30, 61, 120, 121, 1_532, 86_452])), min_size=1, max_size=30))
def test_bars_cover_the_rows_of_a_part_and_no_others(rows: list[tuple[bool, int]]) -> None:
    seconds = np.cumsum([step for _, step in rows])
    times = pd.Timestamp("2017-12-22") + pd.to_timedelta(seconds, unit="s")
    mask = np.array([chosen for chosen, _ in rows])
    nothing = np.zeros(len(rows), bool)
    figure = timeline(times, nothing.astype(np.int64), [("fold 1", mask, nothing, ~mask)], "Folds")
    for part, expected in (("train", mask), ("test", ~mask)):
        spans = [bar for lanes, _ in columns(figure) for bar in bars(lanes, PART_COLOURS[part])]
        np.testing.assert_array_equal(covered(times, spans), expected)
