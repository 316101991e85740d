"""Tables and scores as commands print them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text


def plain_table(title: str) -> Table:
    """Return an empty table with its title."""
    return Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def jsonable(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Return scores as JSON can hold them: what could not be computed is None."""
    return {key: value if math.isfinite(value) else None for key, value in metrics.items()}


def shown(value: float) -> str:
    """Return a score as tables show it."""
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3f}"


def heading(key: str) -> str:
    """Return the heading of a score's column: its words below one another."""
    return key.replace("_", "\n")


def plain_lines(lines: Sequence[str]) -> Text:
    """Return lines for copying: printed uncropped, a line that is too long leaves the screen but never breaks."""
    return Text("\n".join(lines), no_wrap=True, overflow="ignore")
