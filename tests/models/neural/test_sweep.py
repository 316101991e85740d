from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from occupancy.models.neural import crf
from occupancy.models.neural.crf import Chain

LENGTHS = [[7], [1], [13, 1, 6, 13], [40, 25]]
each_length = pytest.mark.parametrize("lengths", LENGTHS, ids=str)


def case_of(lengths: list[int], classes: int = 5) -> tuple[Chain, Tensor, Tensor, Tensor]:
    """Return random potentials, emissions (B, T, C), labels and a mask (B, T), in double precision."""
    generator = torch.Generator().manual_seed(len(lengths))

    def draw(*shape: int) -> Tensor:
        return 2 * torch.randn(shape, generator=generator, dtype=torch.float64)

    batch, most = len(lengths), max(lengths)
    chain = Chain(draw(classes), draw(classes, classes), draw(classes))
    mask = torch.arange(most) < torch.tensor(lengths)[:, None]
    return chain, draw(batch, most, classes), torch.randint(0, classes, (batch, most), generator=generator), mask


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Tensor]], tuple[Tensor, Tensor]]:
    """Return what gives the result by the tree, and that step by step."""

    def compute(function: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        by_tree = function()
        monkeypatch.setattr(crf, "TREE_LABELS", 1)
        return by_tree, function()

    return compute


@each_length
@pytest.mark.parametrize("function", [crf.log_normaliser, crf.marginals, crf.filtered])
def test_sums_step_by_step_are_those_of_the_tree(
    function: Callable[..., Tensor], lengths: list[int], both: Callable[..., tuple[Tensor, Tensor]]
) -> None:
    chain, emissions, _, mask = case_of(lengths)
    by_tree, by_step = both(lambda: function(chain, emissions, mask))
    torch.testing.assert_close(by_step, by_tree, rtol=1e-9, atol=1e-12)


@each_length
def test_the_best_path_step_by_step_is_that_of_the_tree(
    lengths: list[int], both: Callable[..., tuple[Tensor, Tensor]]
) -> None:
    chain, emissions, _, mask = case_of(lengths)
    by_tree, by_step = both(lambda: crf.viterbi(chain, emissions, mask))
    assert torch.equal(by_step, by_tree)


@each_length
def test_the_loss_and_its_gradient_are_those_of_the_tree(
    lengths: list[int], both: Callable[..., tuple[Tensor, Tensor]]
) -> None:
    chain, emissions, labels, mask = case_of(lengths)

    def gradients() -> Tensor:
        leaves = [part.clone().requires_grad_() for part in (*chain, emissions)]
        loss = crf.nll(Chain(*leaves[:3]), leaves[3], labels, mask)
        found = torch.autograd.grad(loss.sum(), leaves)
        return torch.cat([loss.detach(), *(part.flatten() for part in found)])

    by_tree, by_step = both(gradients)
    torch.testing.assert_close(by_step, by_tree, rtol=1e-9, atol=1e-10)


def test_two_hundred_labels_are_no_matter() -> None:
    chain, emissions, labels, mask = case_of([300, 200], classes=201)
    single = Chain(*(part.float().requires_grad_() for part in chain))
    loss = crf.nll(single, emissions.float(), labels, mask).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in single)
    for function in (crf.marginals, crf.filtered):
        shares = function(chain, emissions, mask).sum(2)
        torch.testing.assert_close(shares, mask.double())
    assert crf.viterbi(chain, emissions, mask)[1, 200:].eq(-1).all()
