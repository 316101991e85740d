"""How numbers, lists and names are written in a sentence or beside a line."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 22  # letters of a name in a picture


def several(number: int, noun: str) -> str:
    """Return a number of things."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """Return words with commas between them, and an "and" before the last."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def percent(share: float) -> str:
    """Return a share that is told apart from none and from all, where it is neither."""
    if 0 < share < 0.01:
        return "under 1%"
    if 0.99 < share < 1:
        return "over 99%"
    return f"{share:.0%}"


def duration(seconds: float) -> str:
    """Return a duration in the unit that people would say it in."""
    for unit, length, least in (("days", 86_400, 2), ("h", 3600, 1), ("min", 60, 2)):
        if seconds >= least * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def short(name: str) -> str:
    """Return a name that has room beside a line: of a long one its beginning and its end."""
    if len(name) <= _LONGEST:
        return name
    half = (_LONGEST - 1) // 2
    return f"{name[:half]}…{name[-half:]}"
