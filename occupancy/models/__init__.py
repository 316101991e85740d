"""Models: estimators that look the same from outside; `make_estimator` knows them all."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import assert_never

from occupancy.config import (
    BNN,
    LSTM,
    MLPCRF,
    PHYSICS,
    Clock,
    Config,
    Logistic,
    Majority,
    MassBalance,
    Mixture,
    RandomForest,
)
from occupancy.data.table import Log
from occupancy.errors import InputWarning
from occupancy.features.physics import absent_kinds
from occupancy.features.sensors import columns_of
from occupancy.models.baselines import ClockEstimator, MajorityEstimator
from occupancy.models.estimator import Estimator, read_settings
from occupancy.models.forest import ForestEstimator
from occupancy.models.logistic import LogisticEstimator
from occupancy.models.mass_balance import MassBalanceEstimator, check_co2
from occupancy.models.mixture import MixtureEstimator
from occupancy.models.neural.bnn import BayesianNetwork
from occupancy.models.neural.estimator import NetworkEstimator
from occupancy.models.neural.lstm import LSTMNetwork
from occupancy.models.neural.mlp_crf import ChainEstimator
from occupancy.models.postprocess.estimator import RefinedEstimator


def check_sensors(log: Log, config: Config) -> None:
    """Find out whether a log has what features and model of an experiment ask for.

    Warns:
        InputWarning: a kind of sensors is absent, and what ``features: physics`` makes of it is left out.

    Raises:
        InputError: it has not.
    """
    columns_of(log, config.features)
    for kind in absent_kinds(log) if config.features in PHYSICS else ():
        warnings.warn(
            f"features {config.features}: the log {log.name!r} has no column of kind {kind}; what needs it is left out",
            InputWarning,
            stacklevel=2,
        )
    if any(isinstance(model, MassBalance) for model in config.models):
        check_co2(log, config)


def make_estimator(config: Config) -> Estimator:  # noqa: C901, PLR0911 (a case a model)
    """Return the unfitted model that an experiment asks for."""
    if config.decoding is not None or config.calibration is not None:
        return RefinedEstimator(config, make_estimator)
    match config.model:
        case LSTM() as settings:
            return NetworkEstimator(config, partial(LSTMNetwork, settings), settings.window, settings.mc_samples)
        case BNN() as settings:
            return NetworkEstimator(config, partial(BayesianNetwork, settings), settings.window, settings.samples)
        case MLPCRF() as settings:
            return ChainEstimator(config, settings)
        case RandomForest() as settings:
            return ForestEstimator(config, settings)
        case Logistic() as settings:
            return LogisticEstimator(config, settings)
        case Majority():
            return MajorityEstimator(config)
        case Clock() as settings:
            return ClockEstimator(config, settings)
        case MassBalance() as settings:
            return MassBalanceEstimator(config, settings)
        case Mixture() as settings:
            return MixtureEstimator(config, settings, make_estimator)
        case unknown:
            assert_never(unknown)


def load_estimator(folder: Path) -> Estimator:
    """Return the fitted model that `Estimator.save` wrote into a folder."""
    config = Config.model_validate(read_settings(folder)["config"])
    estimator = make_estimator(config)
    estimator.load(folder)
    return estimator
