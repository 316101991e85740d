"""Models: estimators that look the same from outside; `make_estimator` knows them all."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from occupancy.config import LSTM, Config
from occupancy.models.estimator import SETTINGS, Estimator
from occupancy.models.lstm import LSTMNetwork
from occupancy.models.network import NetworkEstimator


def make_estimator(config: Config) -> Estimator:
    """Return the unfitted model that an experiment asks for."""
    match config.model:
        case LSTM() as settings:
            return NetworkEstimator(config, partial(LSTMNetwork, settings), settings.window, settings.mc_samples)
    raise NotImplementedError(config.model.name)


def load_estimator(folder: Path) -> Estimator:
    """Return the fitted model that `Estimator.save` wrote into a folder."""
    config = Config.model_validate(json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["config"])
    estimator = make_estimator(config)
    estimator.load(folder)
    return estimator
