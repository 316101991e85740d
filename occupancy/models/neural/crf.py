"""Linear-chain conditional random fields (Lafferty, McCallum and Pereira 2001) in log2(T) batched operations.

A step is a matrix of log-potentials [label before, label after], and a span of steps is the product of its matrices:
in the semiring (log-sum-exp, +) for probabilities, in (max, +) for the best path. A balanced tree of products holds
every span that a sweep down the tree needs: for the messages that arrive at each step (Blelloch 1990), or for the
label between two known labels. All products are computed on logarithms, because scaled probabilities lose paths that
a later step makes likely again.

With many labels, `sweep` does the same one step at a time.

Inside, labels come first, (C, C, T, B), and the steps are stored in an order in which the left and the right children
of a level are two blocks, so that every operation works on long contiguous memory.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from occupancy.models.neural import sweep

TREE_LABELS = 8
"""The most labels C for which the tree is used, whose memory and time grow with C ** 3."""


class Chain(NamedTuple):
    """Finite log-potentials of all sequences; ``transitions[i, j]`` is for the move from label i to label j."""

    start: Tensor  # (C,)
    transitions: Tensor  # (C, C)
    end: Tensor  # (C,)


def nll(chain: Chain, emissions: Tensor, labels: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the negative log-likelihood of label paths (B, T), nats, (B,); differentiable once.

    It is `log_normaliser` minus `path_score`, at the cost of the former only.
    """
    if _has_many(chain, emissions, mask):
        return log_normaliser(chain, emissions, mask) - path_score(chain, emissions, labels, mask)
    total: Tensor = _LogNormaliser.apply(emissions, mask, _known(labels, emissions, mask), *chain)  # type: ignore[no-untyped-call]
    return total


def log_normaliser(chain: Chain, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the logarithm of the sum over all label paths of exp(score), (B,); differentiable once.

    Args:
        chain: the potentials of all sequences.
        emissions: (B, T, C) finite log-potentials of the labels at each step; the values at masked steps are ignored.
        mask: (B, T) true on the first steps of each sequence, at least one; None for all steps.
    """
    if _has_many(chain, emissions, mask):
        return sweep.log_normaliser(chain, emissions, mask)
    total: Tensor = _LogNormaliser.apply(emissions, mask, None, *chain)  # type: ignore[no-untyped-call]
    return total


def path_score(chain: Chain, emissions: Tensor, labels: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the summed log-potentials of label paths (B, T), (B,); labels at masked steps are ignored."""
    lengths, labels = _lengths(chain, emissions, mask), _known(labels, emissions, mask)
    emitted = emissions.gather(2, labels[..., None])[..., 0]
    moved = chain.transitions[labels[:, :-1], labels[:, 1:]]
    if mask is not None:
        emitted, moved = emitted.where(mask, 0.0), moved.where(mask[:, 1:], 0.0)
    last = labels.gather(1, lengths[:, None] - 1)[:, 0]
    return chain.start[labels[:, 0]] + emitted.sum(1) + moved.sum(1) + chain.end[last]


@torch.no_grad()
def marginals(chain: Chain, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the probability of each label given all emissions, (B, T, C); 0 on masked steps."""
    if _has_many(chain, emissions, mask):
        return sweep.marginals(chain, emissions, mask)
    steps = _steps(chain, emissions, mask)
    levels, weights, _ = _sum_tree(steps.leaves)
    pairs = _pairs((steps.first + levels[-1]).flatten(0, 1).softmax(0), weights)
    return _in_time(pairs.sum(1) * (steps.moves + steps.last))


@torch.no_grad()
def filtered(chain: Chain, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the probability of each label given the emissions up to its step, (B, T, C); 0 on masked steps.

    The value at step t is the last marginal of a chain that ends at t, so the potential ``end`` counts at every step.
    """
    if _has_many(chain, emissions, mask):
        return sweep.filtered(chain, emissions, mask)
    steps = _steps(chain, emissions, mask)
    levels, _, _ = _sum_tree(steps.leaves)
    messages = steps.first  # (C, 1, n, B), the message that arrives at each node
    for level in reversed(levels[:-1]):
        left, _, _ = _children(level)
        through = (messages[:, :, : left.shape[2]] + left).logsumexp(0)[:, None]
        messages = torch.cat([messages, through], dim=2)
    return _in_time((messages[:, 0] + chain.end[:, None, None]).softmax(0) * (steps.moves + steps.last))


@torch.no_grad()
def viterbi(chain: Chain, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return a label path of the highest score, (B, T); -1 on masked steps."""
    if _has_many(chain, emissions, mask):
        return sweep.viterbi(chain, emissions, mask)
    # In single precision, the sum over a long path is rounded by more than the difference between two paths.
    steps = _steps(Chain(*(part.double() for part in chain)), emissions.double(), mask)
    levels = [steps.leaves]
    while levels[-1].shape[2] > 1:
        left, alone, right = _children(levels[-1])
        levels.append(torch.cat([(left.unsqueeze(2) + right).amax(1), alone], dim=2))
    classes, _, _, batch = steps.leaves.shape
    whole = (steps.first + levels[-1]).flatten(0, 1).argmax(0)
    before, after = whole // classes, whole % classes  # (n, B), the labels around each node
    for level in reversed(levels[:-1]):
        left, _, right = _children(level)
        pairs = right.shape[2]
        into = left.gather(0, before[:pairs].expand(1, classes, pairs, batch))[0]
        out_of = right.gather(1, after[:pairs].expand(classes, 1, pairs, batch))[:, 0]
        between = (into + out_of).argmax(0)
        before, after = torch.cat([before, between]), torch.cat([between, after[pairs:], after[:pairs]])
    return _in_time(before.where(steps.moves + steps.last > 0, -1)[None])[..., 0]


class _LogNormaliser(torch.autograd.Function):
    """The log-normaliser, minus the score of label paths if they are given.

    The gradient is the expected number of uses of each potential, minus the number of uses by the path.
    """

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, mask: Tensor | None, labels: Tensor | None, *chain: Tensor) -> Tensor:
        steps, classes = _steps(Chain(*chain), emissions, mask), emissions.shape[2]
        levels, weights, scale = _sum_tree(steps.leaves)
        whole = (steps.first + levels[-1]).flatten(0, 1)
        total = whole.logsumexp(0)[0] + scale
        path = None
        if labels is not None:
            order, following, _ = _order(labels.shape[1], labels.device)
            path = (labels.T[order] * classes + labels.T[following])[None]  # (1, T, B) among the C * C pairs
            score = steps.leaves.flatten(0, 1).gather(0, path)[0].mul_(steps.moves + steps.last).sum(0)
            total -= score + math.log(classes) + steps.first[:, 0, 0].gather(0, labels.T[:1])[0]
        ctx.save_for_backward(steps.moves, steps.last, whole, path, *weights)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weight: Tensor) -> tuple[Tensor | None, ...]:
        moves, last, whole, path, *weights = ctx.saved_tensors
        pairs = _pairs(whole.softmax(0) * weight, weights)
        if path is not None:
            pairs.flatten(0, 1).scatter_add_(0, path, -weight.expand(path.shape))
        labels = pairs.sum(1)
        emissions = _in_time(labels * (moves + last))
        transitions = pairs.flatten(2) @ moves.flatten()
        end = labels.flatten(1) @ last.flatten()
        return emissions, None, None, emissions[:, 0].sum(0), transitions, end


def _has_many(chain: Chain, emissions: Tensor, mask: Tensor | None) -> bool:
    """Return whether there are so many labels that the tree would take too much memory, after checking all shapes."""
    if emissions.shape[2] <= TREE_LABELS:
        return False
    _lengths(chain, emissions, mask)
    return True


def _lengths(chain: Chain, emissions: Tensor, mask: Tensor | None) -> Tensor:
    """Return the number of steps of each sequence, (B,), after checking all shapes."""
    batch, steps, classes = emissions.shape
    shapes = [part.shape for part in chain]
    assert shapes == [(classes,), (classes, classes), (classes,)], f"potentials {shapes} for {classes} labels"
    if mask is None:
        return torch.full((batch,), steps, device=emissions.device)
    assert mask.dtype == torch.bool, f"a mask of {mask.dtype}"
    assert mask.shape == (batch, steps), f"a mask {tuple(mask.shape)} for {batch, steps} steps"
    assert mask[:, 0].all(), "a sequence without a step"
    assert not (mask[:, 1:] & ~mask[:, :-1]).any(), "a mask that is true again after its end"
    return mask.sum(1)


def _known(labels: Tensor, emissions: Tensor, mask: Tensor | None) -> Tensor:
    """Return the labels (B, T), with a valid label at masked steps."""
    assert labels.shape == emissions.shape[:2], f"labels {tuple(labels.shape)} for {tuple(emissions.shape)} emissions"
    labels = labels if mask is None else labels.where(mask, 0)
    least, most = labels.aminmax()
    assert least >= 0, "a label below 0"
    assert most < emissions.shape[2], f"label {most} of {emissions.shape[2]}"
    return labels


@lru_cache(maxsize=64)
def _order(steps: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the step at each place in memory, the step after each of these, and the place of each step, (T,).

    Left children come before right children, both in the order of their parents. With an odd number of children, the
    parent that is last in memory has only a left child.
    """
    order = torch.zeros(1, dtype=torch.long, device=device)
    if steps > 1:
        parents, _, _ = _order(steps - steps // 2, device)
        left = 2 * parents - (steps % 2) * (parents > parents[-1]).long()
        order = torch.cat([left, left[: steps // 2] + 1])
    return order, (order + 1) % steps, order.argsort()


def _in_time(values: Tensor) -> Tensor:
    """Return values (C, T, B) as (B, T, C) in the order of time."""
    _, _, place = _order(values.shape[1], values.device)
    return values.permute(2, 1, 0).index_select(1, place)


class _Steps(NamedTuple):
    first: Tensor  # (C, 1, 1, B), log-potentials of the labels at the first step
    leaves: Tensor  # (C, C, T, B), the matrix out of each step: to the next step, or from the last step to the end
    moves: Tensor  # (T, B), 1 if a leaf leads to a next step, else 0
    last: Tensor  # (T, B), 1 if a leaf leaves the last step, else 0


def _steps(chain: Chain, emissions: Tensor, mask: Tensor | None) -> _Steps:
    """Return the chain as a product of T matrices, for sequences of any length.

    The end, and every masked step after it, leads to C labels without meaning, which share one weight.
    """
    order, following, _ = _order(emissions.shape[1], emissions.device)
    left = _lengths(chain, emissions, mask) - order[:, None]  # (T, B)
    moves, last = (left > 1).to(emissions.dtype), (left == 1).to(emissions.dtype)
    first = (chain.start + emissions[:, 0]).T[:, None, None]
    arrivals = emissions.permute(2, 1, 0).index_select(1, following).where(left > 1, -math.log(len(chain.start)))
    leaves = torch.addcmul(arrivals, chain.transitions[:, :, None, None], moves)
    return _Steps(first, leaves.add_(chain.end[:, None, None, None] * last), moves, last)


def _children(level: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the left children of a level (C, C, n, B), a left child without a right one, and the right children."""
    pairs, odd = divmod(level.shape[2], 2)
    left, alone, right = level.split_with_sizes([pairs, odd, pairs], dim=2)
    return left, alone, right


def _sum_tree(leaves: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Return the products of leaves (C, C, T, B) in the semiring (log-sum-exp, +).

    Returns:
        The products (C, C, n, B), from n = T leaves to the root; for each product the probability of the label
        between its factors, (C, C, C, n // 2, B); the logarithm that was subtracted from the root, (B,).
    """
    levels, weights, scales = [leaves], [], [leaves.new_zeros(1, leaves.shape[3])]
    while levels[-1].shape[2] > 1:
        left, alone, right = _children(levels[-1])
        terms = left.unsqueeze(2) + right
        weights.append(terms.softmax(1))
        # The largest weight is at least 1/C, so its logarithm is safe.
        product = terms.amax(1).sub_(weights[-1].amax(1).log_())
        if len(levels) % 4 == 0:  # before sums over a long span lose digits in single precision
            scales.append(product.amax((0, 1)))
            product -= scales[-1]
        levels.append(torch.cat([product, alone], dim=2) if alone.shape[2] else product)
    return levels, weights, torch.cat(scales).sum(0)


def _pairs(whole: Tensor, weights: list[Tensor]) -> Tensor:
    """Return the probability of the labels around each leaf, (C, C, T, B), given those of the root, (C * C, 1, B)."""
    classes = math.isqrt(len(whole))
    level = whole.view(classes, classes, 1, -1)
    for weight in reversed(weights):
        triples = level[:, :, : weight.shape[3]].unsqueeze(1) * weight
        level = torch.cat([triples.sum(2), level[:, :, weight.shape[3] :], triples.sum(0)], dim=2)
    return level
