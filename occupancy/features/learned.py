"""What a saved model learned, read from its settings: each value is checked for its type, its range and its size."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from occupancy.arrays import Floats
from occupancy.errors import InputError, typed

STEPS_S = (1e-3, 1e7)
"""The range of the seconds between two rows of a log: a span of hours in samples of less would not fit into memory."""
_SHOWN = 60  # letters of a key


class Learned:
    """The settings of a saved model, or a part of them; a wrong one is named by its dotted key.

    They may have been altered, so that nothing of them is used that has not been checked here.
    """

    def __init__(self, tree: Any, key: str = "") -> None:
        """Wrap what ``json.loads`` gave.

        Args:
            tree: keys with values.
            key: the dotted key of the part; empty for the whole.

        Raises:
            InputError: it has no keys.
        """
        self._key = key
        if not isinstance(tree, dict):
            raise InputError(f"{key or 'the settings'}: got {typed(tree)}, expected keys with values")
        self.tree = tree

    def __contains__(self, key: str) -> bool:
        """Return whether there is a value of this key."""
        return key in self.tree

    def value(self, key: str) -> Any:
        """Return a value as it is.

        Raises:
            InputError: it is missing.
        """
        if key not in self.tree:
            raise InputError(f"{self.name(key)} is missing")
        return self.tree[key]

    def part(self, key: str) -> Learned:
        """Return the settings below a key. Raise InputError if it has none."""
        return Learned(self.value(key), self.name(key))

    def item(self, key: str, place: int) -> Learned:
        """Return the settings at a place of a list below a key. Raise InputError if it has none."""
        return Learned(self.value(key)[place], f"{self.name(key)}.{place}")

    def number(self, key: str, least: float = -math.inf, most: float = math.inf, above: bool = False) -> float:
        """Return a finite number of a range.

        Args:
            key: its key.
            least: the smallest that is allowed.
            most: the largest that is allowed.
            above: whether it must be larger than ``least``.

        Raises:
            InputError: it is missing, or something else.
        """
        value = self.value(key)
        if _is_number(value) and least <= value <= most and (value > least or not above):
            return float(value)
        raise self.wrong(key, f"a number{_range(least, most, above)}")

    def whole(self, key: str, least: int = 0) -> int:
        """Return a whole number, at least ``least``. Raise InputError if it is none."""
        value = self.value(key)
        if isinstance(value, int) and _is_number(value) and value >= least:
            return value
        raise self.wrong(key, f"a whole number of {least} or more")

    def flag(self, key: str) -> bool:
        """Return a truth value. Raise InputError if it is none."""
        value = self.value(key)
        if isinstance(value, bool):
            return value
        raise self.wrong(key, "true or false")

    def numbers(
        self,
        key: str,
        shape: tuple[int | None, ...],
        least: float = -math.inf,
        most: float = math.inf,
        above: bool = False,
    ) -> Floats:
        """Return an array of finite numbers of a range.

        Args:
            key: its key.
            shape: its shape; None for an axis of any length but 0.
            least: the smallest that is allowed.
            most: the largest that is allowed.
            above: whether all must be larger than ``least``.

        Raises:
            InputError: it is missing, has another shape, or holds something else.
        """
        cells = np.array(self.value(key), dtype=object)
        fits = cells.ndim == len(shape) and all(map(_suits, shape, cells.shape))
        if fits and all(_is_number(cell) for cell in cells.flat):
            found = cells.astype(np.float64)
            if ((found > least) if above else (found >= least)).all() and (found <= most).all():
                return found
        size = " x ".join("any number" if want is None else str(want) for want in shape)
        raise self.wrong(key, f"{size} numbers{_range(least, most, above)}")

    def distributions(self, key: str, shape: tuple[int | None, ...]) -> Floats:
        """Return an array of probabilities that add up to 1 along its last axis; see `numbers`.

        Raises:
            InputError: it is missing, has another shape, or holds something else.
        """
        found = self.numbers(key, shape, 0.0, 1.0)
        if np.abs(found.sum(axis=-1) - 1).max() > 1e-6:  # by rounding
            raise self.wrong(key, "probabilities that add up to 1")
        return found

    def first_not_finite(self) -> str | None:
        """Return the dotted key of a number that is infinite or NaN, at any depth; None if all are finite."""
        left: list[tuple[str, Any]] = [(self.name(key), value) for key, value in self.tree.items()]
        while left:
            key, value = left.pop()
            if isinstance(value, dict):
                left += [(f"{key}.{name}", each) for name, each in value.items()]
            elif isinstance(value, list):
                left += [(key, each) for each in value]
            elif isinstance(value, float) and not math.isfinite(value):
                return key
        return None

    def name(self, key: str) -> str:
        """Return the dotted key of a value."""
        own = key if len(key) <= _SHOWN else f"{key[:_SHOWN]}..."
        return f"{self._key}.{own}" if self._key else own

    def wrong(self, key: str, expected: str) -> InputError:
        """Return the error that says what a value is, and what it should be."""
        return InputError(f"{self.name(key)}: got {typed(self.tree[key])}, expected {expected}")


def _suits(want: int | None, have: int) -> bool:
    return have > 0 if want is None else have == want


def _is_number(value: object) -> bool:
    """Return whether a value is a number that double precision holds; a truth value is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -sys.float_info.max <= value <= sys.float_info.max


def _range(least: float, most: float, above: bool) -> str:
    low = "" if math.isinf(least) else f" {'above' if above else 'from'} {least:g}"
    return low if math.isinf(most) else f"{low}{' and' if above else ''} up to {most:g}"
