from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import pyro
import pytest
import torch
from pyro.infer import Trace_ELBO
from torch import Tensor, nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from occupancy.config import BNN, Train
from occupancy.models.neural.bnn import BayesianNetwork
from occupancy.models.neural.network import Sizes
from occupancy.models.neural.training import WindowModule, train
from occupancy.models.neural.windows import Batches, Windows

Guide = Literal["diagonal", "low_rank"]
GUIDES: list[Guide] = ["diagonal", "low_rank"]
F, C, T, B, ROWS = 3, 4, 2, 5, 50


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def build(
    guide: Guide = "diagonal",
    hidden: tuple[int, ...] = (6,),
    rows: int = ROWS,
    seed: int = 0,
    draws: int = 1,
    prior_std: float = 1.5,
) -> BayesianNetwork:
    settings = BNN(hidden=list(hidden), window=T, guide=guide, draws=draws, prior_std=prior_std)
    with seeded(seed):
        return BayesianNetwork(settings, Sizes(F, C, rows))


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, T, F, generator=generator), torch.randint(0, C, (B,), generator=generator)


def blur(network: BayesianNetwork) -> None:
    """Give every weight another location and scale, as a training would."""
    with torch.no_grad(), seeded(7):
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


def loss_of(network: BayesianNetwork, seed: int, x: Tensor, y: Tensor) -> Tensor:
    with seeded(seed):
        return network.loss(x, y)


def drawn(network: BayesianNetwork, seed: int) -> Tensor:
    with seeded(seed):
        return network.posterior().rsample()


def fit(network: BayesianNetwork, x: Tensor, y: Tensor, steps: int, rate: float = 0.02) -> list[float]:
    optimizer = torch.optim.Adam(network.train().parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses = []
    with seeded(3):
        for _ in range(steps):
            optimizer.zero_grad()
            loss = network.loss(x, y)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    network.eval()
    return losses


def perceptron(network: BayesianNetwork, weights: Tensor) -> nn.Sequential:
    """Return torch's own layers with the weights (D,) of one draw: of each layer a matrix (in, out), then biases."""
    layers: list[nn.Module] = [nn.Flatten()]
    rest = weights.detach()
    for fan_in, out in itertools.pairwise([T * F, *network.settings.hidden, C]):
        linear = nn.Linear(fan_in, out)
        with torch.no_grad():
            linear.weight.copy_(rest[: fan_in * out].view(fan_in, out).T)
            linear.bias.copy_(rest[fan_in * out : (fan_in + 1) * out])
        rest = rest[(fan_in + 1) * out :]
        layers += [linear, nn.ReLU()]
    assert len(rest) == 0
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("guide", GUIDES)
@pytest.mark.parametrize("hidden", [(), (6,), (5, 4, 3)])
def test_predictions_and_samples_are_distributions_over_counts(guide: Guide, hidden: tuple[int, ...]) -> None:
    network, (x, _) = build(guide, hidden).eval(), batch()
    probabilities, samples = network(x), network.sample(x, 7)
    assert probabilities.shape == (B, C)
    assert samples.shape == (7, B, C)
    for values in (probabilities, samples):
        assert (values > 0).all()
        torch.testing.assert_close(values.sum(dim=-1), torch.ones(values.shape[:-1]))


@pytest.mark.parametrize("hidden", [(), (6,), (5, 4, 3)])
def test_a_draw_of_the_weights_is_a_perceptron(hidden: tuple[int, ...]) -> None:
    network, (x, _) = build(hidden=hidden).eval(), batch()
    with seeded(1):
        sample = network.sample(x, 1)[0]
    expected = perceptron(network, drawn(network, 1))(x).softmax(dim=1)
    torch.testing.assert_close(sample, expected)


@pytest.mark.parametrize("guide", GUIDES)
def test_the_loss_is_pyros_own_bound_with_the_kl_in_closed_form(guide: Guide) -> None:
    network, (x, y) = build(guide).train(), batch()
    blur(network)
    weights = drawn(network, 1)
    # Pyro estimates the KL divergence by the same draw.
    guide_distribution: Any = network.posterior()  # mypy knows neither's density
    prior: Any = network.prior()
    estimate = guide_distribution.log_prob(weights) - prior.log_prob(weights)
    with pyro.settings.context(module_local_params=True), seeded(1):
        pyros = Trace_ELBO().differentiable_loss(network.model, network.guide, x, y)  # type: ignore[no-untyped-call]
    ours = ROWS * loss_of(network, 1, x, y) - network.monitored()["kl"] + estimate
    assert ours.item() == pytest.approx(pyros.item(), rel=1e-5)


def test_more_draws_average_the_loss_of_each() -> None:
    one, many = build(draws=1).train(), build(draws=400).train()
    x, y = batch()
    blur(one)
    blur(many)
    losses = torch.stack([loss_of(one, seed, x, y) for seed in range(400)])
    assert loss_of(many, 0, x, y).item() == pytest.approx(losses.mean().item(), abs=5 * losses.std().item() / 20)


def test_the_kl_divergence_of_a_diagonal_guide_is_that_of_two_normals() -> None:
    network = build("diagonal")
    blur(network)
    guide: Any = network.guide
    ours = Independent(Normal(guide.loc, guide.scale), 1)
    prior = Independent(Normal(torch.zeros_like(guide.loc), network.prior_std), 1)
    assert network.monitored()["kl"] == pytest.approx(kl_divergence(ours, prior).item(), rel=1e-5)


def test_the_kl_divergence_of_a_low_rank_guide_is_that_of_two_multivariate_normals() -> None:
    network = build("low_rank")
    blur(network)
    guide: Any = network.guide
    factor = guide.cov_factor * guide.scale[:, None]
    covariance = factor @ factor.T + guide.scale.square().diag()
    ours = MultivariateNormal(guide.loc.double(), covariance.double())
    prior = MultivariateNormal(torch.zeros_like(ours.loc), network.prior_std.double().square().diag())
    assert network.monitored()["kl"] == pytest.approx(kl_divergence(ours, prior).item(), rel=1e-4)


@pytest.mark.parametrize("guide", GUIDES)
def test_the_kl_divergence_is_shared_by_all_training_rows(guide: Guide) -> None:
    few, many, (x, y) = build(guide, rows=10).train(), build(guide, rows=1000).train(), batch()
    difference = loss_of(few, 1, x, y) - loss_of(many, 1, x, y)
    assert difference.item() == pytest.approx(few.monitored()["kl"] * (1 / 10 - 1 / 1000), rel=1e-3)


def test_the_prior_says_the_same_about_layers_of_any_width() -> None:
    network = build(hidden=(8, 5), prior_std=2.0)
    expected = [(2 / math.sqrt(fan_in), (fan_in + 1) * out) for fan_in, out in [(T * F, 8), (8, 5), (5, C)]]
    stds = torch.cat([torch.full((number,), std) for std, number in expected])
    torch.testing.assert_close(network.prior().variance.sqrt(), stds)
    assert not network.prior().mean.any()


def test_the_guide_starts_around_weights_of_he_and_biases_of_zero() -> None:
    network = build(hidden=(2000,))
    loc = network.posterior().mean.detach()
    first, bias = loc[: T * F * 2000], loc[T * F * 2000 :][:2000]
    assert first.std().item() == pytest.approx(math.sqrt(2 / (T * F)), rel=0.03)
    assert first.mean().item() == pytest.approx(0, abs=0.03)
    assert not bias.any()


@dataclass(frozen=True)
class Biases:
    """What is known about two labels whose logits are biases b0 and b1.

    Attributes:
        evidence: log p(counts), or the bound on it.
        difference: posterior variance of b1 - b0, of which the counts tell.
        total: posterior variance of b0 + b1, of which they do not.
    """

    evidence: float
    difference: float
    total: float


def exact_biases(counts: tuple[int, ...]) -> Biases:
    """Return what holds under the prior N(0, 1) of each bias, by sums over a grid."""
    grid = torch.linspace(-8, 8, 801, dtype=torch.float64)
    b0, b1 = torch.meshgrid(grid, grid, indexing="ij")
    log_probs = torch.stack([b0, b1]).log_softmax(dim=0)
    joint = -(b0.square() + b1.square()) / 2 - math.log(2 * math.pi)
    for count in counts:
        joint = joint + log_probs[count]
    share = (joint - joint.logsumexp((0, 1))).exp()

    def variance(values: Tensor) -> float:
        return (share * (values - (share * values).sum()).square()).sum().item()

    evidence = joint.logsumexp((0, 1)) + 2 * torch.log(grid[1] - grid[0])
    return Biases(evidence.item(), variance(b1 - b0), variance(b0 + b1))


@cache
def fitted_biases(guide: Guide, counts: tuple[int, ...]) -> tuple[Biases, BayesianNetwork]:
    """Return what the guide makes of them, and its network; a weight of each label meets inputs of 0."""
    with seeded(0):  # a fan-in of 1 gives every prior a standard deviation of 1
        network = BayesianNetwork(
            BNN(hidden=[], window=1, prior_std=1.0, guide=guide, draws=64), Sizes(1, 2, len(counts))
        )
    x, y = torch.zeros(len(counts), 1, 1), torch.tensor(counts)
    fit(network, x, y, 500, 0.05)
    network.settings = network.settings.model_copy(update={"draws": 20_000})
    bound = -len(counts) * loss_of(network.train(), 5, x, y).item()
    with seeded(6):
        b0, b1 = network.posterior().sample(torch.Size([50_000]))[:, 2:].T
    return Biases(bound, (b1 - b0).var().item(), (b0 + b1).var().item()), network


MANY = (1,) * 30 + (0,) * 10


@pytest.mark.parametrize("counts", [(1,), (0, 1, 1), MANY])
def test_the_low_rank_guide_finds_the_exact_posterior_where_it_is_known(counts: tuple[int, ...]) -> None:
    exact, (fitted, _) = exact_biases(counts), fitted_biases("low_rank", counts)
    assert exact.evidence - 0.04 < fitted.evidence < exact.evidence + 0.01
    assert fitted.difference == pytest.approx(exact.difference, rel=0.1)
    assert fitted.total == pytest.approx(exact.total, rel=0.1)


def test_the_diagonal_guide_bounds_the_evidence_from_below_and_is_too_sure() -> None:
    exact, (fitted, _) = exact_biases(MANY), fitted_biases("diagonal", MANY)
    assert exact.evidence - 1.5 < fitted.evidence < exact.evidence - 0.1
    assert fitted.total < exact.total / 2


@pytest.mark.parametrize("guide", GUIDES)
def test_weights_that_no_row_tells_of_return_to_the_prior(guide: Guide) -> None:
    posterior = fitted_biases(guide, (0, 1, 1))[1].posterior()
    assert posterior.mean[:2].tolist() == pytest.approx([0, 0], abs=0.1)
    assert posterior.variance[:2].tolist() == pytest.approx([1, 1], rel=0.1)


def test_more_rows_make_the_posterior_narrower() -> None:
    variances = [fitted_biases("diagonal", (0, 1, 1) * copies)[0].difference for copies in (1, 5, 25)]
    assert variances == sorted(variances, reverse=True)
    assert variances[2] < variances[0] / 3


def test_in_evaluation_mode_the_loss_is_the_surprise_of_the_mean_prediction_without_the_kl() -> None:
    network, (x, y) = build(rows=1).eval(), batch()
    blur(network)
    of_the_truth = network(x).detach().numpy()[np.arange(B), y.numpy()]
    assert network.loss(x, y).item() == pytest.approx(-np.log(of_the_truth).mean(), rel=1e-5)


def test_the_prediction_without_chance_is_near_the_mean_over_many_draws() -> None:
    network, (x, _) = build().eval(), batch()
    blur(network)
    with seeded(0):
        samples = network.sample(x, 20_000)
    errors = (network(x) - samples.mean(0)) / (samples.std(0) / math.sqrt(32))
    assert 0.1 < errors.abs().max() < 4  # standard errors of 32 draws
    at_the_mean = perceptron(network, network.posterior().mean)(x).softmax(dim=1)
    assert (network(x) - at_the_mean).abs().max() > 0.01


def test_evaluation_neither_reads_nor_moves_the_random_numbers_and_training_does_both() -> None:
    network, (x, y) = build(), batch()

    def results(seed: int) -> tuple[Tensor, Tensor, Tensor]:
        with seeded(seed):
            before = torch.get_rng_state()
            loss, probabilities = network.loss(x, y), network(x)
            moved = torch.tensor(not torch.equal(before, torch.get_rng_state()))
        return loss, probabilities, moved

    network.eval()
    assert all(map(torch.equal, results(1), results(2)))
    assert not results(1)[2]
    network.train()
    assert results(1)[0] == results(1)[0]
    assert results(1)[0] != results(2)[0]
    assert torch.equal(results(1)[1], results(2)[1])


@pytest.mark.parametrize("guide", GUIDES)
def test_a_seed_gives_the_same_weights_whatever_rows_are_asked(guide: Guide) -> None:
    network, (x, _) = build(guide).eval(), batch()

    def draw(rows: Tensor, seed: int) -> Tensor:
        with seeded(seed):
            return network.sample(rows, 3)

    torch.testing.assert_close(torch.cat([draw(x[:2], 1), draw(x[2:], 1)], dim=1), draw(x, 1))
    assert not torch.equal(draw(x, 1), draw(x, 2))


def test_a_draw_serves_all_rows_and_draws_differ() -> None:
    network = build().eval()
    samples = network.sample(batch()[0][:1].expand(B, T, F), 6)
    assert torch.equal(samples, samples[:, :1].expand_as(samples))
    assert len({*map(tuple, samples[:, 0].tolist())}) == 6


def test_another_seed_gives_another_start() -> None:
    assert torch.equal(build(seed=1).posterior().mean, build(seed=1).posterior().mean)
    assert not torch.equal(build(seed=1).posterior().mean, build(seed=2).posterior().mean)


@pytest.mark.parametrize("guide", GUIDES)
@pytest.mark.parametrize("hidden", [(), (6,)])
def test_the_counts_reach_every_parameter(guide: Guide, hidden: tuple[int, ...]) -> None:
    network = build(guide, hidden, rows=10**12, draws=20).train()  # rows that make nothing of the KL divergence
    x = torch.randn(200, T, F, generator=torch.Generator().manual_seed(0))  # so many that each unit is on for some
    torch.autograd.backward(loss_of(network, 1, x, torch.arange(200) % C))
    names = {name for name, _ in network.named_parameters()}
    assert names == {"guide.loc", "guide.scale_unconstrained"} | (
        {"guide.cov_factor"} if guide == "low_rank" else set()
    )
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad.abs() > 1e-8).all(), name


@pytest.mark.parametrize("guide", GUIDES)
def test_training_learns_which_rows_have_which_count(guide: Guide) -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(C).repeat(40)
    x = 3 * nn.functional.one_hot(y, T * F).float() + 0.3 * torch.randn(len(y), T * F, generator=generator)
    network = build(guide, rows=len(y), draws=4)
    before = network.monitored()["kl"]
    losses = fit(network, x.view(-1, T, F), y, 400)
    assert losses[-1] < losses[0] / 3
    assert torch.equal(network(x.view(-1, T, F)).argmax(dim=1), y)
    assert network.monitored()["kl"] != before


def test_the_draws_disagree_more_far_from_the_training_rows_than_on_them() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(2).repeat(100)
    x = torch.randn(200, 1, 2, generator=generator) * 0.3
    x[:, 0, 0] += 2.0 * y - 1  # the labels lie along the first axis, nothing along the second
    with seeded(0):
        network = BayesianNetwork(BNN(hidden=[16], window=1, prior_std=3.0, draws=4), Sizes(2, 2, 200))
    fit(network, x, y, 400)
    angles = torch.arange(0, 2 * math.pi, math.pi / 8)
    far = 30 * torch.stack([angles.cos(), angles.sin()], dim=1)[:, None]
    with seeded(1):
        on_them, away = (network.sample(rows, 300).std(dim=0).mean() for rows in (x, far))
    assert away > 3 * on_them


@pytest.mark.parametrize("guide", GUIDES)
def test_two_networks_trained_in_turns_become_what_each_becomes_alone(guide: Guide) -> None:
    def step(network: BayesianNetwork, optimizer: torch.optim.Optimizer, number: int) -> None:
        optimizer.zero_grad()
        torch.autograd.backward(loss_of(network, number, *batch(number)))
        optimizer.step()

    def trained(*seeds: int) -> list[Tensor]:
        networks = [build(guide, seed=seed) for seed in seeds]
        optimizers = [torch.optim.Adam(network.parameters(), 0.05) for network in networks]
        for number in range(5):
            for network, optimizer in zip(networks, optimizers, strict=True):
                step(network, optimizer, number)
                pyro.clear_param_store()
        return [network.posterior().mean.detach() for network in networks]

    (one,), (two,) = trained(1), trained(2)
    assert all(map(torch.equal, trained(1, 2), [one, two]))
    assert not torch.equal(one, two)


@pytest.mark.parametrize("guide", GUIDES)
def test_pyros_global_parameters_and_settings_stay_as_they_were(guide: Guide) -> None:
    pyro.clear_param_store()
    pyro.param("someone.elses", torch.ones(1))
    before = pyro.settings.get()
    network, (x, y) = build(guide), batch()
    torch.autograd.backward(network.loss(x, y))
    network.sample(x, 2)
    network(x)
    network.monitored()
    assert list(pyro.get_param_store().keys()) == ["someone.elses"]
    assert pyro.settings.get() == before
    assert not before["module_local_params"]  # nor did the import change Pyro's default
    pyro.clear_param_store()


@pytest.mark.parametrize("guide", GUIDES)
def test_saved_weights_load_without_pickle_and_sample_the_same(guide: Guide) -> None:
    network, (x, _) = build(guide, hidden=(6, 5), seed=1).eval(), batch()
    blur(network)
    assert network.state_dict().keys() == {name for name, _ in network.named_parameters()}
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    pyro.clear_param_store()
    again = build(guide, hidden=(6, 5), seed=2, rows=1).eval()
    again.load_state_dict(torch.load(file, weights_only=True))
    with seeded(4):
        expected = network.sample(x, 3)
    with seeded(4):
        assert torch.equal(again.sample(x, 3), expected)
    assert torch.equal(again(x), network(x))


@pytest.mark.parametrize("guide", GUIDES)
def test_all_of_it_moves_to_another_type_as_to_another_device(guide: Guide) -> None:
    network, (x, y) = build(guide).double().train(), batch()
    assert network.loss(x.double(), y).dtype == torch.float64
    torch.autograd.backward(network.loss(x.double(), y))
    assert network.eval()(x.double()).dtype == torch.float64
    assert network.sample(x.double(), 2).dtype == torch.float64
    assert network.prior().variance.dtype == torch.float64


def test_the_repositorys_trainer_trains_it_and_shows_its_kl() -> None:
    generator = torch.Generator().manual_seed(0)
    values, counts = torch.randn(60, F, generator=generator).numpy(), torch.arange(60) % C
    windows, rows = Windows(values, np.zeros(60, np.int64), T), np.arange(60)
    data = WindowModule(
        Batches(windows, rows[:40], counts[:40], 16, torch.Generator().manual_seed(0)),
        Batches(windows, rows[40:], counts[40:], 64),
    )
    network, told = build(rows=40), []
    with seeded(1):
        settings = Train(learning_rate=1e-2, weight_decay=0.0, device="cpu")
        task = train(network, data, settings, 3, lambda *epoch: told.append(epoch), "best")
    assert len(task.val_losses) == len(told) == 3
    assert task.val_outputs[0].shape == (20, C)
    task.restore(int(np.argmin(task.val_losses)) + 1)
    x, y = next(iter(data.val or []))
    assert network.loss(x, y).item() == pytest.approx(min(task.val_losses), rel=1e-5)
    assert network.monitored()["kl"] > 0
