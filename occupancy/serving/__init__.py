"""A fitted model as MLflow serves it, and the counts of a log by one.

Saved models name this package as their loader, so its path stays as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from occupancy.serving.model import ServedModel


def _load_pyfunc(folder: str) -> ServedModel:
    """Return the model of a folder, and let MLflow's server answer for it; MLflow calls this by its name."""
    from occupancy.serving import endpoint  # noqa: PLC0415 (late: it needs torch)
    from occupancy.serving.model import ServedModel  # noqa: PLC0415 (as above)

    endpoint.install()
    return ServedModel(Path(folder))
