from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from occupancy.arrays import Floats
from occupancy.config import BNN, LSTM, MLPCRF, Config, Train
from occupancy.data.schema import UCI
from occupancy.features.inputs import fit_inputs
from occupancy.models import load_estimator, make_estimator
from occupancy.models.estimator import NO_STEPS, SETTINGS, Estimator
from occupancy.models.neural.holes import lay, usual
from occupancy.models.neural.masks import Masks
from occupancy.models.neural.pretraining import simulated as simulated_rooms
from occupancy.models.neural.windows import Batches, Windows
from occupancy.models.postprocess.calibration import label_shares
from tests.models.made_visits import DATA, sensors, simulated_fold

MODELS: dict[str, Any] = {
    "lstm": LSTM(head="regression", window=4, layers=1, hidden=16, dropout=0.0),
    "bnn": BNN(hidden=[16], window=4, samples=20),
    "mlp_crf": MLPCRF(hidden=[16], window=4, sequence=12),
}
KINDS = ("co2", "motion", "sound", "temperature")


@cache
def fitted(name: str, dropout: float = 0.3, **changes: Any) -> Estimator:
    training = {"max_epochs": 12, "members": 1, "batch_size": 8 if name == "mlp_crf" else 32, "device": "cpu"}
    train = Train.model_validate({**training, "weight_decay": 0.0, "sensor_dropout": dropout, **changes})
    estimator = make_estimator(Config(name="it", data=DATA, model=MODELS[name], train=train))
    estimator.fit(simulated_fold(), NO_STEPS)
    return estimator


def without(*kinds: Any) -> pd.DataFrame:
    return sensors(simulated_fold().log).drop(columns=[column.name for column in UCI.of_kind(*kinds)])


def masks_of(lacks: Any, dropout: float = 0.5) -> Masks:
    """Return the masks of three inputs of two kinds, whose usual values are 7, 8 and 9."""
    return Masks(
        ("co2", "motion"), torch.tensor([0, 1, 0]), torch.tensor([7.0, 8.0, 9.0]), torch.tensor(lacks), dropout
    )


def test_a_kind_that_a_window_lacks_has_usual_values_and_a_mask_of_0() -> None:
    values = np.arange(9, dtype=np.float32).reshape(3, 3)
    windows = Windows(values, np.zeros(3, np.int64), 2, masks_of([[False, False], [True, False], [False, True]]))
    assert windows.at(np.arange(3)).tolist() == [
        [[0, 1, 2, 1, 1], [0, 1, 2, 1, 1]],
        [[7, 1, 9, 0, 1], [7, 4, 9, 0, 1]],
        [[3, 8, 5, 1, 0], [6, 8, 8, 1, 0]],
    ]


@pytest.mark.parametrize("length", [None, 5])
def test_kinds_are_dropped_from_whole_windows_as_often_as_asked_and_never_all(length: int | None) -> None:
    rows = np.arange(4000) if length is None else np.arange(4000 * length).reshape(4000, length)
    values = np.zeros((rows.size, 3), np.float32)
    windows = Windows(values, np.zeros(rows.size, np.int64), 2, masks_of(np.zeros((rows.size, 2), bool)))
    x = windows.at(rows, torch.Generator().manual_seed(0))
    masks = x[..., 3:].flatten(1, -2)
    assert (masks == masks[:, :1]).all(), "alike in a window, and in the windows of a sequence"
    there = masks[:, 0].numpy()
    assert there.max(axis=1).min() == 1
    # Of the four cases, each a quarter, the one without both kinds loses none.
    np.testing.assert_allclose(1 - there.mean(axis=0), 0.25, atol=0.03)
    assert (x[..., 0] == 7 * (1 - x[..., 3])).all()
    again = windows.at(rows, torch.Generator().manual_seed(0))
    assert torch.equal(x, again)


def test_a_kind_that_is_missing_is_not_found_again_by_the_draw() -> None:
    windows = Windows(np.zeros((500, 3), np.float32), np.zeros(500, np.int64), 1, masks_of([[True, False]] * 500))
    there = windows.at(np.arange(500), torch.Generator().manual_seed(0))[:, 0, 3:]
    assert there.tolist() == [[0, 1]] * 500


def test_the_masks_of_a_log_name_the_kinds_that_windows_lack() -> None:
    fold = simulated_fold()
    frame = sensors(fold.log).copy()
    for column in UCI.of_kind("co2"):
        frame.loc[frame.index[100:110], column.name] = np.nan
    inputs = fit_inputs(fold.log, fold.train, "no_light")
    stretch = np.zeros(len(frame), np.int64)
    windows, known = lay(inputs, frame, stretch, 4, dropout=0.1)
    plain, few = lay(inputs, frame, stretch, 4)
    assert windows.masks is not None
    assert windows.masks.kinds == KINDS
    lacks = windows.masks.lacks.numpy()
    assert np.flatnonzero(lacks[:, 0]).tolist() == list(range(101, 113)), (
        "more than a quarter of 4; row 110 lacks the slope"
    )
    assert not lacks[:, 1:].any()
    assert known.all()
    assert np.array_equal(~few, lacks[:, 0])
    rows = np.flatnonzero(few)
    x = windows.at(rows)
    assert torch.equal(x[..., : len(inputs.names)], plain.at(rows)), "rows that lack nothing are as without masks"
    assert (x[..., len(inputs.names) :] == 1).all()
    gone = windows.at(np.array([105]))[0, :, :-4].numpy()
    own = np.array([kind == "co2" for kind in inputs.kinds])
    np.testing.assert_array_equal(gone[:, own], np.tile(usual(inputs)[own].astype(np.float32), (4, 1)))


def test_without_dropped_sensors_windows_are_inputs_alone_and_nothing_is_drawn() -> None:
    fold = simulated_fold()
    inputs = fit_inputs(fold.log, fold.train, "no_light")
    windows, _ = lay(inputs, sensors(fold.log), np.zeros(len(fold.train), np.int64), 4)
    values = inputs.transform(sensors(fold.log), np.zeros(len(fold.train), np.int64))
    order, rows = torch.Generator().manual_seed(0), np.arange(64)
    ((x, _),) = Batches(windows, rows, torch.arange(64), 64, order)
    alone = torch.Generator().manual_seed(0)
    expected = values[torch.randperm(64, generator=alone).numpy()]
    assert x[:, -1].numpy().tobytes() == expected.tobytes()
    assert torch.equal(order.get_state(), alone.get_state())


def errors(estimator: Estimator, frame: pd.DataFrame) -> Floats:
    fold = simulated_fold()
    prediction = estimator.predict(frame, fold.test, fold.test)
    assert prediction.is_answered.all()
    return np.square(prediction.mean - fold.counts(fold.test))


@pytest.mark.parametrize("name", MODELS)
def test_a_network_that_learned_with_dropped_sensors_counts_without_any_kind(name: str) -> None:
    fold = simulated_fold()
    shares = label_shares(fold.counts(fold.train | fold.validation), 4)
    blind = float(np.square(shares @ np.arange(4) - fold.counts(fold.test)).mean())
    estimator = fitted(name)
    whole = errors(estimator, sensors(fold.log)).mean()
    for gone in ("co2", "sound", "motion", "temperature"):
        lacking = errors(estimator, without(gone, "co2_slope") if gone == "co2" else without(gone)).mean()
        assert whole < 0.5 * blind
        assert lacking < (0.6 if gone == "co2" else 0.9) * blind, gone


def test_the_same_network_without_dropped_sensors_does_not_answer_such_rows() -> None:
    fold = simulated_fold()
    plain = fitted("lstm", 0.0, max_epochs=1)
    assert not plain.predict(without("co2", "co2_slope"), fold.test).is_answered.any()


def test_a_regression_is_less_sure_of_rows_that_lack_what_it_needs() -> None:
    fold, estimator = simulated_fold(), fitted("lstm")
    added = estimator.added_var  # type: ignore[attr-defined]
    assert set(added) == set(KINDS)
    most = max(added, key=added.__getitem__)
    assert added[most] > 0
    lacking = without(most, "co2_slope") if most == "co2" else without(most)
    prediction = estimator.predict(lacking, fold.test)
    assert prediction.samples is not None
    residual = prediction.std**2 - prediction.samples.var(axis=0)
    np.testing.assert_allclose(residual, estimator.residual_var + added[most])  # type: ignore[attr-defined]
    whole = estimator.predict(sensors(fold.log), fold.test)
    assert whole.samples is not None
    np.testing.assert_allclose(whole.std**2 - whole.samples.var(axis=0), estimator.residual_var)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_network_with_masks_predicts_as_before(name: str, tmp_path: Path) -> None:
    estimator, frame = fitted(name), without("sound")
    estimator.save(tmp_path)
    rows = np.ones(len(frame), bool)
    one, other = (each.predict(frame, rows).to_frame() for each in (estimator, load_estimator(tmp_path)))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_network_of_an_earlier_version_has_no_masks(tmp_path: Path) -> None:
    estimator, frame = fitted("lstm", 0.0, max_epochs=1), sensors(simulated_fold().log)
    estimator.save(tmp_path)
    settings = json.loads((tmp_path / SETTINGS).read_text(encoding="utf-8"))
    del settings["config"]["train"]["sensor_dropout"], settings["added_var"]
    (tmp_path / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
    rows = np.ones(len(frame), bool)
    one, other = (each.predict(frame, rows).to_frame() for each in (estimator, load_estimator(tmp_path)))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_pretraining_drops_sensors_too() -> None:
    fold = simulated_fold()
    inputs = fit_inputs(fold.log, fold.train, "no_light")
    config = Config(name="it", data=DATA, train=Train(pretrain_rooms=1, sensor_dropout=0.5))
    rooms = simulated_rooms(config, inputs, 4)
    x, _ = next(iter(Batches(rooms.windows, rooms.rows, rooms.counts, 64, torch.Generator().manual_seed(0))))
    assert x.shape[-1] == len(inputs.names) + len(KINDS)
    assert set(x[..., -len(KINDS) :].flatten().tolist()) == {0.0, 1.0}
    assert fitted("lstm", 0.3, max_epochs=1, pretrain_rooms=1).predict(without("sound"), fold.test).is_answered.all()
