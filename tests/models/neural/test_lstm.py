from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from occupancy.config import LSTM
from occupancy.models.neural.lstm import LSTMNetwork
from occupancy.models.neural.network import Sizes

Head = Literal["regression", "classification", "ordinal"]
Cell = Literal["lstm", "gru"]
Floats = NDArray[np.float64]
HEADS: list[Head] = ["regression", "classification", "ordinal"]
CELLS: list[Cell] = ["lstm", "gru"]
F, C, T, B = 3, 4, 5, 6


def build(
    head: Head = "regression", layers: int = 2, dropout: float = 0.4, seed: int = 0, cell: Cell = "lstm"
) -> LSTMNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        settings = LSTM(head=head, cell=cell, layers=layers, hidden=4, dropout=dropout)
        return LSTMNetwork(settings, Sizes(F, C))


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, T, F, generator=generator), torch.randint(0, C, (B,), generator=generator)


def modes(network: nn.Module) -> dict[str, bool]:
    return {name: module.training for name, module in network.named_modules()}


def sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-values)), np.float64)


def weights(module: nn.Module, name: str) -> Floats:
    values: Floats = module.state_dict()[name].double().numpy()
    return values


def states_by_hand(layer: nn.Module, x: Floats) -> Floats:
    """Return the hidden states (B, T, H) of one layer by the equations of the LSTM."""
    inputs, recurrent = weights(layer, "weight_ih_l0"), weights(layer, "weight_hh_l0")
    bias = weights(layer, "bias_ih_l0") + weights(layer, "bias_hh_l0")
    hidden = np.zeros((len(x), recurrent.shape[1]))
    cell = np.zeros_like(hidden)
    states = []
    for sample in x.swapaxes(0, 1):
        gates = np.split(sample @ inputs.T + hidden @ recurrent.T + bias, 4, axis=1)
        let_in, keep, candidate, let_out = sigmoid(gates[0]), sigmoid(gates[1]), np.tanh(gates[2]), sigmoid(gates[3])
        cell = keep * cell + let_in * candidate
        hidden = let_out * np.tanh(cell)
        states.append(hidden)
    return np.stack(states, axis=1)


def codes_by_hand(network: LSTMNetwork, x: Tensor) -> Floats:
    states: Floats = x.double().numpy()
    for layer in network.layers:
        states = states_by_hand(layer, states)
    return states[:, -1]


def head_by_hand(network: LSTMNetwork, codes: Floats) -> Floats:
    return codes @ weights(network, "head.linear.weight").T + weights(network, "head.linear.bias")


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_regression_is_the_lstm_equations_and_a_line(layers: int) -> None:
    network, (x, _) = build(layers=layers).eval(), batch()
    expected = head_by_hand(network, codes_by_hand(network, x))[:, 0]
    assert network(x).tolist() == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_classification_is_the_lstm_equations_and_a_softmax(layers: int) -> None:
    network, (x, _) = build("classification", layers).eval(), batch()
    powers = np.exp(head_by_hand(network, codes_by_hand(network, x)))
    np.testing.assert_allclose(network(x).detach().numpy(), powers / powers.sum(axis=1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_a_network_of_one_layer_is_torchs_layer_and_a_linear_one(cell: Cell) -> None:
    network, (x, _) = build(layers=1, cell=cell).eval(), batch()
    layer = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](F, 4, batch_first=True)
    linear = nn.Linear(4, 1)
    layer.load_state_dict(network.layers[0].state_dict())
    linear.load_state_dict(network.head.linear.state_dict())
    assert torch.equal(network(x), linear(layer(x)[0][:, -1])[:, 0])


def test_without_cell_and_balance_a_network_starts_and_learns_as_it_did_before_there_were_any() -> None:
    network, (x, y) = build("classification", dropout=0.0), batch()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = nn.LSTM(F, 4, batch_first=True), nn.LSTM(4, 4, batch_first=True)
        linear = nn.Linear(4, C)
    plain = nn.ModuleList([first, second, linear])
    loss = nn.functional.cross_entropy(linear(second(first(x)[0])[0][:, -1]), y)
    torch.autograd.backward(loss)
    torch.autograd.backward(network.loss(x, y))
    assert torch.equal(network.loss(x, y), loss)
    for weight, before in zip(network.parameters(), plain.parameters(), strict=True):
        assert weight.grad is not None
        assert before.grad is not None
        assert torch.equal(weight, before)
        assert torch.equal(weight.grad, before.grad)
    assert [*network.state_dict()] == [name for name, _ in network.named_parameters()]


def test_a_regression_predicts_people_and_a_classification_a_distribution_for_each_row() -> None:
    x, _ = batch()
    assert build("regression").eval()(x).shape == (B,)
    probabilities = build("classification").eval()(x)
    assert probabilities.shape == (B, C)
    assert (probabilities > 0).all()
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(B))


def test_the_regressions_loss_is_the_mean_squared_error() -> None:
    network, (x, y) = build().eval(), batch()
    errors = [people - count for people, count in zip(network(x).tolist(), y.tolist(), strict=True)]
    assert network.loss(x, y).item() == pytest.approx(sum(error**2 for error in errors) / B, rel=1e-5)


def test_the_classifications_loss_is_the_mean_surprise_in_nats() -> None:
    network, (x, y) = build("classification").eval(), batch()
    of_the_truth = network(x).detach().numpy()[np.arange(B), y.numpy()]
    assert network.loss(x, y).item() == pytest.approx(-np.log(of_the_truth).mean(), rel=1e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("head", HEADS)
def test_the_gradient_reaches_every_parameter(head: Head, cell: Cell) -> None:
    network, (x, y) = build(head, layers=3, dropout=0.0, cell=cell), batch()
    torch.autograd.backward(network.loss(x, y))
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).any(), name


@pytest.mark.parametrize("head", HEADS)
def test_a_prediction_is_the_same_each_time_and_training_is_not(head: Head) -> None:
    network, (x, y) = build(head), batch()
    network.eval()
    assert torch.equal(network(x), network(x))
    network.train()
    assert not torch.equal(network(x), network(x))
    assert network.loss(x, y) != network.loss(x, y)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_dropout_follows_every_layer_and_the_last_precedes_the_head(layers: int) -> None:
    network, (x, _) = build(layers=layers), batch()
    called: list[str] = []

    def note(module: nn.Module, _inputs: tuple[Tensor, ...], _output: object) -> None:
        called.append(type(module).__name__)

    for module in network.modules():
        if isinstance(module, nn.LSTM | nn.Dropout | nn.Linear):
            module.register_forward_hook(note)
    network(x)
    assert called == ["LSTM", "Dropout"] * layers + ["Linear"]


def test_dropout_at_work_blanks_and_scales_what_each_following_layer_gets() -> None:
    dropout = 0.4
    network, (x, _) = build(layers=2, dropout=dropout).train(), batch()
    given: list[tuple[Tensor, Tensor]] = []  # of each dropout layer: what it was given, and what came out
    received: list[Tensor] = []
    for layer in network.dropouts:
        layer.register_forward_hook(lambda _module, inputs, output: given.append((inputs[0], output)))
    for module in [network.layers[1], network.head.linear]:
        module.register_forward_pre_hook(lambda _module, inputs: received.append(inputs[0]))
    network(x)
    for (before, after), seen in zip(given, received, strict=True):
        assert seen is after
        blank = after == 0
        assert 0 < blank.sum() < blank.numel()
        torch.testing.assert_close(after[~blank], before[~blank] / (1 - dropout))
    assert given[0][0].shape == (B, T, 4)
    assert given[1][0].shape == (B, 4)


def test_almost_full_dropout_leaves_the_head_its_bias() -> None:
    network, (x, _) = build(dropout=1 - 1e-9).train(), batch()
    assert torch.equal(network(x), network.head.linear.bias.expand(B))


@pytest.mark.parametrize("head", HEADS)
def test_samples_come_first_in_the_shape(head: Head) -> None:
    x, _ = batch()
    assert build(head).eval().sample(x, 7).shape == ((7, B) if head == "regression" else (7, B, C))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("head", HEADS)
def test_samples_do_not_spread_without_dropout(head: Head, layers: int, cell: Cell) -> None:
    network, (x, _) = build(head, layers, dropout=0.0, cell=cell).eval(), batch()
    samples = network.sample(x, 5)
    assert torch.equal(samples, network(x).expand_as(samples))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("head", HEADS)
def test_samples_spread_in_every_row_with_dropout(head: Head, layers: int, cell: Cell) -> None:
    samples = build(head, layers, cell=cell).eval().sample(batch()[0], 50)
    assert (samples.std(dim=0) > 0).all()


@pytest.mark.parametrize("head", ["classification", "ordinal"])
def test_sampled_probabilities_sum_to_one_in_every_pass(head: Head) -> None:
    samples = build(head).eval().sample(batch()[0], 20)
    torch.testing.assert_close(samples.sum(dim=-1), torch.ones(20, B))


def test_passes_of_a_linear_head_have_the_mean_and_variance_of_bernoulli_dropout() -> None:
    # One layer: dropout acts on the code alone, so the head's output is a weighted sum of Bernoulli variables.
    passes, dropout = 20_000, 0.4
    network, (x, _) = build(layers=1, dropout=dropout).eval(), batch()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        samples = network.sample(x, passes).double()
    terms = codes_by_hand(network, x) * weights(network, "head.linear.weight")
    variance = dropout / (1 - dropout) * (terms**2).sum(axis=1)
    errors = (samples.mean(dim=0) - network(x)).detach().numpy() / np.sqrt(variance / passes)
    assert np.abs(errors).max() < 4  # standard errors
    assert samples.var(dim=0).numpy() == pytest.approx(variance, rel=0.05)


def test_passes_draw_their_masks_from_torchs_generator() -> None:
    network, (x, _) = build().eval(), batch()

    def draw(seed: int) -> Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return network.sample(x, 3)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


@pytest.mark.parametrize("head", HEADS)
def test_samples_carry_no_gradient(head: Head) -> None:
    assert not build(head).train().sample(batch()[0], 2).requires_grad


@pytest.mark.parametrize("training", [True, False])
def test_every_modules_mode_comes_back_as_it_was(training: bool) -> None:
    network, (x, _) = build(layers=3), batch()
    network.train(training)
    before = modes(network)
    network.sample(x, 2)
    assert modes(network) == before


def test_a_mixture_of_modes_comes_back_as_it_was_for_a_network_inside_another() -> None:
    outer = nn.Sequential(build(layers=3), nn.Dropout(0.5)).eval()
    network = outer[0]
    assert isinstance(network, LSTMNetwork)
    network.dropouts[1].train()
    network.head.train()
    before = modes(outer)
    assert set(before.values()) == {True, False}
    network.sample(batch()[0], 2)
    assert modes(outer) == before


def test_modes_come_back_when_a_pass_fails() -> None:
    network, (x, _) = build(), batch()
    network.eval()
    during: list[dict[str, bool]] = []

    def fail(*_: object) -> None:
        during.append(modes(network))
        raise RuntimeError("the head fails")

    network.head.linear.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="the head fails"):
        network.sample(x, 2)
    assert any(during[0].values())  # dropout was on when it failed
    assert not any(modes(network).values())


def test_only_the_dropout_layers_are_switched_on_while_sampling() -> None:
    network, (x, _) = build(), batch()
    network.eval()
    during: list[dict[str, bool]] = []
    network.head.linear.register_forward_hook(lambda *_: during.append(modes(network)))
    network.sample(x, 1)
    on = {name for name, training in during[0].items() if training}
    assert on - {"dropouts"} == {"dropouts.0", "dropouts.1"}


def test_the_first_layer_runs_once_for_all_passes() -> None:
    network, (x, _) = build(layers=2), batch()
    network.eval()
    calls = [0, 0]

    def count(layer: int) -> None:
        def add(*_: object) -> None:
            calls[layer] += 1

        network.layers[layer].register_forward_hook(add)

    count(0)
    count(1)
    network.sample(x, 9)
    assert calls == [1, 9]
