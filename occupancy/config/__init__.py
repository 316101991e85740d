"""The typed configuration of an experiment; `occupancy.config.parsing` makes one from YAML and overrides."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from occupancy.config.data import EACH_ROOM, LEAVE_ROOMS_OUT, Data, Room, Simulation
from occupancy.config.explanation import Explanation
from occupancy.config.model import (
    BNN,
    LSTM,
    MLPCRF,
    Clock,
    Logistic,
    Majority,
    MassBalance,
    Mixture,
    Model,
    Network,
    RandomForest,
    Single,
)
from occupancy.config.postprocess import Calibration, Decoding
from occupancy.config.section import Count, Kind, Positive, Section
from occupancy.config.train import Train

__all__ = [
    "BNN",
    "CENTRED",
    "EACH_ROOM",
    "LEAVE_ROOMS_OUT",
    "LSTM",
    "MLPCRF",
    "PHYSICS",
    "Calibration",
    "Clock",
    "Config",
    "Count",
    "Data",
    "Decoding",
    "Explanation",
    "Kind",
    "Logistic",
    "Majority",
    "MassBalance",
    "Mixture",
    "Model",
    "Network",
    "Positive",
    "RandomForest",
    "Room",
    "Section",
    "Simulation",
    "Tracking",
    "Train",
]


CENTRED = "centred_physics"
PHYSICS = ("physics", CENTRED)
"""The values of ``features`` that mean more than sensors."""


class Tracking(Section):
    """Where MLflow records the runs."""

    uri: str = "sqlite:///mlflow.db"
    """The MLflow store: an SQLite file (``sqlite:///other.db``), a server (``http://host:5000``) or a database."""
    experiment: Annotated[str, Field(min_length=1)] = "occupancy"
    """The MLflow experiment that the runs belong to."""

    @property
    def shown_uri(self) -> str:
        """The address as it may be shown and recorded: without the password that it may hold."""
        return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", self.uri)


class Config(Section):
    """One experiment, complete: the log, the features, the model, its training and its record."""

    name: Annotated[str, Field(min_length=1)]
    """What the experiment is called; without it, the file's name without its ending."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Where chance starts: the networks' first weights, the order of rows, dropout, draws and trees."""
    protocol: Literal["honest", "report"] = "honest"
    """Which rows end the training of networks: ``honest``, the validation rows; ``report``, the test rows, as in the
    student report that this project reproduces, so that its figures are optimistic."""
    features: Literal["no_light", "all", "physics", "centred_physics"] | Annotated[list[Kind], Field(min_length=1)] = (
        "no_light"
    )
    """What a model sees: ``no_light``, all sensors but those of light; ``all``; a list of kinds; or ``physics``, the
    balance of CO2, loudness, motion and warming over spans of time before each row, made of all sensors but those of
    light. ``centred_physics``: over spans around each row, so that a count rests on later rows too."""
    data: Data = Data()
    """The log and its folds."""
    model: Model = LSTM()
    """The model, by its ``name``."""
    decoding: Decoding | None = None
    """What is made of the model's probabilities over time; none: each row stands for itself."""
    calibration: Calibration | None = None
    """What is made of them so that they can be acted on; none: they stay as the model has them."""
    train: Train = Train()
    """The training of a network."""
    tracking: Tracking = Tracking()
    """The record in MLflow."""
    explanation: Explanation | None = None
    """Pictures of which sensors the counts rest on, recorded with each fold; none: they are left out, which is quicker.
    ``explanation={}`` on the command line asks for them as they are by default."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if any(isinstance(model, BNN) for model in self.models) and self.train.weight_decay > 0:
            raise ValueError(
                f"train.weight_decay {self.train.weight_decay:g} conflicts with model bnn, whose prior does that, and "
                "whose guide's scales it would pull too; set it to 0"
            )
        refined = [key for key in ("decoding", "calibration") if getattr(self, key) is not None]
        refined += ["model.weights"] if isinstance(self.model, Mixture) and self.model.weights == "learned" else []
        if refined and isinstance(self.model, MLPCRF) and self.model.decoding != "filter":
            raise ValueError(
                f"model.decoding {self.model.decoding!r} conflicts with {refined[0]}, which would replace its path; "
                "take model.decoding 'filter' or drop one of them"
            )
        if self.protocol == "report" and refined:
            raise ValueError(
                f"protocol 'report' conflicts with {refined[0]}, which is learned without the test rows; take protocol "
                "'honest' or drop it"
            )
        return self

    @model_validator(mode="after")
    def _check_pretraining(self) -> Self:
        asked = f"train.pretrain_rooms {self.train.pretrain_rooms} conflicts with"
        if self.train.pretrain_rooms and self.data.log_schema != "uci":
            raise ValueError(
                f"{asked} data.schema {self.data.log_schema!r}: simulated rooms have the columns of 'uci'; set it to 0"
            )
        for model in self.models:
            if self.train.pretrain_rooms and isinstance(model, MLPCRF | BNN):
                raise ValueError(f"{asked} model {model.name}, which learns from the log alone; set it to 0")
        return self

    @property
    def models(self) -> list[Single]:
        """The settings of the model, or of each that a mixture pools."""
        return self.model.members if isinstance(self.model, Mixture) else [self.model]

    @property
    def epochs(self) -> int:
        """How many epochs all networks of a fold take together, at most; 0 for a model without epochs."""
        networks = sum(isinstance(model, Network) for model in self.models)
        if self.protocol == "report":
            return networks * self.train.members * self.train.max_epochs
        # A refit takes as many epochs as the search finds best: unknown before, so the most there may be.
        trainings = self.train.trainings
        return networks * self.train.members * (sum(trainings) + self.train.refit * max(trainings))

    @property
    def looks_ahead(self) -> bool:
        """Whether what a model sees of a row holds later rows too."""
        return self.features == CENTRED

    @property
    def learns_validation(self) -> bool:
        """Whether the model that is used has learned from validation rows too, not only from those of training."""
        return self.protocol == "report" or self.train.refit

    @property
    def key(self) -> str:
        """Hash of what decides the results, the seed apart: equal keys, the same experiment with other seeds."""
        tree = self.shown()
        del tree["seed"], tree["tracking"], tree["explanation"], tree["train"]["device"]
        # What was not asked for is left out, so that the key is as it was before one could ask for it.
        for refinement in ("decoding", "calibration"):
            if tree[refinement] is None:
                del tree[refinement]
        if not self.train.pretrain_rooms:
            del tree["train"]["pretrain_rooms"]
        if isinstance(self.model, LSTM):
            for key in ("cell", "balanced"):
                if tree["model"][key] == LSTM.model_fields[key].default:
                    del tree["model"][key]
        return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:16]

    def shown(self) -> dict[str, Any]:
        """Return the settings as nested plain values by their keys, the store's password hidden."""
        tree = self.model_dump(by_alias=True)
        tree["tracking"]["uri"] = self.tracking.shown_uri
        return tree

    def to_yaml(self) -> str:
        """Return the resolved configuration as YAML that `load_config` reads back to an equal object."""
        return yaml.safe_dump(self.shown(), sort_keys=False)

    def flat(self) -> dict[str, Any]:
        """Return the settings by dotted key, as scripts and MLflow parameters name them."""
        return dict(_flatten(self.shown()))


def _flatten(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
