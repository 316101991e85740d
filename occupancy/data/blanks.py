"""Cells that hold no reading."""

from __future__ import annotations

BLANK = frozenset(
    {
        "",
        "nan",
        "na",
        "n/a",
        "#n/a",
        "#na",
        "n.a.",
        "null",
        "none",
        "<na>",
        "nat",
        "-",
        "--",
        "---",
        "unavailable",
        "unknown",
    }
)
"""What stands for a missing reading, in lower case."""


STATELESS = frozenset({"unavailable", "unknown"})
"""What a device says that has no reading any more; other blanks only say that none came."""


def is_blank_text(text: str) -> bool:
    """Return whether a cell says that there is no reading."""
    return text.strip().lower() in BLANK
