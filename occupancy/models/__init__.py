"""Models: estimators that look the same from outside; `make_estimator` knows them all.

Each model is imported when it is asked for: Lightning, Pyro and skops take seconds that other models need not wait.
"""

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
    BoostedTrees,
    Clock,
    Config,
    Logistic,
    Majority,
    MassBalance,
    Mixture,
    RandomForest,
    RoomModel,
)
from occupancy.data.log import Log
from occupancy.errors import InputWarning
from occupancy.features.physics import absent_kinds
from occupancy.models.estimator import Estimator, read_settings


def check_sensors(log: Log, config: Config) -> None:
    """Check that a log has the sensors that the features and the model of an experiment need.

    Warns:
        InputWarning: if a kind of sensor is absent, so that the physics features that need it are left out.

    Raises:
        InputError: if a sensor is missing without which the model cannot work.
    """
    make_estimator(config).check(log)
    for kind in absent_kinds(log) if config.features in PHYSICS else ():
        warnings.warn(
            f"features {config.features}: the log {log.name!r} has no column of kind {kind}; features that need it "
            "are left out",
            InputWarning,
            stacklevel=2,
        )


def make_estimator(config: Config) -> Estimator:  # noqa: PLR0911 (a case for each model)
    """Return the unfitted model that an experiment asks for."""
    if any(part is not None for part in (config.decoding, config.calibration, config.decision)):
        from occupancy.models.postprocess.estimator import PostprocessedEstimator

        return PostprocessedEstimator(config, make_estimator)
    match config.model:
        case LSTM() | BNN() | MLPCRF():
            return _make_network(config)
        case RandomForest() as settings:
            from occupancy.models.forest import ForestEstimator

            return ForestEstimator(config, settings)
        case Logistic() as settings:
            from occupancy.models.logistic import LogisticEstimator

            return LogisticEstimator(config, settings)
        case BoostedTrees() as settings:
            from occupancy.models.boosted_trees import BoostedTreesEstimator

            return BoostedTreesEstimator(config, settings)
        case Majority():
            from occupancy.models.baselines import MajorityEstimator

            return MajorityEstimator(config)
        case Clock() as settings:
            from occupancy.models.baselines import ClockEstimator

            return ClockEstimator(config, settings)
        case MassBalance() | RoomModel():
            return _make_physical(config)
        case Mixture() as settings:
            from occupancy.models.mixture import MixtureEstimator

            return MixtureEstimator(config, settings, make_estimator)
        case unknown:
            assert_never(unknown)


def _make_physical(config: Config) -> Estimator:
    """Return the unfitted model of a room's air that an experiment asks for."""
    match config.model:
        case MassBalance() as settings:
            from occupancy.models.mass_balance import MassBalanceEstimator

            return MassBalanceEstimator(config, settings)
        case RoomModel() as settings:
            from occupancy.models.room_model.estimator import RoomModelEstimator

            return RoomModelEstimator(config, settings)
        case other:
            raise AssertionError(f"{other.name} is no model of a room's air")


def _make_network(config: Config) -> Estimator:
    """Return the unfitted network that an experiment asks for."""
    match config.model:
        case LSTM() as settings:
            from occupancy.models.neural.estimator import NetworkEstimator
            from occupancy.models.neural.lstm import LSTMNetwork

            return NetworkEstimator(config, partial(LSTMNetwork, settings), settings.window, settings.mc_samples)
        case BNN() as settings:
            from occupancy.models.neural.bnn import BayesianNetwork
            from occupancy.models.neural.estimator import NetworkEstimator

            return NetworkEstimator(config, partial(BayesianNetwork, settings), settings.window, settings.samples)
        case MLPCRF() as settings:
            from occupancy.models.neural.mlp_crf import ChainEstimator

            return ChainEstimator(config, settings)
        case other:
            raise AssertionError(f"{other.name} is no network")


def load_estimator(folder: Path) -> Estimator:
    """Return the fitted model that `Estimator.save` wrote into a folder."""
    config = Config.model_validate(read_settings(folder).value("config"))
    estimator = make_estimator(config)
    estimator.load(folder)
    return estimator
