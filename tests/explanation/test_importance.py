"""How much worse a model does with a sensor's readings of another time."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from occupancy.config import Explanation, Kind
from occupancy.errors import InputError
from occupancy.explanation.importance import F1, F1_STD, KIND, MSE, MSE_STD, SENSOR, blocks_of, importance, permuted
from occupancy.explanation.importance import shuffled as shuffled_order
from occupancy.explanation.sensors import groups_of, sensors_of
from tests.explanation.made_models import fold_of, log_of, model

QUICK = Explanation(repeats=3, block_s=600.0)


def table_of(estimator: Any, tested_from: int = 120, settings: Explanation = QUICK) -> pd.DataFrame:
    fold = fold_of(log_of(), tested_from)
    plain = estimator.predict(fold.log.frame.drop(columns="people"), fold.test)
    return importance(estimator, fold, plain, settings).set_index([KIND, SENSOR])


def test_a_column_computed_from_another_moves_with_its_source() -> None:
    log = log_of()
    assert groups_of(log, "no_light") == {
        "temperature": ("east", "west"),
        "co2": ("air", "rise"),
        "motion": ("door",),
    }
    assert sensors_of(log, "all") == {
        "east": ("east",),
        "west": ("west",),
        "air": ("air", "rise"),
        "lamp": ("lamp",),
        "door": ("door",),
    }


@pytest.mark.parametrize("features", [["co2"], ["co2_slope"]])
def test_a_slope_alone_still_rests_on_the_sensor_whose_slope_it_is(features: list[Kind]) -> None:
    assert groups_of(log_of(), features) == {"co2": ("air", "rise")}


def test_blocks_are_cut_by_time_and_end_where_a_recording_does() -> None:
    log = log_of(8, gaps=(5,))
    assert blocks_of(log, np.ones(8, bool), 120.0).tolist() == [0, 0, 1, 1, 2, 3, 3, 4]
    scored = np.arange(8) >= 1  # counted from the first scored row on
    assert blocks_of(log, scored, 120.0).tolist() == [0, 0, 1, 1, 2, 2, 3]


def test_a_single_block_is_refused() -> None:
    with pytest.raises(InputError, match=r"^explanation\.block_s: got 14400, but the test rows from 2024-01-01 02:"):
        blocks_of(log_of(), np.arange(240) >= 120, 14400.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_shuffle_keeps_every_block_whole_and_every_row_once(seed: int) -> None:
    blocks = blocks_of(log_of(130, gaps=(70,)), np.ones(130, bool), 1800.0)
    order = shuffled_order(blocks, np.random.default_rng(seed))
    assert sorted(order) == list(range(130))
    for block in range(blocks[-1] + 1):
        rows = np.flatnonzero(blocks[order] == block)
        assert np.diff(rows).tolist() == [1] * (len(rows) - 1), "it lies together"
        assert np.diff(order[rows]).tolist() == [1] * (len(rows) - 1), "and in its order"


def test_readings_of_the_columns_asked_for_move_together_and_nothing_else_does() -> None:
    log = log_of(100)
    scored = np.arange(100) >= 40
    order = shuffled_order(blocks_of(log, scored, 600.0), np.random.default_rng(0))
    before = log.frame.copy()
    after = permuted(log.frame, ("west", "air"), scored, order)
    pd.testing.assert_frame_equal(log.frame, before, check_exact=True)
    rest = [name for name in log.frame if name not in {"west", "air"}]
    pd.testing.assert_frame_equal(after[rest], before[rest].astype(float), check_exact=True)
    pd.testing.assert_frame_equal(after[~scored], before[~scored].astype(float), check_exact=True)
    moved = before.loc[scored, ["west", "air"]].to_numpy()
    assert not np.array_equal(after.loc[scored, ["west", "air"]].to_numpy(), moved)
    np.testing.assert_array_equal(after.loc[scored, ["west", "air"]].to_numpy(), moved[order])


def test_the_increase_is_that_of_the_labels_error_under_the_shuffles_that_the_seed_gives() -> None:
    fold = fold_of(log_of(), 120)
    frame, truth = fold.log.frame, fold.counts(fold.test)
    found = table_of(model(east=1.0, air=2.0))
    blocks = blocks_of(fold.log, fold.test, QUICK.block_s)

    def label(air: np.ndarray[Any, Any]) -> Any:
        return np.clip(np.round(frame["east"].to_numpy()[120:] + 2 * air), 0, 3)

    air = frame["air"].to_numpy()[120:]
    shuffles = [label(air[shuffled_order(blocks, np.random.default_rng([0, repeat]))]) for repeat in range(3)]
    errors = [np.mean((one - truth) ** 2) - np.mean((label(air) - truth) ** 2) for one in shuffles]
    f1s = [f1_score(truth, label(air), average="macro") - f1_score(truth, one, average="macro") for one in shuffles]
    for sensor in ("", "air"):
        row = found.xs(("co2", sensor))
        expected = [np.mean(errors), np.std(errors), np.mean(f1s), np.std(f1s)]
        np.testing.assert_allclose(row[[MSE, MSE_STD, F1, F1_STD]].astype(float), expected, rtol=1e-12)


def test_the_mean_over_many_shuffles_nears_its_closed_form() -> None:
    """Where the label is one sensor, and right, it is the mean square of how much two blocks differ."""
    fold = fold_of(log_of(240), 120)
    fold.log.frame["door"] = fold.log.frame["people"].astype(float)
    door = fold.log.frame["door"].to_numpy()[120:]
    estimator = model(door=1.0)
    estimator.config = estimator.config.model_copy(update={"features": ["motion"]})
    plain = estimator.predict(fold.log.frame.drop(columns="people"), fold.test)
    found = importance(estimator, fold, plain, Explanation(repeats=200, block_s=600.0)).set_index([KIND, SENSOR])
    blocks = door.reshape(12, 10)  # equally long, so any block is as likely to come to any place
    expected = np.mean((blocks[:, None] - blocks[None, :]) ** 2)
    row = found.xs(("motion", ""))
    assert row[MSE] == pytest.approx(expected, abs=4 * row[MSE_STD] / np.sqrt(200))


def test_sensors_that_the_model_ignores_have_no_importance_at_all() -> None:
    found = table_of(model(east=1.0))
    assert (found.drop([("temperature", ""), ("temperature", "east")]) == 0).all(axis=None)
    assert found[MSE]["temperature", ""] > 0


def test_groups_that_the_model_does_not_look_at_are_left_out() -> None:
    found = table_of(model(east=1.0))
    expected = [("temperature", ""), ("temperature", "east"), ("temperature", "west"), ("co2", ""), ("co2", "air")]
    assert found.index.tolist() == [*expected, ("motion", ""), ("motion", "door")]


def test_rows_that_serve_as_history_stay_as_they_are() -> None:
    estimator = cast(Any, model(rows=5, east=1.0))
    table_of(estimator)
    plain, *shuffled = estimator.seen
    assert len(shuffled) == 3 * 5, "of five sets of columns, each three times"
    for frame in shuffled:
        pd.testing.assert_frame_equal(frame[:120], plain[:120], check_exact=True)
        assert not frame[120:].equals(plain[120:])


def test_the_same_seed_gives_the_same_table() -> None:
    pd.testing.assert_frame_equal(table_of(model(east=1.0)), table_of(model(east=1.0)), check_exact=True)
