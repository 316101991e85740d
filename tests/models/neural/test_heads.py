from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn

from occupancy.config import LSTM, RandomForest
from occupancy.models.neural.heads import ClassificationHead, OrdinalHead, make_head
from occupancy.models.neural.network import Sizes

Head = ClassificationHead | OrdinalHead
Floats = NDArray[np.float64]
H, C, B = 3, 4, 12
HEADS = [ClassificationHead, OrdinalHead]


def head_of(kind: type[Head] = OrdinalHead, weights: Tensor | None = None, seed: int = 0) -> Head:
    """Return a head in double precision, its weights drawn wide enough that thresholds and numbers matter."""
    generator = torch.Generator().manual_seed(seed)
    head = kind(H, torch.ones(C) if weights is None else weights).double()
    for weight in head.parameters():
        weight.data = torch.randn(weight.shape, generator=generator, dtype=torch.double)
    return head


def batch(rows: int = B, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, H, generator=generator, dtype=torch.double), torch.arange(rows) ** 2 % C


def probs_by_hand(head: OrdinalHead, code: Tensor) -> Floats:
    """Return the probabilities (B, C) as differences of cumulative logistic ones, McCullagh (1980), equation 2.2."""
    rises = np.log1p(np.exp(head.steps.detach().numpy()))
    thresholds = np.concatenate([head.first.detach().numpy(), rises]).cumsum()
    number = code.numpy() @ head.linear.weight.detach().numpy()[0]
    at_most = 1 / (1 + np.exp(number[:, None] - thresholds))
    return np.diff(at_most, axis=1, prepend=0.0, append=1.0)


def test_the_ordinal_probabilities_are_differences_of_cumulative_ones() -> None:
    head, (code, _) = head_of(), batch()
    assert isinstance(head, OrdinalHead)
    np.testing.assert_allclose(head(code).detach().numpy(), probs_by_hand(head, code), rtol=1e-10)


def test_the_ordinal_loss_is_the_mean_surprise_in_nats() -> None:
    head, (code, y) = head_of(), batch()
    assert isinstance(head, OrdinalHead)
    of_the_truth = probs_by_hand(head, code)[np.arange(B), y.numpy()]
    assert head.loss(code, y).item() == pytest.approx(-np.log(of_the_truth).mean(), rel=1e-10)


def test_the_ordinal_loss_has_the_gradient_of_finite_differences() -> None:
    head, (code, y) = head_of(weights=torch.tensor([0.5, 1.0, 2.0, 4.0])), batch()
    names = [name for name, _ in head.named_parameters()]

    def loss(code: Tensor, *weights: Tensor) -> Tensor:
        state = dict(zip(names, weights, strict=True))
        loss: Tensor = torch.func.functional_call(
            _Loss(head), {f"head.{name}": state[name] for name in names}, (code, y)
        )
        return loss

    assert torch.autograd.gradcheck(loss, (code.requires_grad_(), *head.parameters()))


class _Loss(nn.Module):
    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, code: Tensor, y: Tensor) -> Tensor:
        return self.head.loss(code, y)


@pytest.mark.parametrize("step", [-30.0, -1.0, 0.0, 5.0])
def test_thresholds_rise_whatever_their_steps(step: float) -> None:
    head = head_of()
    assert isinstance(head, OrdinalHead)
    torch.nn.init.constant_(head.steps, step)
    assert (head.thresholds().diff() > 0).all()
    assert (head(batch()[0]) > 0).all()


def test_odds_of_more_people_differ_between_two_rows_by_the_same_factor_for_all_counts() -> None:
    probs = head_of()(batch()[0])
    above = probs.flip(1).cumsum(1).flip(1)[:, 1:]
    log_odds = above.logit()
    torch.testing.assert_close(log_odds[1:] - log_odds[:-1], (log_odds[1:, :1] - log_odds[:-1, :1]).expand(-1, C - 1))


def test_a_count_that_is_all_but_ruled_out_keeps_the_digits_of_its_surprise() -> None:
    head = OrdinalHead(1, torch.ones(C))
    nn.init.ones_(head.linear.weight)
    number, y = torch.tensor([[200.0], [-200.0], [200.0]]), torch.tensor([0, 3, 1])
    low, middle, high = head.thresholds().tolist()
    expected = (200 - low + 200 + high + 200 - middle - np.log1p(-np.exp(low - middle))) / 3
    assert head.loss(number, y).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 4, 9])
def test_an_untrained_ordinal_head_gives_all_counts_the_same_at_0(classes: int) -> None:
    head = OrdinalHead(H, torch.ones(classes))
    torch.testing.assert_close(head(torch.zeros(1, H)), torch.full((1, classes), 1 / classes))


def test_of_two_counts_the_ordinal_head_is_a_logistic_regression() -> None:
    head, (code, _) = OrdinalHead(H, torch.ones(2)).double(), batch()
    y = torch.arange(B) % 2
    log_odds = head.linear(code)[:, 0] - head.first
    assert head.loss(code, y).item() == pytest.approx(
        nn.functional.binary_cross_entropy_with_logits(log_odds, y.double()).item()
    )


def fitted_without_sensors(weights: Tensor, y: Tensor) -> list[float]:
    """Return what an ordinal head says after maximum likelihood on counts alone."""
    head, code = OrdinalHead(H, weights).double(), torch.zeros(len(y), H, dtype=torch.double)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = head.loss(code, y)
        torch.autograd.backward(loss)
        return loss.item()

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    probs: list[float] = head(code)[0].tolist()
    return probs


def test_without_sensors_the_ordinal_head_learns_the_shares_of_the_labels() -> None:
    y = torch.tensor([0] * 10 + [1] * 5 + [2] * 2 + [3] * 3)
    assert fitted_without_sensors(torch.ones(C), y) == pytest.approx([0.5, 0.25, 0.1, 0.15], abs=1e-4)


def test_without_sensors_balance_gives_all_learned_labels_the_same_share() -> None:
    labels = (10, 5, 2, 3)
    y = torch.arange(C).repeat_interleave(torch.tensor(labels))
    weights = Sizes(H, C, sum(labels), labels).label_weights
    assert fitted_without_sensors(weights, y) == pytest.approx([0.25] * C, abs=1e-4)


def test_label_weights_are_scikit_learns_and_1_on_average() -> None:
    labels = (100, 10, 4, 6)
    y = np.repeat(np.arange(C), labels)
    weights = Sizes(H, C, 120, labels).label_weights.double().numpy()
    np.testing.assert_allclose(weights, compute_class_weight("balanced", classes=np.arange(C), y=y), rtol=1e-6)
    assert weights[y].mean() == pytest.approx(1)


def test_a_label_without_training_rows_weighs_as_one_row_and_leaves_the_others_balanced() -> None:
    assert Sizes(H, C, 40, (30, 10, 0, 0)).label_weights.tolist() == pytest.approx([2 / 3, 2, 1, 1])


@pytest.mark.parametrize("kind", HEADS)
def test_a_balanced_loss_over_all_rows_is_the_mean_of_each_labels_own(kind: type[Head]) -> None:
    code, y = batch(rows=21)
    labels = torch.bincount(y, minlength=C).tolist()
    assert len(set(labels)) > 1
    head = head_of(kind, Sizes(H, C, len(y), tuple(labels)).label_weights)
    plain = head_of(kind)
    known = [label for label in range(C) if labels[label]]
    each = [plain.loss(code[y == label], y[y == label]).item() for label in known]
    assert head.loss(code, y).item() == pytest.approx(np.mean(each), rel=1e-6)


@pytest.mark.parametrize("kind", HEADS)
def test_batches_of_a_balanced_loss_average_to_that_of_all_their_rows(kind: type[Head]) -> None:
    head, (code, y) = head_of(kind, torch.tensor([0.2, 1.0, 3.0, 9.0])), batch()
    parts = [head.loss(code[part], y[part]).item() for part in (slice(0, 4), slice(4, 8), slice(8, 12))]
    assert np.mean(parts) == pytest.approx(head.loss(code, y).item())


@pytest.mark.parametrize("head", ["classification", "ordinal"])
def test_a_head_is_balanced_by_its_sizes_only_if_its_settings_ask_for_it(head: str) -> None:
    sizes = Sizes(2, C, 120, (100, 10, 4, 6))
    for balanced, weights in [(True, sizes.label_weights), (False, torch.ones(C))]:
        made = make_head(LSTM.model_validate({"head": head, "balanced": balanced}), sizes)
        assert isinstance(made, Head)
        assert torch.equal(made.weights, weights)


@pytest.mark.parametrize("model", [LSTM, RandomForest])
def test_balance_is_refused_for_a_regression(model: type[LSTM | RandomForest]) -> None:
    with pytest.raises(ValidationError, match="balanced conflicts with head 'regression', which has no labels; remove"):
        model(head="regression", balanced=True)
