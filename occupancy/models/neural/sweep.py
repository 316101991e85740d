"""The sums over paths and the best path of a linear chain, step by step: memory grows with T * C for C labels.

The tree of `occupancy.models.neural.crf` is faster for few labels, but needs T * C ** 3 of memory and time. Here sums
are products of scaled probabilities with the matrix of the transitions, in double precision. A path is lost only if
another one is e ** 700 times as likely, which potentials that a network has learned do not reach.
"""

from __future__ import annotations

import torch
from torch import Tensor

_TINY = 1e-300  # keeps the logarithm of a sum finite

Parts = tuple[Tensor, Tensor, Tensor]
"""The potentials of a chain: start (C,), transitions (C, C) from row to column, end (C,)."""


def log_normaliser(chain: Parts, emissions: Tensor, mask: Tensor | None) -> Tensor:
    """Return the logarithm of the sum over all label paths, (B,), differentiable; see `crf.log_normaliser`."""
    messages = _forward(chain, emissions, mask)
    return (messages[-1] + chain[2].double()).logsumexp(1).to(emissions.dtype)


def marginals(chain: Parts, emissions: Tensor, mask: Tensor | None) -> Tensor:
    """Return the probability of each label given all emissions, (B, T, C); see `crf.marginals`."""
    forward, inside = _forward(chain, emissions, mask), _inside(emissions, mask)
    step = _Step(chain[1].T)
    message = chain[2].double().expand_as(forward[0])
    backward = [message]
    for now in range(len(forward) - 1, 0, -1):
        moved = step(message + emissions[:, now].double())
        message = moved.where(inside[:, now, None], message)
        backward.append(message)
    total = torch.stack(forward, 1) + torch.stack(backward[::-1], 1)
    return (total.softmax(2) * inside[..., None]).to(emissions.dtype)


def filtered(chain: Parts, emissions: Tensor, mask: Tensor | None) -> Tensor:
    """Return the probability of each label given the emissions up to its step, (B, T, C); see `crf.filtered`."""
    messages = torch.stack(_forward(chain, emissions, mask), 1) + chain[2].double()
    return (messages.softmax(2) * _inside(emissions, mask)[..., None]).to(emissions.dtype)


def viterbi(chain: Parts, emissions: Tensor, mask: Tensor | None) -> Tensor:
    """Return a label path of the highest score, (B, T); see `crf.viterbi`."""
    start, moves, end = (part.double() for part in chain)
    emissions, inside = emissions.double(), _inside(emissions, mask)
    best, stay = start + emissions[:, 0], torch.arange(len(start)).expand(len(emissions), -1)
    origins = []  # of each label at each step, the label before it on the best path
    for now in range(1, emissions.shape[1]):
        score, origin = (best[:, :, None] + moves).max(1)
        go = inside[:, now, None]
        origins.append(origin.where(go, stay))
        best = (score + emissions[:, now]).where(go, best)
    path = [(best + end).argmax(1)]  # from the last step to the first
    for origin in reversed(origins):
        path.append(origin.gather(1, path[-1][:, None])[:, 0])
    return torch.stack(path[::-1], 1).where(inside, -1)


class _Step:
    """One step of a sum over paths, from the logarithm of the sums that end in each label to those one label on."""

    def __init__(self, moves: Tensor) -> None:
        moves = moves.double()
        # What is subtracted before the exponential is added after the logarithm, so that it needs no gradient.
        self.top = moves.detach().max()
        self.odds = (moves - self.top).exp()

    def __call__(self, sums: Tensor) -> Tensor:
        most = sums.detach().amax(1, keepdim=True)
        return ((sums - most).exp() @ self.odds).clamp_min(_TINY).log() + most + self.top


def _forward(chain: Parts, emissions: Tensor, mask: Tensor | None) -> list[Tensor]:
    """Return for each step the logarithm of the sum over the paths to each label, (B, C); ended ones stay."""
    step, inside, emissions = _Step(chain[1]), _inside(emissions, mask), emissions.double()
    messages = [chain[0].double() + emissions[:, 0]]
    for now in range(1, emissions.shape[1]):
        moved = step(messages[-1]) + emissions[:, now]
        messages.append(moved.where(inside[:, now, None], messages[-1]))
    return messages


def _inside(emissions: Tensor, mask: Tensor | None) -> Tensor:
    """Return which steps belong to a sequence, (B, T)."""
    return torch.ones(emissions.shape[:2], dtype=torch.bool, device=emissions.device) if mask is None else mask
