"""Models: estimators that look the same from outside; `ESTIMATORS` names them all."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from occupancy.config import Config
from occupancy.models.estimator import Estimator
from occupancy.models.lstm import LSTMNetwork
from occupancy.models.network import SETTINGS, NetworkEstimator

ESTIMATORS: dict[str, Callable[[Config], Estimator]] = {
    "lstm": partial(NetworkEstimator, build=LSTMNetwork),
}
"""From ``model.name`` to what makes the model."""


def load_estimator(folder: Path) -> Estimator:
    """Return the fitted model that `Estimator.save` wrote into a folder."""
    config = Config.model_validate(json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["config"])
    estimator = ESTIMATORS[config.model.name](config)
    estimator.load(folder)
    return estimator
