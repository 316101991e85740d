from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from occupancy.config import LSTM, Config, Data, Room, Simulation, Train
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.data.schema import UCI
from occupancy.data.simulation import simulate, simulate_rooms
from occupancy.errors import InputError
from occupancy.features.inputs import fit_inputs
from occupancy.features.sensors import Features
from occupancy.models import make_estimator
from occupancy.models.estimator import NO_STEPS
from occupancy.models.neural import members, pretraining
from occupancy.models.neural.estimator import NetworkEstimator
from occupancy.models.neural.pretraining import ROOM_EPOCHS, ROOM_SEED, ROOM_SPREAD, simulated
from occupancy.models.neural.training import Task, WindowModule, train

ROOMS = 3


def fold_of(step_s: float = 60.0) -> Fold:
    """Return a fold of a day of a room that the simulator made."""
    frame = simulate(Simulation(days=1, seed=7, room=Room(step_s=step_s)))
    log = Log("uci", "uci", UCI, frame, frame[UCI.sensors].isna(), 1000.0)
    hour = log.times.hour.to_numpy()
    return Fold(1, log, hour < 14, (hour >= 14) & (hour < 17), hour >= 17)


def config_of(rooms: int = ROOMS, seed: int = 0, features: Any = "no_light", **training: Any) -> Config:
    model = LSTM(head="classification", window=3, layers=1, hidden=4, dropout=0.0)
    settings = Train(**{"max_epochs": 1, "members": 1, "device": "cpu", "pretrain_rooms": rooms, **training})
    return Config(name="small", seed=seed, features=features, model=model, train=settings, data=Data(max_gap=1000.0))


def fit(config: Config, fold: Fold | None = None) -> NetworkEstimator:
    estimator = cast(NetworkEstimator, make_estimator(config))
    estimator.fit(fold or fold_of(), NO_STEPS)
    return estimator


def weights(estimator: NetworkEstimator) -> Tensor:
    return torch.cat([weight.detach().flatten() for each in estimator.networks for weight in each.parameters()])


def rooms_by_hand(step_s: float) -> list[pd.DataFrame]:
    """Return the rooms of the experiment's seed 0."""
    seed = int(np.random.SeedSequence([0, ROOM_SEED]).generate_state(1)[0])
    settings = Simulation(days=1, seed=seed, room=Room(step_s=step_s))
    return [frame.between_time("08:00", "22:00") for frame in simulate_rooms(settings, ROOMS, ROOM_SPREAD)]


@pytest.mark.parametrize("step_s", [30.0, 60.0])
def test_rooms_have_the_logs_step_and_the_scale_of_its_training_rows(step_s: float) -> None:
    fold = fold_of(step_s)
    inputs = fit_inputs(fold.log, fold.train, ["co2", "sound"])
    batches = simulated(config_of(), inputs, window=3)
    frames = rooms_by_hand(step_s)
    assert batches.counts.tolist() == pd.concat(frames)[UCI.count].tolist()
    learned = fold.log.frame[fold.train]
    low, high = learned["S5_CO2"].min(), learned["S5_CO2"].max()
    expected = (pd.concat(frames)["S5_CO2"].to_numpy() - low) / (high - low)
    got = batches.windows.at(batches.rows)[:, -1, inputs.names.index("S5_CO2")].numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_no_window_reaches_from_one_room_into_another() -> None:
    fold = fold_of()
    batches = simulated(config_of(), fit_inputs(fold.log, fold.train, "no_light"), window=3)
    first = np.cumsum([len(frame) for frame in rooms_by_hand(60.0)])[:-1]
    for window in batches.windows.at(first):
        assert torch.equal(window, window[-1].expand_as(window))


def test_other_seeds_mean_other_rooms() -> None:
    fold = fold_of()
    inputs = fit_inputs(fold.log, fold.train, "no_light")
    one, again, other = (simulated(config_of(seed=seed), inputs, window=1) for seed in (0, 0, 1))
    assert torch.equal(one.windows.at(one.rows), again.windows.at(again.rows))
    assert not torch.equal(one.windows.at(one.rows), other.windows.at(other.rows))


def test_rooms_are_not_those_of_a_simulated_log_with_the_same_seed() -> None:
    fold = fold_of()
    counts = simulated(config_of(), fit_inputs(fold.log, fold.train, "no_light"), window=1).counts.numpy()
    settings = Simulation(days=1, seed=0, room=Room(step_s=60.0))
    for made, log in zip(np.split(counts, ROOMS), simulate_rooms(settings, ROOMS, 0.3), strict=True):
        assert (made != log.between_time("08:00", "22:00")[UCI.count]).mean() > 0.1


def test_rooms_hold_no_more_people_than_the_model_counts() -> None:
    fold = fold_of()
    config = config_of().model_copy(update={"data": Data(max_count=2)})
    assert set(simulated(config, fit_inputs(fold.log, fold.train, "no_light"), 1).counts.tolist()) == {0, 1, 2}


def test_every_training_begins_with_the_rooms_and_goes_on_with_the_same_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[str, nn.Module, bool, int, int]] = []

    def note(where: str) -> Any:
        def noted(module: nn.Module, data: WindowModule, settings: Train, epochs: int, *rest: Any) -> Task:
            calls.append((where, module, module.training, len(data.train.rows), epochs))
            return train(module, data, settings, epochs, *rest)

        return noted

    monkeypatch.setattr(pretraining, "train", note("rooms"))
    monkeypatch.setattr(members, "train", note("log"))
    fold = fold_of()
    rows = sum(len(frame) for frame in rooms_by_hand(60.0))
    fit(config_of(members=2), fold)
    searched, refitted = int(fold.train.sum()), int((fold.train | fold.validation).sum())
    assert [(where, count, epochs) for where, _, _, count, epochs in calls] == [
        *[("rooms", rows, ROOM_EPOCHS), ("log", searched, 1)] * 2,
        *[("rooms", rows, ROOM_EPOCHS), ("log", refitted, 1)] * 2,
    ]
    assert all(training for _, _, training, _, _ in calls)
    for (_, pretrained, *_), (_, tuned, *_) in zip(calls[::2], calls[1::2], strict=True):
        assert pretrained is tuned


def test_pretraining_changes_what_is_learned_and_repeats_by_its_seed() -> None:
    without, one, again, other = (fit(config_of(*how)) for how in [(0,), (ROOMS,), (ROOMS,), (ROOMS, 1)])
    assert torch.equal(weights(one), weights(again))
    assert not torch.equal(weights(one), weights(other))
    assert not torch.equal(weights(one), weights(without))


def test_the_inputs_stay_scaled_on_the_log_and_the_history_is_that_of_the_log() -> None:
    without, one = fit(config_of(0)), fit(config_of())
    assert isinstance(one.features, Features)
    assert one.features.to_settings() == without.features.to_settings()
    assert one.history[["stage", "member", "epoch"]].equals(without.history[["stage", "member", "epoch"]])


def test_a_pretrained_network_needs_less_of_the_log() -> None:
    few = config_of(0, max_epochs=1, batch_size=32)
    losses = [fit(config).history["val_loss"].iloc[0] for config in (few, config_of(8, max_epochs=1, batch_size=32))]
    assert losses[1] < losses[0]


def test_test_rows_are_not_even_seen() -> None:
    fold = fold_of()
    blank = fold.sealed()
    changed = fold.log.frame.copy()
    changed.loc[fold.test] = 3
    other = dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=changed))
    assert torch.equal(weights(fit(config_of(), blank)), weights(fit(config_of(), other)))


@pytest.mark.parametrize("features", ["physics", "all"])
def test_rooms_have_every_input(features: str) -> None:
    log = fold_of().log
    inputs = fit_inputs(log, np.ones(len(log.frame), bool), features)
    batches = simulated(config_of(features=features), inputs, window=2)
    assert batches.windows.at(batches.rows).isfinite().all()


def test_a_step_that_no_room_is_simulated_with_is_refused() -> None:
    fold = fold_of()
    inputs = Features.fit(fold.log, fold.train, "no_light")
    with pytest.raises(
        InputError, match="the log has a row every 900 s, but rooms can be simulated with steps of 1 to 600 s"
    ):
        simulated(config_of(), dataclasses.replace(inputs, step_s=900.0), window=1)
