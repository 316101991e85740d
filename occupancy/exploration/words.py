"""Numbers, lists and names as text for sentences and figures."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST_NAME = 22  # letters of a name in a figure


def several(number: int, noun: str) -> str:
    """Return a number with a noun in the singular or plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """Return words with commas between them, and an "and" before the last."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def percent(share: float) -> str:
    """Return a share as a percentage; only exactly 0 and 1 give 0% and 100%."""
    if 0 < share < 0.01:
        return "under 1%"
    if 0.99 < share < 1:
        return "over 99%"
    return f"{share:.0%}"


def duration(seconds: float) -> str:
    """Return a duration in a suitable unit."""
    for unit, length, least in (("days", 86_400, 2), ("h", 3600, 1), ("min", 60, 2)):
        if seconds >= least * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def short(name: str) -> str:
    """Return a name short enough for a figure: of a long name only the start and the end."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = (_LONGEST_NAME - 1) // 2
    return f"{name[:half]}…{name[-half:]}"
