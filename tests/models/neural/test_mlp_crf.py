from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from occupancy.arrays import Rows
from occupancy.config import MLPCRF, Config, Train
from occupancy.data.folds import Fold
from occupancy.data.log import Log
from occupancy.errors import InputError
from occupancy.models import load_estimator, make_estimator
from occupancy.models.estimator import NO_STEPS
from occupancy.models.neural.mlp_crf import ChainEstimator, ChainNetwork
from occupancy.models.neural.network import Sizes
from occupancy.prediction import Prediction

Seen = tuple[Tensor, Tensor]

DAY = 24 * 60  # rows, at one a minute


def config_of(protocol: Any = "honest", members: int = 1, max_epochs: int = 4, **model: Any) -> Config:
    settings = MLPCRF(**{"hidden": [8], "window": 1, "dropout": 0.0, "sequence": 120, **model})
    training = Train(max_epochs=max_epochs, batch_size=4, learning_rate=0.03, members=members, device="cpu")
    return Config(name="chain", protocol=protocol, model=settings, train=training)


def fold_of(log: Log) -> Fold:
    """Two days to learn from, an afternoon in them to choose with, and the third day as test."""
    row = np.arange(len(log.frame))
    validation = (row >= DAY + 700) & (row < DAY + 1100)
    return Fold(1, log, (row < 2 * DAY) & ~validation, validation, (row >= 2 * DAY) & (row < 3 * DAY))


def fit(config: Config, fold: Fold) -> ChainEstimator:
    estimator = make_estimator(config)
    assert isinstance(estimator, ChainEstimator)
    estimator.fit(fold.sealed(), NO_STEPS)
    return estimator


@pytest.fixture(scope="module")
def fold(simulated_log: Log) -> Fold:
    return fold_of(simulated_log)


@pytest.fixture(scope="module")
def fitted(fold: Fold) -> ChainEstimator:
    return fit(config_of(members=2), fold)


def decoded(fitted: ChainEstimator, **model: Any) -> ChainEstimator:
    """Return the fitted model as it would be with other settings of its decoding."""
    config = config_of(members=2, **model)
    assert isinstance(config.model, MLPCRF)
    other = ChainEstimator(config, config.model)
    other.features, other.networks, other.shares = fitted.features, fitted.networks, fitted.shares
    return other


def sensors(log: Log) -> pd.DataFrame:
    return log.frame.drop(columns=log.schema.count)


def emissions(estimator: ChainEstimator, frame: pd.DataFrame) -> list[Tensor]:
    windows, _ = estimator._layout(frame)
    with torch.no_grad():
        return [network(windows.at(np.arange(len(frame)))) for network in estimator.networks]


def best_path(network: ChainNetwork, scores: Tensor) -> list[int]:
    path: list[int] = network.crf.decode(scores[None], mask=torch.ones(1, len(scores), dtype=torch.bool))[0]
    return path


def assert_same(one: Prediction, other: Prediction) -> None:
    pd.testing.assert_frame_equal(one.to_frame(), other.to_frame(), check_exact=True)


def network_of(**model: Any) -> ChainNetwork:
    torch.manual_seed(0)
    return ChainNetwork(MLPCRF(**{"hidden": [5], "window": 1, "dropout": 0.0, **model}), Sizes(features=3, classes=4))


def test_the_loss_is_that_of_pytorch_crf_a_row_and_padding_does_not_count() -> None:
    network = network_of(window=2)
    x, y = torch.randn(3, 6, 2, 3), torch.randint(4, (3, 6))
    y[1, 4:] = y[2, 1:] = -1
    mask = y >= 0
    expected = -network.crf(network(x), y.clamp(min=0), mask=mask, reduction="token_mean")
    torch.testing.assert_close(network.loss(x, y), expected)
    x[~mask] = 99.0
    torch.testing.assert_close(network.loss(x, y), expected)


@pytest.mark.parametrize(
    ("hidden", "weights"), [([], [(4, 6)]), ([5], [(5, 6), (4, 5)]), ([5, 7], [(5, 6), (7, 5), (4, 7)])]
)
def test_the_perceptron_has_the_hidden_layers_asked_for(hidden: list[int], weights: list[tuple[int, int]]) -> None:
    network = network_of(window=2, hidden=hidden)
    assert [tuple(weight.shape) for weight in network.emissions.parameters() if weight.ndim == 2] == weights
    assert network(torch.randn(7, 9, 2, 3)).shape == (7, 9, 4)


def test_a_network_shows_its_transitions() -> None:
    network = network_of()
    shown = network.monitored()
    assert len(shown) == 16
    assert shown["transition/2/1"] == network.crf.transitions[2, 1].item()


@pytest.mark.parametrize("decoding", ["filter", "viterbi", "windows"])
def test_every_row_asked_for_is_predicted(fitted: ChainEstimator, fold: Fold, decoding: str) -> None:
    prediction = decoded(fitted, decoding=decoding, sequence=100).predict(sensors(fold.log), fold.test)
    assert len(prediction) == DAY  # 14 sequences of 100 rows, and 40 rows more
    np.testing.assert_allclose(prediction.probs.sum(axis=1), 1)
    assert set(prediction.label.tolist()) <= {0, 1, 2, 3}
    assert prediction.causal == (decoding == "filter")


def test_the_filter_does_not_look_ahead(fitted: ChainEstimator, fold: Fold) -> None:
    frame = sensors(fold.log)
    now = 2 * DAY + 800
    before = fitted.predict(frame, fold.test)
    changed = frame.copy()
    changed.iloc[now:] += 50.0
    after = fitted.predict(changed, fold.test)
    np.testing.assert_array_equal(after.probs[:800], before.probs[:800])
    assert (after.probs[800:] != before.probs[800:]).any()


def test_the_best_path_looks_ahead(fitted: ChainEstimator, fold: Fold) -> None:
    frame = sensors(fold.log)
    offline = decoded(fitted, decoding="viterbi")
    before = offline.predict(frame, fold.test)
    changed = frame.copy()
    changed.iloc[2 * DAY + 800 :] += 50.0
    assert (offline.predict(changed, fold.test).probs[:800] != before.probs[:800]).any()


def test_the_filters_probabilities_are_the_last_marginals_of_the_chain_so_far(
    fitted: ChainEstimator, fold: Fold
) -> None:
    frame = sensors(fold.log).iloc[: 2 * DAY + 700]
    last = np.arange(len(frame)) == len(frame) - 1
    # At the last row of a recording, filter and marginals agree: nothing is left to look ahead to.
    one = fitted.predict(frame, last)
    other = decoded(fitted, decoding="viterbi").predict(frame, last)
    np.testing.assert_allclose(one.probs, other.probs, atol=1e-9)


def test_the_best_path_is_that_of_pytorch_crf_over_the_whole_recording(fitted: ChainEstimator, fold: Fold) -> None:
    frame = sensors(fold.log)
    single = decoded(fitted, decoding="viterbi")
    single.networks = fitted.networks[:1]
    network = single.networks[0]
    assert isinstance(network, ChainNetwork)
    expected = best_path(network, emissions(single, frame)[0])
    assert single.predict(frame, np.ones(len(frame), bool)).label.tolist() == expected


def test_windows_are_decoded_each_by_itself(fitted: ChainEstimator, fold: Fold) -> None:
    frame = sensors(fold.log)
    single = decoded(fitted, decoding="windows", sequence=100)
    single.networks = fitted.networks[:1]
    network = single.networks[0]
    assert isinstance(network, ChainNetwork)
    scores = emissions(single, frame)[0][fold.test]
    expected = [label for start in range(0, DAY, 100) for label in best_path(network, scores[start : start + 100])]
    assert single.predict(frame, fold.test).label.tolist() == expected


def with_gap(log: Log, at: int) -> Log:
    """Return the log without the hour of rows from a position on."""
    kept = np.delete(np.arange(len(log.frame)), np.arange(at, at + 60))
    return dataclasses.replace(log, frame=log.frame.iloc[kept], missing=log.missing.iloc[kept])


@pytest.mark.parametrize("decoding", ["filter", "viterbi", "windows"])
def test_nothing_is_decoded_across_a_gap(fitted: ChainEstimator, fold: Fold, decoding: str) -> None:
    frame = sensors(with_gap(fold.log, 2 * DAY + 600))
    after = np.arange(len(frame)) >= 2 * DAY + 600
    model = decoded(fitted, decoding=decoding)
    alone = model.predict(frame.iloc[2 * DAY + 600 :], np.ones(after.sum(), bool))
    np.testing.assert_allclose(model.predict(frame, after).probs, alone.probs, atol=1e-12)


def test_what_lies_beyond_the_history_hardly_matters(fitted: ChainEstimator, fold: Fold) -> None:
    frame = sensors(fold.log)
    rows = np.arange(len(frame)) >= 2 * DAY + 700
    start = rows.argmax() - round(fitted.history_s / 60)
    short = fitted.predict(frame.iloc[start:], rows[start:])
    np.testing.assert_allclose(short.probs, fitted.predict(frame, rows).probs, atol=0.01)


def test_several_networks_are_averaged(fitted: ChainEstimator, fold: Fold) -> None:
    singles = []
    for network in fitted.networks:
        single = decoded(fitted)
        single.networks = [network]
        singles.append(single.predict(sensors(fold.log), fold.test).probs)
    both = fitted.predict(sensors(fold.log), fold.test)
    np.testing.assert_allclose(both.probs, np.mean(singles, axis=0))
    assert both.epistemic.max() > 0


@pytest.mark.parametrize("decoding", ["filter", "viterbi"])
def test_a_saved_model_predicts_as_before(fitted: ChainEstimator, fold: Fold, decoding: str, tmp_path: Path) -> None:
    model = decoded(fitted, decoding=decoding)
    model.save(tmp_path)
    assert_same(
        load_estimator(tmp_path).predict(sensors(fold.log), fold.test), model.predict(sensors(fold.log), fold.test)
    )


class Spy(ChainNetwork):
    """Keeps the sequences that it was trained on and those it was asked about."""

    taught: list[Seen]
    asked: list[Seen]

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        kept = self.taught if torch.is_grad_enabled() else self.asked
        kept.append((x[..., -1, 0], y))
        return super().loss(x, y)


def sequences_seen(fold: Fold, config: Config) -> list[tuple[list[Seen], list[Seen]]]:
    """Return what each network built was trained on and asked about: first sensor and labels of each batch."""
    spies: list[Spy] = []

    def build(settings: MLPCRF, sizes: Sizes) -> Spy:
        spies.append(Spy(settings, sizes))
        object.__setattr__(spies[-1], "taught", [])
        object.__setattr__(spies[-1], "asked", [])
        return spies[-1]

    assert isinstance(config.model, MLPCRF)
    estimator = ChainEstimator(config, config.model)
    estimator.build = partial(build, config.model)
    estimator.fit(fold, NO_STEPS)
    return [(spy.taught, spy.asked) for spy in spies]


def numbered(fold: Fold) -> Fold:
    """Return the fold with the number of each row as its first sensor."""
    frame = fold.log.frame.copy()
    frame.iloc[:, 0] = np.arange(len(frame), dtype=np.float64)
    return dataclasses.replace(fold, log=dataclasses.replace(fold.log, frame=frame))


def rows_in(batches: list[Seen], learned: Rows) -> set[int]:
    """Return the numbers of the rows in batches of a log whose first sensor numbers them, scaled on learned rows."""
    low, high = np.flatnonzero(learned)[[0, -1]]
    values = torch.cat([x[y >= 0] for x, y in batches]).double() * (high - low) + low
    return set(values.round().long().tolist())


def test_sequences_hold_the_rows_of_their_part_and_no_other(fold: Fold) -> None:
    search, refit = sequences_seen(numbered(fold), config_of(max_epochs=1))
    both = fold.train | fold.validation
    assert rows_in(search[0], fold.train) == set(np.flatnonzero(fold.train).tolist())
    assert rows_in(search[1], fold.train) == set(np.flatnonzero(fold.validation).tolist())
    assert rows_in(refit[0], both) == set(np.flatnonzero(both).tolist())
    assert refit[1] == []


def test_incomplete_sequences_are_dropped_from_the_training_if_asked_and_never_from_what_chooses(fold: Fold) -> None:
    config = config_of(max_epochs=1, sequence=150, drop_incomplete=True)
    search, _ = sequences_seen(numbered(fold), config)
    assert all((y >= 0).all() for _, y in search[0])
    # Training rows come in stretches of 2140 and 340 rows.
    assert len(rows_in(search[0], fold.train)) == 150 * (2140 // 150 + 340 // 150)
    assert rows_in(search[1], fold.train) == set(np.flatnonzero(fold.validation).tolist())


def test_a_sequence_longer_than_every_stretch_is_refused_if_incomplete_ones_are_dropped(fold: Fold) -> None:
    with pytest.raises(InputError, match=r"model.sequence: got 5000, but no stretch of the training rows is that long"):
        fit(config_of(sequence=5000, drop_incomplete=True), fold)
    assert fit(config_of(sequence=5000, max_epochs=1), fold).chosen_epochs == 1


def test_the_history_holds_the_transitions_of_every_epoch(fitted: ChainEstimator) -> None:
    history = fitted.history
    final = history[history["stage"] == "final"]
    for member, network in enumerate(fitted.networks):
        assert isinstance(network, ChainNetwork)
        last = final[final["member"] == member].iloc[-1]
        assert last["transition/0/1"] == pytest.approx(network.crf.transitions[0, 1].item())
    assert history.filter(like="transition/").notna().all(axis=None)
    assert final["transition/0/1"].nunique() == len(final)


def test_long_sequences_teach_a_chain_that_changes_its_label_inside_them(fold: Fold) -> None:
    estimator = fit(config_of(max_epochs=40), fold)
    prediction = estimator.predict(sensors(fold.log), fold.test)
    truth = fold.counts(fold.test)
    assert np.square(prediction.label - truth).mean() < 0.5 * np.square(truth - np.median(truth)).mean()
    assert len(set(prediction.label.tolist())) > 1


def test_the_report_protocol_keeps_the_epoch_that_the_test_rows_liked_best(fold: Fold) -> None:
    estimator = make_estimator(config_of(protocol="report", max_epochs=3))
    estimator.fit(fold, NO_STEPS)
    losses = estimator.history["val_loss"]
    assert estimator.chosen_epochs == losses.argmin() + 1
    assert (estimator.history["stage"] == "search").all()
