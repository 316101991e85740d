from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from occupancy.arrays import OUTSIDE, Ints
from occupancy.models.neural.training import WindowModule
from occupancy.models.neural.windows import Batch, Batches, Windows, sequences


def numbered(rows: int, features: int = 2) -> NDArray[np.float32]:
    """Return inputs whose every cell is unique, so that a window tells which rows it holds."""
    return np.arange(rows * features, dtype=np.float32).reshape(rows, features)


def stretch_of(lengths: list[tuple[bool, int]]) -> Ints:
    """Return the stretch of each row, given runs of rows inside or outside, in order."""
    number = itertools.count()
    return np.concatenate([np.full(length, next(number) if inside else OUTSIDE) for inside, length in lengths])


def window_by_loop(values: NDArray[np.float32], stretch: Ints, row: int, length: int) -> list[list[float]]:
    first = row
    while first > 0 and stretch[first - 1] == stretch[row]:
        first -= 1
    return [values[max(row - back, first)].tolist() for back in reversed(range(length))]


def whole(rows: int) -> Ints:
    return np.zeros(rows, np.int64)


def rows_of(x: Tensor) -> Ints:
    """Return which rows windows of `numbered` hold, (B, T)."""
    return (x[:, :, 0] / x.shape[2]).numpy().astype(np.int64)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 6)), min_size=1, max_size=6),
    st.integers(1, 8),
    st.randoms(use_true_random=False),
)
def test_windows_are_those_of_a_plain_loop(runs: list[tuple[bool, int]], length: int, random: object) -> None:
    stretch = stretch_of([*runs, (True, 2)])
    values = numbered(len(stretch))
    rows = np.flatnonzero(stretch != OUTSIDE)
    random.shuffle(rows)  # type: ignore[attr-defined]
    windows = Windows(values, stretch, length)
    expected = [window_by_loop(values, stretch, row, length) for row in rows.tolist()]
    assert windows.at(rows).tolist() == expected
    assert windows.at(np.sort(rows)).tolist() == [expected[place] for place in np.argsort(rows)]


def test_the_start_of_a_stretch_is_padded_with_its_first_row() -> None:
    x = Windows(numbered(6), whole(6), 4).at(np.array([0, 1, 3, 5]))
    assert rows_of(x).tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 2, 3], [2, 3, 4, 5]]


def test_no_window_reaches_across_a_gap() -> None:
    stretch = stretch_of([(True, 5), (True, 5)])
    held = rows_of(Windows(numbered(10), stretch, 4).at(np.arange(10)))
    assert held[:5].max() == 4
    assert held[5:].min() == 5


def test_a_window_holds_no_row_outside_its_stretch() -> None:
    stretch = stretch_of([(True, 4), (False, 3), (True, 4)])
    values = numbered(11)
    values[stretch == OUTSIDE] = np.nan
    x = Windows(values, stretch, 3).at(np.flatnonzero(stretch != OUTSIDE))
    assert torch.isfinite(x).all()


def test_windows_of_consecutive_rows_are_views_of_one_storage() -> None:
    windows = Windows(numbered(100), whole(100), 20)
    first, second = windows.at(np.arange(10, 60)), windows.at(np.arange(50, 100))
    assert first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()
    assert first.stride() == (2, 2, 1)  # the next window starts one row further on in the same memory
    # Row 50's window lies where it lay, 40 windows on.
    assert second.data_ptr() == first[40].data_ptr()


def test_windows_of_scattered_rows_are_a_copy_of_their_own_size() -> None:
    windows = Windows(numbered(100), whole(100), 20)
    scattered, consecutive = windows.at(np.array([40, 20, 60])), windows.at(np.arange(100))
    assert scattered.untyped_storage().data_ptr() != consecutive.untyped_storage().data_ptr()
    assert scattered.untyped_storage().nbytes() == 3 * 20 * 2 * 4


@pytest.mark.parametrize("length", [1, 10, 500])
def test_memory_is_the_log_and_the_padding_whatever_the_length(length: int) -> None:
    stretch = stretch_of([(True, 600), (True, 400)])
    x = Windows(numbered(1000), stretch, length).at(np.arange(600))
    assert x.shape == (600, length, 2)
    assert x.untyped_storage().nbytes() == (1000 + 2 * (length - 1)) * 2 * 4


def test_no_rows_have_no_windows() -> None:
    assert Windows(numbered(5), whole(5), 3).at(np.array([], np.int64)).shape == (0, 3, 2)


@pytest.mark.parametrize("row", [3, 4])
def test_a_window_at_a_row_outside_every_stretch_is_our_own_mistake(row: int) -> None:
    windows = Windows(numbered(8), stretch_of([(True, 3), (False, 2), (True, 3)]), 2)
    with pytest.raises(AssertionError, match="outside every stretch"):
        windows.at(np.array([0, row, 6]))


def batches_of(rows: Ints, size: int, seed: int | None = None) -> Batches:
    windows = Windows(numbered(50), whole(50), 3)
    order = None if seed is None else torch.Generator().manual_seed(seed)
    return Batches(windows, rows, torch.from_numpy(rows) * 10, size, order)


def last_rows(batches: list[Batch]) -> list[int]:
    return [row for x, _ in batches for row in rows_of(x)[:, -1].tolist()]


@given(st.sets(st.integers(0, 49), min_size=1), st.integers(1, 60), st.sampled_from([None, 0, 1]))
def test_every_row_comes_exactly_once_an_epoch_with_its_own_count(rows: set[int], size: int, seed: int | None) -> None:
    batches = batches_of(np.array(sorted(rows)), size, seed)
    for _ in range(2):
        drawn = list(batches)
        assert sorted(last_rows(drawn)) == sorted(rows)
        assert [int(count) // 10 for _, y in drawn for count in y] == last_rows(drawn)
        assert len(drawn) == len(batches)


def test_the_last_batch_is_as_short_as_what_is_left() -> None:
    assert [len(y) for _, y in batches_of(np.arange(7, 30), 10)] == [10, 10, 3]
    assert [len(y) for _, y in batches_of(np.arange(20), 10)] == [10, 10]


def test_rows_come_in_their_order_without_a_generator() -> None:
    assert last_rows(list(batches_of(np.arange(5, 40), 8))) == list(range(5, 40))


def test_the_order_is_the_generators_and_new_in_every_epoch() -> None:
    def epochs(seed: int) -> list[list[int]]:
        batches = batches_of(np.arange(50), 8, seed)
        return [last_rows(list(batches)) for _ in range(2)]

    assert epochs(0) == epochs(0)
    assert epochs(0) != epochs(1)
    first, second = epochs(0)
    assert first != second


def test_the_module_hands_on_its_batches_and_none_to_stop_on_in_a_refit() -> None:
    train, stop = batches_of(np.arange(40), 8, 0), batches_of(np.arange(40, 50), 8)
    module = WindowModule(train, stop)
    assert module.train_dataloader() is train
    assert module.val_dataloader() is stop
    assert WindowModule(train).val_dataloader() == []


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=1, max_size=6),
    st.integers(1, 5),
    st.booleans(),
)
def test_sequences_are_the_pieces_of_each_stretch(runs: list[tuple[bool, int]], length: int, drop: bool) -> None:
    stretch = stretch_of([*runs, (True, 2)])
    expected = []
    for number in np.unique(stretch[stretch != OUTSIDE]):
        rows = np.flatnonzero(stretch == number)
        pieces = [rows[start : start + length].tolist() for start in range(0, len(rows), length)]
        expected += [piece for piece in pieces if len(piece) == length or not drop]
    positions, counted = sequences(stretch, length, drop)
    assert positions.shape == counted.shape == (len(expected), length)
    assert [row[mask].tolist() for row, mask in zip(positions, counted, strict=True)] == expected
    for row, mask in zip(positions, counted, strict=True):
        assert (row[~mask] == row[mask][-1]).all()
        assert (np.diff(mask.astype(int)) <= 0).all()


def test_batches_of_sequences_come_whole_with_their_counts() -> None:
    windows = Windows(numbered(20), whole(20), 2)
    rows = np.arange(18).reshape(6, 3)
    counts = torch.from_numpy(rows * 10)
    batches = list(Batches(windows, rows, counts, 4, torch.Generator().manual_seed(0)))
    assert [x.shape for x, _ in batches] == [(4, 3, 2, 2), (2, 3, 2, 2)]
    for x, y in batches:
        np.testing.assert_array_equal(rows_of(x.flatten(0, 1))[:, -1], y.flatten().numpy() // 10)
    assert sorted(y[0].item() for _, batch in batches for y in batch) == (rows[:, 0] * 10).tolist()
