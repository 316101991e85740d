"""A fitted model as MLflow serves it, and the counts of a log by one.

Saved models name this package as their loader, so its path stays as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from occupancy.serving.model import ServedModel


def _load_pyfunc(folder: str) -> ServedModel:
    """Return the model of a folder; MLflow calls this by its name."""
    from occupancy.serving.model import ServedModel  # noqa: PLC0415 (late: it needs torch)

    return ServedModel(Path(folder))
