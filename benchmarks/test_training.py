"""Training through Lightning beside a bare loop, and whole experiments beside the plain way to write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import cpu_count
from joblib.externals.loky import ProcessPoolExecutor
from torch import Tensor

from benchmarks import plain
from benchmarks.conftest import Race
from occupancy.arrays import Ints
from occupancy.config import LSTM, Config, Train
from occupancy.config.parsing import load_config
from occupancy.data.folds import Fold, cut, load_scheme
from occupancy.data.source import open_log
from occupancy.execution.fold import run_fold
from occupancy.models.estimator import NO_STEPS
from occupancy.models.neural.lstm import LSTMNetwork
from occupancy.models.neural.network import Sizes
from occupancy.models.neural.training import WindowModule, train
from occupancy.models.neural.windows import Batches, Windows

CONFIGS = Path(__file__).parents[1] / "configs"
# The simulator's five days with a row a minute, and one network of few epochs.
SMALL = [
    *("data.source=simulated", "data.folds=simulated", "data.simulation.room.step_s=60"),
    *("train.epoch_choices=null", "train.members=1", "train.device=cpu"),
]
# Lightning's advice; for windows in memory, workers cost more than they do.
WITHOUT_WORKERS = pytest.mark.filterwarnings("ignore:.*does not have many workers")
BATCH, STEPS, EPOCHS = 16, 100, 2
ROWS, WINDOW, FEATURES = BATCH * STEPS, 15, 11


def small_lstm() -> LSTMNetwork:
    torch.manual_seed(0)
    return LSTMNetwork(LSTM(layers=1, hidden=32, dropout=0.0, window=WINDOW), Sizes(FEATURES, 4))


def test_a_training_step(race: Race) -> None:
    settings = Train(batch_size=BATCH, schedule="constant", gradient_clip=None, members=1, device="cpu")
    values = np.random.default_rng(0).normal(size=(ROWS, FEATURES)).astype(np.float32)
    windows = Windows(values, np.zeros(ROWS, np.int64), WINDOW)
    x, y = windows.at(np.arange(ROWS)).clone(), torch.arange(ROWS) % 4

    def ours() -> list[float]:
        batches = Batches(windows, np.arange(ROWS), y, BATCH, torch.Generator().manual_seed(0))
        return train(small_lstm(), WindowModule(batches), settings, EPOCHS, lambda *_: None).train_losses

    def reference() -> list[float]:
        network = small_lstm()
        optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
        generator = torch.Generator().manual_seed(0)
        epochs = []
        for _ in range(EPOCHS):
            losses: list[Tensor] = []
            for rows in torch.randperm(ROWS, generator=generator).view(STEPS, BATCH):
                loss = network.loss(x[rows], y[rows])
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                losses.append(loss.detach())
            epochs.append(float(torch.stack(losses).mean()))
        return epochs

    torch.testing.assert_close(ours(), reference())
    what = f"{STEPS * EPOCHS} training steps, LSTM of 32, batch {BATCH}"
    race(what, ours, ("bare loop on tensors", reference), 1 / 1.4)


@pytest.fixture(scope="module")
def cores() -> Iterator[ProcessPoolExecutor]:
    """A process a core, started and with all imports done: what a start takes is no part of an experiment."""
    with ProcessPoolExecutor(cpu_count(), env=dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")) as processes:
        config = load_config(CONFIGS / "lstm_regression.yaml", [*SMALL, "train.max_epochs=1"])
        fold = folds_of(config)[0]
        for labels_of in (ours_labels, plain.labels_of):
            list(processes.map(labels_of, [config] * cpu_count(), [fold] * cpu_count()))
        yield processes


@WITHOUT_WORKERS
@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("lstm_regression", ["train.max_epochs=2"]),
        ("lstm_regression", ["train.max_epochs=2", "model.mc_samples=20"]),
        ("mlp_crf", ["train.max_epochs=6"]),
        ("bnn", ["train.max_epochs=4"]),
    ],
    ids=["lstm", "lstm with 20 passes", "mlp_crf", "bnn"],
)
@pytest.mark.parametrize("spread", ["ours on all cores", "both on one core", "both on all cores"])
def test_an_experiment(
    race: Race, cores: ProcessPoolExecutor, spread: str, name: str, overrides: list[str], request: pytest.FixtureRequest
) -> None:
    config = load_config(CONFIGS / f"{name}.yaml", [*SMALL, *overrides])
    folds = folds_of(config)
    truth = np.concatenate([fold.counts(fold.test) for fold in folds])
    errors = {}

    def run(side: str, labels_of: Callable[[Config, Fold], Ints], on_all: bool) -> None:
        over = cores.map if on_all else map
        labels = np.concatenate(list(over(labels_of, [config] * len(folds), folds)))
        errors[side] = float(np.square(labels - truth).mean())

    model = request.node.callspec.id.replace(f"{spread}-", "").replace(f"-{spread}", "")
    what = f"an experiment of 4 folds, {spread}: {model}"
    reference = ("the plain way", lambda: run("plain", plain.labels_of, spread == "both on all cores"))
    ours = lambda: run("ours", ours_labels, spread != "both on one core")  # noqa: E731
    race(what, ours, reference, 2 if spread == "ours on all cores" else 1, rounds=3, warmup=0)
    assert errors["ours"] < 0.6 * truth.var(), "nothing was learned, so that equality would say nothing"
    # Each draws its own masks or weights, and so comes to other networks.
    assert errors["ours"] == pytest.approx(errors["plain"], abs=0.05)


@WITHOUT_WORKERS
@pytest.mark.parametrize("name", ["lstm_regression", "mlp_crf"])
def test_without_chance_the_plain_way_gives_the_same_labels(name: str) -> None:
    config = load_config(CONFIGS / f"{name}.yaml", [*SMALL, "train.max_epochs=2", "model.dropout=0"])
    fold = folds_of(config)[0]
    assert (ours_labels(config, fold) == plain.labels_of(config, fold)).mean() > 0.995


def folds_of(config: Config) -> list[Fold]:
    return cut(open_log(config.data)[0], load_scheme("simulated"))


def ours_labels(config: Config, fold: Fold) -> Ints:
    return run_fold(config, fold, NO_STEPS).prediction.label
