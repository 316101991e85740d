"""What the figures of an explanation show, and that no text lies on another."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from occupancy.explanation import figures
from occupancy.explanation.importance import F1, F1_STD, KIND, MSE, MSE_STD, SENSOR
from occupancy.explanation.moment import Moment
from tests.drawn import bars, boxes, overlapping, points, texts
from tests.explanation.made_models import SCHEMA, certain

TITLE = "a_long_name_of_an_experiment, fold 3 of forward: how much worse the model counts"
TABLE = pd.DataFrame(
    [
        ("temperature", "", 0.1, 0.05, -0.1, 0.02),
        ("temperature", "east", -0.02, 0.01, 0.0, 0.0),
        ("temperature", "west", 0.08, 0.03, 0.1, 0.01),
        ("co2", "", 0.5, 0.02, 0.2, 0.01),
        ("co2", "air", 0.5, 0.02, 0.2, 0.01),
        ("motion", "", 0.0, 0.0, 0.0, 0.0),
        ("motion", "door", 0.0, 0.0, 0.0, 0.0),
    ],
    columns=[KIND, SENSOR, MSE, MSE_STD, F1, F1_STD],
)
MOMENT = Moment(
    time=pd.Timestamp("2024-01-01 10:00:30"),
    background=0.5,
    prediction=1.6,
    contributions={"temperature": -0.4, "co2": 1.5, "motion": 0.0},
    readings={
        "temperature": {"east": 21.25, "west": np.nan},
        "co2": {"air": 812.0, "rise": -0.5},
        "motion": {"door": 1.0},
    },
    drawn=pd.DatetimeIndex(["2024-01-01"] * 16),
    history_s=762.5,
)
COUNTED = certain(pd.DatetimeIndex([MOMENT.time]), np.array([1.6]))
SOURCE = "the rows that the model learned from"


def names(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def all_texts(figure: Figure) -> list[str]:
    title = figure.get_suptitle().replace("\n", " ").replace("\xa0", " ")
    return [title, *(text.get_text() for text in texts(figure))]


def assert_legible(figure: Figure) -> None:
    found = boxes(figure, texts(figure))
    assert not overlapping(found)
    width, height = figure.canvas.get_width_height()
    assert all(box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1 for box in found)


def of_folds(count: int) -> pd.DataFrame:
    return pd.concat([TABLE.assign(fold=fold, **{MSE: TABLE[MSE] * fold}) for fold in range(1, count + 1)])


def test_the_kind_that_is_missed_most_comes_first_and_a_kinds_only_sensor_is_named_in_its_row() -> None:
    figure = figures.importance(TABLE, TITLE)
    assert names(figure) == ["co2: air", "temperature", "west", "east", "motion: door"]
    lowest, highest = figure.axes[0].get_ylim()
    assert lowest > highest, "the first is on top"


def test_bars_are_kinds_and_dots_are_sensors_in_both_scores() -> None:
    figure = figures.importance(TABLE, TITLE)
    for axes, column in zip(figure.axes, (MSE, F1), strict=True):
        values = TABLE.set_index([KIND, SENSOR])[column]
        kinds = [values.loc[(kind, "")] for kind in ("co2", "temperature", "motion")]
        assert [bar.get_width() for bar in bars(axes)] == pytest.approx(kinds)
        dots = next(line for line in axes.lines if line.get_label() == "single sensor")
        assert points(dots)[0].tolist() == [values.loc[("temperature", name)] for name in ("west", "east")]


def test_that_a_model_does_better_without_a_sensor_is_said_where_it_is_so() -> None:
    better = "left of 0: better with readings from other times"
    figure = figures.importance(TABLE, TITLE)
    assert all(better in axes.get_xlabel() for axes in figure.axes)
    positive = TABLE.assign(**{MSE: TABLE[MSE].abs(), F1: TABLE[F1].abs()})
    assert not any(better in axes.get_xlabel() for axes in figures.importance(positive, TITLE).axes)


def test_over_folds_a_bar_is_the_mean_and_each_fold_has_its_dots() -> None:
    figure = figures.importance_over_folds(of_folds(3), TITLE)
    axes = figure.axes[0]
    values = TABLE.set_index([KIND, SENSOR])[MSE]
    order = [("co2", ""), ("temperature", ""), ("temperature", "west"), ("temperature", "east"), ("motion", "")]
    for fold in (1, 2, 3):
        dots = next(line for line in axes.lines if line.get_label() == f"fold {fold}")
        assert points(dots)[0].tolist() == pytest.approx([values[place] * fold for place in order])
    means = sorted(bar.get_width() for bar in bars(axes))
    assert means == pytest.approx(sorted(2 * values[place] for place in order))


@pytest.mark.parametrize("folds", [1, 4, 8])
def test_no_text_lies_on_another_one(folds: int) -> None:
    assert_legible(figures.importance(TABLE, TITLE))
    assert_legible(figures.importance_over_folds(of_folds(folds), TITLE))


def test_a_moment_leads_by_a_bar_a_kind_from_the_background_to_the_prediction() -> None:
    figure = figures.moment(MOMENT, SCHEMA, "den", COUNTED, 2, SOURCE)
    (axes,) = figure.axes
    from_zero, steps = bars(axes)[:2], bars(axes)[2:]
    assert [bar.get_width() for bar in from_zero] == pytest.approx([0.5, 1.6])
    drawn = [(bar.get_x(), bar.get_width()) for bar in steps]
    assert drawn == [pytest.approx((0.5, 1.5)), pytest.approx((2.0, -0.4))], "the one that adds, the one that takes"
    assert_legible(figure)


def test_a_moment_says_what_was_counted_what_was_true_and_what_was_read() -> None:
    title, *said = all_texts(figures.moment(MOMENT, SCHEMA, "den", COUNTED, 2, SOURCE))
    assert title == (
        "den, 2024-01-01 10:00:30: count 2 (predicted mean 1.60), true count 2. What each kind of sensor adds to the "
        "predicted mean"
    )
    said = [text.replace("\xa0", " ") for text in said]
    assert said.index("co2") + 1 == said.index("air 812 ppm, rise -0.5 ppm per sample")
    assert said.index("temperature (degC)") + 1 == said.index("east 21.25, west none")
    assert said.index("motion (0 or 1)") + 1 == said.index("door 1")
    assert {"0.50", "+1.50", "-0.40", "+0.00", "1.60", "true count", "as above, and the 762.5 s before them"} <= set(
        said
    )
    assert "mean over 16 stretches of the rows that" in said


def test_an_empty_room_is_seen_to_be_the_truth() -> None:
    (axes,) = figures.moment(MOMENT, SCHEMA, "den", COUNTED, 0, SOURCE).axes
    truth = next(line for line in axes.lines if line.get_label() == "true count")
    assert axes.get_xlim()[0] < points(truth)[0][0] == 0


def test_without_a_truth_none_is_shown() -> None:
    said = all_texts(figures.moment(MOMENT, SCHEMA, "den", COUNTED, None, SOURCE))
    assert not any("true count" in text for text in said)


def test_a_prediction_that_differs_among_all_rows_of_the_log_is_told() -> None:
    counted = dataclasses.replace(COUNTED, mean=np.array([1.9]))
    title, *said = all_texts(figures.moment(MOMENT, SCHEMA, "den", counted, 2, SOURCE))
    assert "count 2 (predicted mean 1.90)" in title
    assert "; 1.90 among all rows of the log" in " ".join(said)


def test_a_moment_of_many_sensors_with_long_names_is_legible() -> None:
    readings = {"temperature": {f"north_east_corner_{number}_temperature": 20.0 + number for number in range(9)}}
    columns = [SCHEMA.columns[0].model_copy(update={"name": name}) for name in readings["temperature"]]
    schema = SCHEMA.model_copy(update={"columns": columns})
    moment = dataclasses.replace(MOMENT, contributions={"temperature": 1.1}, readings=readings, history_s=0.0)
    figure = figures.moment(moment, schema, "a_long_name_of_an_experiment, fold 3 of forward", COUNTED, 0, SOURCE)
    assert "as above" in all_texts(figure)
    assert_legible(figure)
