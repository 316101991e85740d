from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchcrf import CRF

from occupancy.models.neural.crf import Chain, filtered, log_normaliser, marginals, nll, path_score, viterbi

SHORT = [(steps, classes) for steps in range(1, 6) for classes in range(2, 5)]
LONG = [25, 240, 1000]
FORBIDDEN = -1e4


class Case(NamedTuple):
    chain: Chain
    emissions: Tensor
    labels: Tensor
    mask: Tensor

    def leaves(self) -> list[Tensor]:
        """Return start, transitions, end and emissions, asking for their gradients."""
        return [part.detach().requires_grad_() for part in (*self.chain, self.emissions)]


def mask_of(*lengths: int) -> Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def case_of(lengths: list[int], classes: int, seed: int = 0, scale: float = 2.0) -> Case:
    """Return random potentials, emissions and labels for sequences of these lengths, in double precision."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return scale * torch.randn(shape, generator=generator, dtype=torch.float64)

    chain = Chain(draw(classes), draw(classes, classes), draw(classes))
    labels = torch.randint(0, classes, (len(lengths), max(lengths)), generator=generator)
    return Case(chain, draw(len(lengths), max(lengths), classes), labels, mask_of(*lengths))


def short_case(steps: int, classes: int) -> Case:
    return case_of([steps, 1, (steps + 1) // 2, steps], classes, seed=10 * steps + classes)


def score_by_hand(chain: Chain, emissions: Tensor, path: tuple[int, ...]) -> float:
    """Return the score of one path along the first emissions (T, C) of one sequence."""
    score = chain.start[path[0]] + chain.end[path[-1]]
    score = score + sum(emissions[step, label] for step, label in enumerate(path))
    return float(score + sum(chain.transitions[pair] for pair in itertools.pairwise(path)))


def all_scores(chain: Chain, emissions: Tensor, steps: int) -> dict[tuple[int, ...], float]:
    """Return the score of every path along the first steps of emissions (T, C)."""
    paths = itertools.product(range(emissions.shape[1]), repeat=steps)
    return {path: score_by_hand(chain, emissions, path) for path in paths}


def marginals_by_hand(chain: Chain, emissions: Tensor, steps: int) -> Tensor:
    """Return the share (T, C) of the paths' total weight that each label has at each step."""
    scores = all_scores(chain, emissions, steps)
    weights = torch.tensor(list(scores.values()), dtype=torch.float64).softmax(0)
    result = torch.zeros(steps, emissions.shape[1], dtype=torch.float64)
    for path, weight in zip(scores, weights, strict=True):
        result[range(steps), list(path)] += weight
    return result


def reference(chain: Chain, dtype: torch.dtype = torch.float64) -> CRF:
    """Return pytorch-crf with the potentials of a chain."""
    crf = CRF(len(chain.start), batch_first=True).to(dtype)
    with torch.no_grad():
        crf.start_transitions.copy_(chain.start)
        crf.transitions.copy_(chain.transitions)
        crf.end_transitions.copy_(chain.end)
    return crf


def gradients_of_reference(case: Case) -> tuple[Tensor, list[Tensor]]:
    """Return pytorch-crf's losses (B,) and the gradients of their sum, in the order of `Case.leaves`."""
    crf, emissions = reference(case.chain), case.emissions.clone().requires_grad_()
    loss: Tensor = -crf(emissions, case.labels, case.mask, reduction="none")
    parameters = [crf.start_transitions, crf.transitions, crf.end_transitions, emissions]
    return loss.detach(), list(torch.autograd.grad(loss.sum(), parameters, materialize_grads=True))


def gradients(case: Case, dtype: torch.dtype = torch.float64) -> tuple[Tensor, list[Tensor]]:
    """Return our losses (B,) and the gradients of their sum, in the order of `Case.leaves`."""
    leaves = [part.to(dtype).detach().requires_grad_() for part in case.leaves()]
    loss = nll(Chain(*leaves[:3]), leaves[3], case.labels, case.mask)
    return loss.detach(), list(torch.autograd.grad(loss.sum(), leaves))


def assert_close(one: Tensor, other: Tensor, rtol: float = 1e-9, atol: float = 1e-9) -> None:
    torch.testing.assert_close(one, other, rtol=rtol, atol=atol)


@pytest.mark.parametrize(("steps", "classes"), SHORT)
def test_the_log_normaliser_sums_over_every_path(steps: int, classes: int) -> None:
    chain, emissions, _, mask = short_case(steps, classes)
    totals = [
        torch.tensor(list(all_scores(chain, each, int(inside.sum())).values()), dtype=torch.float64).logsumexp(0)
        for each, inside in zip(emissions, mask, strict=True)
    ]
    assert_close(log_normaliser(chain, emissions, mask), torch.stack(totals))


@pytest.mark.parametrize(("steps", "classes"), SHORT)
def test_a_path_scores_the_potentials_along_it(steps: int, classes: int) -> None:
    chain, emissions, labels, mask = short_case(steps, classes)
    expected = [
        score_by_hand(chain, each, tuple(path[inside].tolist()))
        for each, path, inside in zip(emissions, labels, mask, strict=True)
    ]
    assert path_score(chain, emissions, labels, mask).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("steps", "classes"), SHORT)
def test_the_likelihoods_of_every_path_are_their_shares_and_sum_to_one(steps: int, classes: int) -> None:
    chain, emissions, _, _ = case_of([steps], classes)
    scores = all_scores(chain, emissions[0], steps)
    likelihoods = (-nll(chain, emissions.expand(len(scores), -1, -1), torch.tensor(list(scores)))).exp()
    assert_close(likelihoods, torch.tensor(list(scores.values()), dtype=torch.float64).softmax(0))
    assert likelihoods.sum().item() == pytest.approx(1)


@pytest.mark.parametrize(("steps", "classes"), SHORT)
def test_marginals_are_the_shares_of_every_path(steps: int, classes: int) -> None:
    chain, emissions, _, mask = short_case(steps, classes)
    result = marginals(chain, emissions, mask)
    for each, inside, got in zip(emissions, mask, result, strict=True):
        assert_close(got[inside], marginals_by_hand(chain, each, int(inside.sum())))
    assert not result[~mask].any()


@pytest.mark.parametrize(("steps", "classes"), SHORT)
def test_the_filter_is_the_last_share_of_the_paths_so_far(steps: int, classes: int) -> None:
    chain, emissions, _, mask = short_case(steps, classes)
    result = filtered(chain, emissions, mask)
    for each, inside, got in zip(emissions, mask, result, strict=True):
        for step in range(int(inside.sum())):
            assert_close(got[step], marginals_by_hand(chain, each, step + 1)[-1])
    assert not result[~mask].any()


@pytest.mark.parametrize(("steps", "classes"), SHORT)
def test_no_path_scores_more_than_that_of_viterbi(steps: int, classes: int) -> None:
    chain, emissions, _, mask = short_case(steps, classes)
    result = viterbi(chain, emissions, mask)
    for each, inside, path in zip(emissions, mask, result, strict=True):
        scores = all_scores(chain, each, int(inside.sum()))
        assert tuple(path[inside].tolist()) == max(scores, key=lambda one: scores[one])
    assert (result[~mask] == -1).all()


@pytest.mark.parametrize("steps", LONG)
def test_loss_and_gradients_are_those_of_pytorch_crf(steps: int) -> None:
    case = case_of([steps, steps // 2, 1, steps - 1], 4, seed=steps)
    (loss, grads), (expected_loss, expected_grads) = gradients(case), gradients_of_reference(case)
    assert_close(loss, expected_loss)
    for got, expected in zip(grads, expected_grads, strict=True):
        assert_close(got, expected)


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4), classes=st.integers(1, 5), seed=st.integers(0, 99))
def test_a_tree_of_any_shape_gives_what_pytorch_crf_gives(lengths: list[int], classes: int, seed: int) -> None:
    case = case_of(lengths, classes, seed)
    (loss, grads), (expected_loss, expected_grads) = gradients(case), gradients_of_reference(case)
    assert_close(loss, expected_loss)
    for got, expected in zip(grads, expected_grads, strict=True):
        assert_close(got, expected)
    paths = viterbi(case.chain, case.emissions, case.mask)
    decoded = reference(case.chain).decode(case.emissions, case.mask)
    assert [path[path >= 0].tolist() for path in paths] == decoded


@pytest.mark.parametrize("steps", LONG)
def test_viterbi_finds_the_path_of_pytorch_crf(steps: int) -> None:
    case = case_of([steps, steps // 2, 1, steps - 1], 4, seed=steps, scale=1.0)
    decoded = reference(case.chain).decode(case.emissions, case.mask)
    paths = viterbi(case.chain, case.emissions, case.mask)
    assert [path[inside].tolist() for path, inside in zip(paths, case.mask, strict=True)] == decoded


@pytest.mark.parametrize("steps", LONG)
def test_the_filter_ends_where_the_marginals_of_each_prefix_end(steps: int) -> None:
    chain, emissions, _, _ = case_of([steps, steps], 3, seed=steps)
    result = filtered(chain, emissions)
    for stop in {1, 2, 3, steps // 3, steps - 1, steps}:
        assert_close(result[:, stop - 1], marginals(chain, emissions[:, :stop])[:, -1])


@given(steps=st.integers(2, 70), data=st.data())
def test_no_later_emission_moves_the_filter_by_a_bit(steps: int, data: st.DataObject) -> None:
    chain, emissions, _, _ = case_of([steps, steps], 3)
    now = data.draw(st.integers(0, steps - 2))
    before = filtered(chain, emissions)[:, : now + 1]
    for future in (1e9, float("nan")):
        emissions[:, now + 1 :] = future
        assert torch.equal(filtered(chain, emissions)[:, : now + 1], before)


def test_the_gradient_of_the_log_normaliser_is_the_marginals() -> None:
    case = case_of([60, 1, 37], 4)
    emissions = case.emissions.clone().requires_grad_()
    (slope,) = torch.autograd.grad(log_normaliser(case.chain, emissions, case.mask).sum(), emissions)
    assert_close(slope, marginals(case.chain, case.emissions, case.mask))
    assert_close(slope.sum(-1), case.mask.double())


@pytest.mark.parametrize("lengths", [[1, 1], [2, 1], [7, 3, 6]])
def test_gradients_are_those_of_finite_differences(lengths: list[int]) -> None:
    case = case_of(lengths, 3)
    calls: list[Callable[..., Tensor]] = [
        lambda *parts: log_normaliser(Chain(*parts[:3]), parts[3], case.mask),
        lambda *parts: path_score(Chain(*parts[:3]), parts[3], case.labels, case.mask),
        lambda *parts: nll(Chain(*parts[:3]), parts[3], case.labels, case.mask),
    ]
    for call in calls:
        assert torch.autograd.gradcheck(call, case.leaves())


def test_each_sequence_weighs_in_the_gradient_as_in_the_loss() -> None:
    case, weights = case_of([9, 4, 6], 3), torch.tensor([0.0, -2.0, 0.3], dtype=torch.float64)
    *parts, emissions = leaves = case.leaves()
    loss = nll(Chain(*parts), emissions, case.labels, case.mask)
    log_sum = log_normaliser(Chain(*parts), emissions, case.mask)
    score = path_score(Chain(*parts), emissions, case.labels, case.mask)
    assert_close(loss, log_sum - score)
    got, expected = torch.autograd.grad(loss, leaves, weights), torch.autograd.grad(log_sum - score, leaves, weights)
    for one, other in zip(got, expected, strict=True):
        assert_close(one, other)


def test_a_second_backward_pass_finds_the_same_gradients() -> None:
    case = case_of([9, 4, 6], 3)
    leaves = case.leaves()
    loss = nll(Chain(*leaves[:3]), leaves[3], case.labels, case.mask).sum()
    first, second = torch.autograd.grad(loss, leaves, retain_graph=True), torch.autograd.grad(loss, leaves)
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))


def test_a_second_derivative_is_not_to_be_had() -> None:
    case = case_of([5], 3)
    emissions, weight = case.emissions.clone().requires_grad_(), torch.ones(1, dtype=torch.float64, requires_grad=True)
    loss = log_normaliser(case.chain, emissions)
    (slope,) = torch.autograd.grad(loss, emissions, weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward(slope.sum())


def test_one_step_is_a_softmax() -> None:
    chain, emissions, labels, _ = case_of([1, 1, 1], 4)
    scores = chain.start + emissions[:, 0] + chain.end
    assert_close(log_normaliser(chain, emissions), scores.logsumexp(1))
    assert_close(marginals(chain, emissions)[:, 0], scores.softmax(1))
    assert_close(filtered(chain, emissions)[:, 0], scores.softmax(1))
    assert_close(nll(chain, emissions, labels), -scores.log_softmax(1).gather(1, labels)[:, 0])
    assert viterbi(chain, emissions)[:, 0].tolist() == scores.argmax(1).tolist()


@given(steps=st.integers(1, 50), seed=st.integers(0, 99))
def test_without_transitions_the_steps_are_independent(steps: int, seed: int) -> None:
    _, emissions, _, _ = case_of([steps, steps], 4, seed)
    chain = Chain(*(torch.zeros(shape, dtype=torch.float64) for shape in ((4,), (4, 4), (4,))))
    assert_close(log_normaliser(chain, emissions), emissions.logsumexp(2).sum(1))
    assert_close(marginals(chain, emissions), emissions.softmax(2))
    assert_close(filtered(chain, emissions), emissions.softmax(2))
    assert torch.equal(viterbi(chain, emissions), emissions.argmax(2))


@given(steps=st.integers(1, 50), seed=st.integers(0, 99))
def test_what_all_labels_of_a_step_gain_the_log_normaliser_gains(steps: int, seed: int) -> None:
    chain, emissions, labels, _ = case_of([steps, steps], 3, seed)
    gains = 50 * torch.randn(2, steps, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    lifted = emissions + gains
    assert_close(log_normaliser(chain, lifted), log_normaliser(chain, emissions) + gains.sum((1, 2)))
    assert_close(marginals(chain, lifted), marginals(chain, emissions))
    assert_close(filtered(chain, lifted), filtered(chain, emissions))
    assert_close(nll(chain, lifted, labels), nll(chain, emissions, labels), atol=1e-8)
    assert torch.equal(viterbi(chain, lifted), viterbi(chain, emissions))


@given(steps=st.integers(1, 50), seed=st.integers(0, 99))
def test_a_chain_read_backwards_has_the_same_paths(steps: int, seed: int) -> None:
    chain, emissions, _, _ = case_of([steps, steps], 3, seed)
    reverse, flipped = Chain(chain.end, chain.transitions.T, chain.start), emissions.flip(1)
    assert_close(log_normaliser(reverse, flipped), log_normaliser(chain, emissions))
    assert_close(marginals(reverse, flipped).flip(1), marginals(chain, emissions))
    assert torch.equal(viterbi(reverse, flipped).flip(1), viterbi(chain, emissions))


@pytest.mark.parametrize("lengths", [[30, 1, 17], [12, 12, 11]])
def test_what_masked_steps_hold_changes_nothing(lengths: list[int]) -> None:
    case = case_of(lengths, 3)
    spoilt = case._replace(
        emissions=case.emissions.masked_fill(~case.mask[..., None], float("nan")),
        labels=case.labels.masked_fill(~case.mask, -100),
    )
    (loss, grads), (expected_loss, expected_grads) = gradients(spoilt), gradients(case)
    assert torch.equal(loss, expected_loss)
    assert all(torch.equal(*pair) for pair in zip(grads, expected_grads, strict=True))
    assert not grads[3][~case.mask].any()
    scores = path_score(spoilt.chain, spoilt.emissions, spoilt.labels, spoilt.mask)
    assert torch.equal(scores, path_score(*case))
    for infer in (marginals, filtered, viterbi):
        assert torch.equal(
            infer(spoilt.chain, spoilt.emissions, spoilt.mask), infer(case.chain, case.emissions, case.mask)
        )


@pytest.mark.parametrize("lengths", [[30, 1, 17], [12, 12, 11]])
def test_a_padded_sequence_gives_what_it_gives_alone(lengths: list[int]) -> None:
    chain, emissions, labels, mask = case_of(lengths, 3)
    loss = nll(chain, emissions, labels, mask)
    for row, length in enumerate(lengths):
        alone = emissions[row : row + 1, :length]
        assert_close(loss[row : row + 1], nll(chain, alone, labels[row : row + 1, :length]))
        assert_close(marginals(chain, emissions, mask)[row : row + 1, :length], marginals(chain, alone))
        assert_close(filtered(chain, emissions, mask)[row : row + 1, :length], filtered(chain, alone))
        assert torch.equal(viterbi(chain, emissions, mask)[row : row + 1, :length], viterbi(chain, alone))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(4))
def test_forbidden_transitions_leave_loss_and_gradients_right(dtype: torch.dtype, seed: int) -> None:
    case = case_of([200, 150], 4, seed)
    closed = torch.rand(4, 4, generator=torch.Generator().manual_seed(seed)) < 0.6
    transitions = case.chain.transitions.masked_fill(closed.fill_diagonal_(False), FORBIDDEN)
    case = case._replace(chain=case.chain._replace(transitions=transitions))
    labels = viterbi(case.chain, case.emissions, case.mask).clamp(min=0)
    case = case._replace(labels=labels)
    (loss, grads), (expected_loss, expected_grads) = gradients(case, dtype), gradients_of_reference(case)
    tolerance = 1e-3 if dtype == torch.float32 else 1e-9
    assert_close(loss.double(), expected_loss, atol=tolerance)
    for got, expected in zip(grads, expected_grads, strict=True):
        assert_close(got.double(), expected, atol=tolerance)
    if closed.any():
        assert grads[1][closed].abs().max() < 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_path_that_a_later_step_revives_is_not_lost(dtype: torch.dtype) -> None:
    # The first step all but excludes label 0, the second demands it, and no transition leads from 1 to 0.
    chain = Chain(
        torch.zeros(2, dtype=dtype),
        torch.tensor([[0.0, FORBIDDEN], [FORBIDDEN, 0.0]], dtype=dtype),
        torch.zeros(2, dtype=dtype),
    )
    emissions = torch.tensor([[[0.0, 1000.0], [3000.0, 0.0], [0.0, 0.0]]], dtype=dtype)
    only = torch.tensor([[[1.0, 0.0]] * 3], dtype=dtype)
    assert log_normaliser(chain, emissions).item() == pytest.approx(3000)
    assert torch.equal(marginals(chain, emissions), only)
    assert filtered(chain, emissions)[0, :, 0].tolist() == [0.0, 1.0, 1.0]
    assert viterbi(chain, emissions).tolist() == [[0, 0, 0]]
    transitions = chain.transitions.requires_grad_()
    (slope,) = torch.autograd.grad(log_normaliser(chain, emissions).sum(), transitions)
    assert slope.tolist() == [[2.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_where_every_path_is_forbidden_alike_they_share_the_weight(dtype: torch.dtype) -> None:
    chain = Chain(*(torch.full(shape, FORBIDDEN, dtype=dtype) for shape in ((3,), (3, 3), (3,))))
    emissions = torch.zeros(1, 100, 3, dtype=dtype)
    expected = 101 * FORBIDDEN + 100 * torch.tensor(3.0).log().item()
    assert log_normaliser(chain, emissions).item() == pytest.approx(expected, rel=1e-6)
    assert_close(marginals(chain, emissions), torch.full_like(emissions, 1 / 3), rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_huge_scores_give_finite_and_certain_answers(dtype: torch.dtype) -> None:
    case = case_of([300, 300], 4, scale=1e6)
    chain, emissions = Chain(*(part.to(dtype) for part in case.chain)), case.emissions.to(dtype)
    paths = viterbi(chain, emissions)
    certain = torch.nn.functional.one_hot(paths, 4).to(dtype)
    assert_close(marginals(chain, emissions), certain, atol=1e-6)
    best = path_score(case.chain, case.emissions, paths)
    assert_close(log_normaliser(chain, emissions).double(), best, rtol=1e-6)
    assert filtered(chain, emissions).isfinite().all()


def test_single_precision_lasts_for_a_day_of_rows() -> None:
    case = case_of([2880, 2879], 4, scale=1.0)
    (loss, grads), (expected_loss, expected_grads) = gradients(case, torch.float32), gradients(case)
    assert_close(loss.double(), expected_loss, rtol=1e-6)
    for got, expected in zip(grads, expected_grads, strict=True):
        assert_close(got.double(), expected, rtol=1e-5, atol=1e-5)
    single = Chain(*(part.float() for part in case.chain))
    for infer in (marginals, filtered):
        result = infer(single, case.emissions.float(), case.mask)
        assert result.dtype == torch.float32
        assert_close(result.double(), infer(case.chain, case.emissions, case.mask), rtol=1e-5, atol=1e-5)


def test_viterbi_sees_a_difference_below_single_precision() -> None:
    # Labels never change, so all that tells them apart is the first step, 1e-4 in a million.
    chain = Chain(torch.tensor([0.0, 1e-4]), torch.tensor([[0.0, -1e9], [-1e9, 0.0]]), torch.zeros(2))
    assert (viterbi(chain, torch.full((1, 1000, 2), 1000.0)) == 1).all()


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=3), classes=st.integers(2, 4), seed=st.integers(0, 99))
def test_among_ties_viterbi_returns_one_whole_path(lengths: list[int], classes: int, seed: int) -> None:
    chain, emissions, _, mask = case_of(lengths, classes, seed)
    chain, emissions = Chain(*(part.round().clamp(-1, 1) for part in chain)), emissions.round().clamp(-1, 1)
    paths = viterbi(chain, emissions, mask)
    decoded = reference(chain).decode(emissions, mask)
    for row, (path, other) in enumerate(zip(paths, decoded, strict=True)):
        got = score_by_hand(chain, emissions[row], tuple(path[path >= 0].tolist()))
        assert got == score_by_hand(chain, emissions[row], tuple(other))


def test_inference_mode_spoils_no_later_training() -> None:
    case = case_of([53, 20], 3)
    with torch.inference_mode():
        inferred = marginals(case.chain, case.emissions, case.mask), nll(*case)
    loss, grads = gradients(case)
    assert_close(loss, inferred[1].clone())
    assert_close(marginals(case.chain, case.emissions, case.mask), inferred[0].clone())
    assert all(grad.isfinite().all() for grad in grads)


def test_no_argument_is_written_to() -> None:
    case = case_of([20, 7], 3)
    copies = [part.clone() for part in (*case.chain, *case[1:])]
    gradients(case)
    path_score(*case)
    for infer in (marginals, filtered, viterbi):
        infer(case.chain, case.emissions, case.mask)
    assert all(torch.equal(*pair) for pair in zip((*case.chain, *case[1:]), copies, strict=True))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([[1, 1, 1], [1, 1, 1]], "a mask of torch.int64"),
        ([[True, True], [True, True]], "a mask"),
        ([[True, True, True], [False, False, False]], "a sequence without a step"),
        ([[True, True, True], [False, True, True]], "a sequence without a step"),
        ([[True, True, True], [True, False, True]], "true again"),
    ],
)
def test_a_mask_that_is_no_prefix_is_our_own_mistake(mask: list[list[int]], message: str) -> None:
    case = case_of([3, 3], 3)
    calls: list[Callable[[Tensor], Tensor]] = [
        lambda wrong: log_normaliser(case.chain, case.emissions, wrong),
        lambda wrong: marginals(case.chain, case.emissions, wrong),
        lambda wrong: filtered(case.chain, case.emissions, wrong),
        lambda wrong: viterbi(case.chain, case.emissions, wrong),
    ]
    for call in calls:
        with pytest.raises(AssertionError, match=message):
            call(torch.tensor(mask))


@pytest.mark.parametrize("shapes", [((2,), (3, 3), (3,)), ((3,), (3, 2), (3,)), ((3,), (3, 3), (1,))])
def test_potentials_for_other_labels_are_our_own_mistake(shapes: tuple[tuple[int, ...], ...]) -> None:
    case = case_of([3, 3], 3)
    with pytest.raises(AssertionError, match="for 3 labels"):
        log_normaliser(Chain(*(torch.zeros(shape) for shape in shapes)), case.emissions)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[0, 1], [0, 1]], "labels"),
        ([[0, 1, 2], [0, -1, 2]], "below 0"),
        ([[0, 1, 2], [0, 3, 2]], "label 3 of 3"),
    ],
)
def test_labels_that_are_none_are_our_own_mistake(labels: list[list[int]], message: str) -> None:
    case = case_of([3, 3], 3)
    for score in (nll, path_score):
        with pytest.raises(AssertionError, match=message):
            score(case.chain, case.emissions, torch.tensor(labels))
