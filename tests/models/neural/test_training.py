from __future__ import annotations

import dataclasses
import gc
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from occupancy.config import LSTM, Train
from occupancy.errors import InputError
from occupancy.models.neural.lstm import LSTMNetwork
from occupancy.models.neural.network import Sizes
from occupancy.models.neural.runtime import accelerator
from occupancy.models.neural.training import Keep, Task, WindowModule, train
from occupancy.models.neural.windows import Batches, Windows
from tests.places import ROOT

ROWS, STOPPING = 64, 16
Record = list[tuple[int, float, float]]


class Line(nn.Module):
    """A linear model of a window's last sample: what it should learn is known."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        people: Tensor = self.linear(x[:, -1])[:, 0]
        return people

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        loss: Tensor = self.scale * ((self(x) - y) ** 2).mean()
        return loss


def settings(**changes: Any) -> Train:
    small = {"batch_size": 16, "learning_rate": 0.05, "weight_decay": 0.0, "schedule": "constant", "device": "cpu"}
    return Train(**{**small, **changes})


def data_of(stop: bool = True, misleading: bool = False, seed: int = 0) -> WindowModule:
    """Return a problem that a line solves; misleading stopping rows say the opposite of the training rows."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(ROWS + STOPPING, 2)).astype(np.float32)
    counts = torch.from_numpy(2 * values[:, 0] - values[:, 1] + 1)
    if misleading:
        counts[ROWS:] *= -1
    windows = Windows(values, np.zeros(len(values), np.int64), 3)
    order = torch.Generator().manual_seed(seed)
    learning = Batches(windows, np.arange(ROWS), counts[:ROWS], 16, order)
    return WindowModule(learning, Batches(windows, np.arange(ROWS, len(values)), counts[ROWS:], 7) if stop else None)


def line(scale: float = 1.0) -> Line:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Line(scale)


def run(
    network: nn.Module,
    data: WindowModule,
    epochs: int,
    record: Record | None = None,
    keep: Keep = "nothing",
    **changes: Any,
) -> tuple[Task, Record]:
    told: Record = [] if record is None else record
    task = train(network, data, settings(**changes), epochs, lambda *epoch: told.append(epoch), keep)
    return task, told


def flat(network: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten().clone() for parameter in network.parameters()])


def loss_on(network: nn.Module, batches: Batches | None) -> float:
    assert batches is not None
    with torch.no_grad():
        losses = [(float(network.loss(x, y)), len(y)) for x, y in batches]  # type: ignore[operator]
    return sum(loss * size for loss, size in losses) / sum(size for _, size in losses)


def by_hand(
    network: Line,
    data: WindowModule,
    epochs: int,
    clip: float | None = 1.0,
    cosine: bool = False,
) -> Tensor:
    """Return the weights that `train` should end with, from a plain loop of torch."""
    optimizer = torch.optim.AdamW(network.parameters(), 0.05, weight_decay=0.1)
    steps = epochs * len(data.train)
    for step, (x, y) in enumerate(batch for _ in range(epochs) for batch in data.train):
        if cosine:
            optimizer.param_groups[0]["lr"] = 0.05 * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.zero_grad()
        torch.autograd.backward(network.loss(x, y))
        if clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
    return flat(network)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("clip", [None, 0.01])
def test_training_is_a_plain_loop_of_adamw(clip: float | None, schedule: str) -> None:
    network = line()
    expected = by_hand(line(), data_of(stop=False), 3, clip, schedule == "cosine")
    run(network, data_of(stop=False), 3, weight_decay=0.1, gradient_clip=clip, schedule=schedule)
    torch.testing.assert_close(flat(network), expected, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(flat(network), flat(line()), atol=1e-2)


def test_training_solves_a_problem_that_can_be_solved() -> None:
    network, data = line(), data_of()
    before = loss_on(network, data.val)
    task, _ = run(network, data, 60)
    assert before > 1
    assert task.train_losses[-1] < 0.01
    assert loss_on(network, data.val) < 0.01
    assert network.linear.weight[0].tolist() == pytest.approx([2, -1], abs=0.1)


def test_every_epoch_is_told_with_its_losses() -> None:
    task, told = run(line(), data_of(), 4)
    assert [epoch for epoch, _, _ in told] == [1, 2, 3, 4]
    assert [loss for _, loss, _ in told] == task.train_losses
    assert [loss for _, _, loss in told] == task.val_losses
    assert len(task.val_outputs) == 4


def test_the_stopping_loss_of_an_epoch_is_that_of_the_whole_part() -> None:
    # Batches of 7, 7 and 2 rows must not weigh the same; and the epoch's weights are those after it.
    network, data = line(), data_of()
    task, _ = run(network, data, 1)
    assert task.val_losses == pytest.approx([loss_on(network, data.val)], rel=1e-5)


def test_the_outputs_kept_are_the_networks_for_the_stopping_rows_in_order() -> None:
    network, data = line(), data_of()
    task, _ = run(network, data, 1)
    assert data.val is not None
    with torch.no_grad():
        expected = torch.cat([network(x) for x, _ in data.val])
    torch.testing.assert_close(task.val_outputs[0], expected)


def test_without_stopping_rows_no_stopping_loss_is_told() -> None:
    task, told = run(line(), data_of(stop=False), 2)
    assert [math.isnan(loss) for _, _, loss in told] == [True, True]
    assert task.val_losses == []


def test_the_weights_after_any_epoch_are_put_back_and_the_last_where_training_stopped_before_it() -> None:
    network, data = line(), data_of(misleading=True)
    task, _ = run(network, data, 12, keep="all")
    assert task.val_losses[-1] > 1.5 * min(task.val_losses)
    for epoch in (3, 12, 1, 40):
        task.restore(epoch)
        assert loss_on(network, data.val) == pytest.approx(task.val_losses[min(epoch, 12) - 1], rel=1e-5)


def test_the_best_weights_alone_are_kept_where_no_more_is_asked_for() -> None:
    network, data = line(), data_of(misleading=True)
    task, _ = run(network, data, 12, keep="best")
    best = int(np.argmin(task.val_losses)) + 1
    assert list(task._kept) == [best]
    assert loss_on(network, data.val) == pytest.approx(task.val_losses[-1], rel=1e-5)
    task.restore(best)
    assert loss_on(network, data.val) == pytest.approx(min(task.val_losses), rel=1e-5)
    assert not run(line(), data, 2)[0]._kept


def test_the_stopping_rows_change_no_weight_by_themselves() -> None:
    network, stopped = line(), line()
    run(network, data_of(stop=False), 12)
    run(stopped, data_of(misleading=True), 12)
    assert torch.equal(flat(stopped), flat(network))


@pytest.mark.parametrize("patience", [1, 3])
def test_training_stops_when_patience_is_out(patience: int) -> None:
    task, told = run(line(), data_of(misleading=True), 30, patience=patience)
    best = int(np.argmin(task.val_losses)) + 1
    assert len(told) == best + patience < 30


def test_training_goes_on_to_the_end_without_patience() -> None:
    task, told = run(line(), data_of(misleading=True), 10, patience=None)
    assert np.argmin(task.val_losses) < 5
    assert len(told) == 10


def test_training_does_not_stop_while_the_loss_falls() -> None:
    _, told = run(line(), data_of(), 8, patience=1, learning_rate=0.01)
    assert len(told) == 8


class Watched(Line):
    """Counts the tensors that there are at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.there: list[int] = []

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        self.there.append(sum(issubclass(type(each), Tensor) for each in gc.get_objects()))
        return super().loss(x, y)


def test_no_step_leaves_a_tensor_that_would_divide_the_memory_that_others_gave_back() -> None:
    data = data_of(stop=False)
    steps = 16
    data.train = dataclasses.replace(data.train, size=ROWS // steps)
    watched = Watched()
    run(watched, data, 1)
    assert len(watched.there) == steps
    assert watched.there[-1] == watched.there[2]


def rates(schedule: str, epochs: int) -> list[float]:
    """Return the learning rate at the end of each epoch."""
    network, seen = line(), list[float]()
    tasks: list[Task] = []

    def note(*_: object) -> None:
        seen.append(tasks[0].trainer.optimizers[0].param_groups[0]["lr"])

    class Watched(Task):
        def on_fit_start(self) -> None:
            tasks.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("occupancy.models.neural.training.Task", Watched)
        train(network, data_of(), settings(schedule=schedule), epochs, note)
    return seen


def test_the_cosine_falls_to_zero_over_all_steps() -> None:
    expected = [0.05 * (1 + math.cos(math.pi * done / 5)) / 2 for done in range(1, 6)]
    assert rates("cosine", 5) == pytest.approx(expected, abs=1e-9)


def test_a_constant_rate_stays() -> None:
    assert rates("constant", 3) == pytest.approx([0.05] * 3)


@pytest.mark.parametrize("clip", [None, 0.5])
def test_gradients_are_clipped_to_the_norm_asked_for(clip: float | None) -> None:
    network = line(scale=1e6)
    run(network, data_of(stop=False), 1, gradient_clip=clip)  # leaves the gradients of its last step
    norm = math.hypot(
        *(float(parameter.grad.norm()) for parameter in network.parameters() if parameter.grad is not None)
    )
    if clip is None:
        assert norm > 1e3
    else:
        assert norm == pytest.approx(clip, rel=1e-3)


def train_lstm(seed: int) -> tuple[Tensor, Task]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = LSTMNetwork(LSTM(hidden=4, dropout=0.3), Sizes(2, 4))
        task, _ = run(network, data_of(seed=seed), 3)
    return flat(network), task


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    weights, task = train_lstm(1)
    again, repeated = train_lstm(1)
    other, _ = train_lstm(2)
    assert torch.equal(weights, again)
    assert (task.train_losses, task.val_losses) == (repeated.train_losses, repeated.val_losses)
    assert not torch.equal(weights, other)


def test_dropout_is_at_work_in_training_and_not_on_the_stopping_rows() -> None:
    network = LSTMNetwork(LSTM(hidden=4, dropout=0.5), Sizes(2, 4))
    at_work: list[tuple[bool, bool]] = []

    def note(module: nn.Module, *_: object) -> None:
        at_work.append((module.training, torch.is_grad_enabled()))

    network.dropouts[0].register_forward_hook(note)
    run(network, data_of(), 1)
    assert set(at_work) == {(True, True), (False, False)}


@pytest.mark.parametrize("stop", [True, False])
def test_the_network_is_left_in_evaluation_mode_on_the_cpu(stop: bool) -> None:
    network = line()
    run(network, data_of(stop), 1)
    assert not any(module.training for module in network.modules())
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    message = rf"train\.device: got '{device}', which this machine lacks; use 'auto' or 'cpu'"
    with pytest.raises(InputError, match=message):
        run(line(), data_of(), 1, device=device)
    with pytest.raises(InputError, match=message):
        accelerator(device)


def test_devices_go_by_lightnings_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert [accelerator(device) for device in ("auto", "cpu", "cuda")] == ["auto", "cpu", "gpu"]


def test_training_writes_nothing_anywhere(tmp_path: Path) -> None:
    # A process of its own: what Lightning says goes past the streams that pytest can see.
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_training
task, told = test_training.run(test_training.line(), test_training.data_of(), 2, device="auto")
assert len(told) == 2
"""
    # Warnings of libraries are the commands' to silence; `occupancy.cli.command` does.
    arguments = [sys.executable, "-W", "ignore", "-B", "-c", script]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
