"""The chain's sums over paths beside pytorch-crf, which takes one step of the sequence at a time."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torchcrf import CRF

from benchmarks.conftest import Race
from occupancy.models.neural.crf import Chain, nll, path_score, viterbi

CLASSES = 4


class Case(NamedTuple):
    """Pytorch-crf and a chain of the same potentials, with sequences of full length."""

    crf: CRF
    chain: Chain
    emissions: Tensor
    labels: Tensor
    mask: Tensor


def case_of(batch: int, steps: int, dtype: torch.dtype = torch.float32) -> Case:
    """Return a case with potentials, emissions (B, T, C) and labels (B, T) by chance."""
    torch.manual_seed(0)
    crf = CRF(CLASSES, batch_first=True).to(dtype)
    chain = Chain(crf.start_transitions, crf.transitions, crf.end_transitions)
    emissions = torch.randn(batch, steps, CLASSES, dtype=dtype, requires_grad=True)
    labels = torch.randint(CLASSES, (batch, steps))
    return Case(crf, chain, emissions, labels, torch.ones(batch, steps, dtype=torch.bool))


def ours(case: Case) -> tuple[Tensor, ...]:
    loss = nll(case.chain, case.emissions, case.labels, case.mask).sum()
    return loss, *torch.autograd.grad(loss, [case.emissions, *case.chain])


def reference(case: Case) -> tuple[Tensor, ...]:
    loss = -case.crf(case.emissions, case.labels, case.mask)
    return loss, *torch.autograd.grad(loss, [case.emissions, *case.chain])


@pytest.mark.parametrize(
    ("batch", "steps", "target", "rounds", "calls"), [(16, 25, 5, 15, 50), (16, 240, 20, 15, 10), (4, 2880, 150, 9, 2)]
)
def test_loss_and_gradient(race: Race, batch: int, steps: int, target: float, rounds: int, calls: int) -> None:
    case, exact = case_of(batch, steps), case_of(batch, steps, torch.float64)
    # In single precision pytorch-crf loses digits over a day of steps.
    torch.testing.assert_close(ours(exact), reference(exact))
    what = f"CRF loss and gradient, batch {batch}, {steps} steps"
    race(what, partial(ours, case), ("pytorch-crf", partial(reference, case)), target, rounds, calls)


def test_viterbi(race: Race) -> None:
    crf, chain, emissions, _, mask = case_of(4, 2880)

    def best() -> Tensor:
        return viterbi(chain, emissions, mask)

    def best_of_crf() -> Tensor:
        return torch.tensor(crf.decode(emissions, mask))

    with torch.no_grad():
        # Where two paths are equally good but for rounding, either may come out.
        exact = Chain(*(part.double() for part in chain)), emissions.double()
        torch.testing.assert_close(path_score(*exact, best()), path_score(*exact, best_of_crf()), rtol=1e-6, atol=0)
        race("CRF best path, batch 4, 2880 steps", best, ("pytorch-crf", best_of_crf), target=15, calls=3)
