"""The typed configuration of an experiment; `occupancy.config.parsing` reads it from YAML and overrides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from occupancy.config.data import EACH_ROOM, LEAVE_ROOMS_OUT, Data
from occupancy.config.explanation import Explanation
from occupancy.config.identity import EARLIER_LABELS, key_of
from occupancy.config.model import (
    BNN,
    LSTM,
    MLPCRF,
    BoostedTrees,
    Clock,
    Logistic,
    Majority,
    MassBalance,
    Mixture,
    Model,
    Network,
    RandomForest,
    RoomModel,
    Single,
)
from occupancy.config.postprocess import Calibration, Decision, Decoding, Loss
from occupancy.config.section import PRINTABLE, Format, Kind, Name, Period, Section, Seed, Span, Volume
from occupancy.config.simulation import Room, Simulation
from occupancy.config.tracking import Tracking
from occupancy.config.train import Train

__all__ = [
    "BNN",
    "CENTRED",
    "EACH_ROOM",
    "LEAVE_ROOMS_OUT",
    "LSTM",
    "MLPCRF",
    "PHYSICS",
    "PRINTABLE",
    "BoostedTrees",
    "Calibration",
    "Clock",
    "Config",
    "Data",
    "Decision",
    "Decoding",
    "Explanation",
    "Format",
    "Kind",
    "Logistic",
    "Loss",
    "Majority",
    "MassBalance",
    "Mixture",
    "Model",
    "Name",
    "Network",
    "Period",
    "RandomForest",
    "Room",
    "RoomModel",
    "Section",
    "Simulation",
    "Span",
    "Tracking",
    "Train",
    "Volume",
]


CENTRED = "centred_physics"
PHYSICS = ("physics", CENTRED)
"""The values of ``features`` that name quantities computed from sensors."""


class Config(Section):
    """A whole experiment: the log, the features, the model, its training and where it is recorded."""

    name: Name
    """Name of the experiment; the default is the name of the file without its suffix. A pipe has none, so give it."""
    seed: Seed = 0
    """Seed of all random numbers: initial weights, order of the rows, dropout, samples and trees."""
    protocol: Literal["honest", "report"] = "honest"
    """The rows that decide when the training of a network ends: ``honest``, the validation rows; ``report``, the test
    rows, as in the student report that this project reproduces; such scores are optimistic."""
    features: (
        Literal["no_light", "all", "physics", "centred_physics"]
        | Annotated[list[Kind], Field(min_length=1, max_length=100)]
    ) = "no_light"
    """The inputs of the model: ``no_light``, all sensors except light; ``all``; a list of kinds of sensors; or
    ``physics``, quantities computed from all sensors except light over spans of time before each row: CO2 balance,
    loudness, motion and warming. ``centred_physics``: the same over spans around each row, so a count also depends on
    later rows."""
    data: Data = Data()
    """The log and its folds."""
    model: Model = LSTM()
    """The model, chosen by its ``name``."""
    decoding: Decoding | None = None
    """How the probabilities of neighbouring rows are combined; null: each row is used on its own."""
    calibration: Calibration | None = None
    """How the probabilities are corrected; null: they are used as the model gives them."""
    decision: Decision | None = None
    """How one count is chosen from the probabilities; null: for squared loss after a calibration, and else as the model
    does it: a classifier by zero-one loss, a regressor, a mixture and the room model by squared loss. The path of
    ``decoding.mode: viterbi`` is replaced only if a loss is named here."""
    train: Train = Train()
    """How a network is trained."""
    tracking: Tracking = Tracking()
    """Where the runs are recorded in MLflow."""
    explanation: Explanation | None = None
    """Figures of the sensors that the counts depend on, recorded with each fold; null: no figures, which is faster.
    On the command line, ``'explanation={}'`` turns them on with their defaults."""

    @model_validator(mode="before")
    @classmethod
    def _read_earlier_label(cls, tree: Any) -> Any:
        """Read ``calibration.label`` of earlier versions as the loss that it stood for."""
        calibration = tree.get("calibration") if isinstance(tree, dict) else None
        if not isinstance(calibration, dict) or calibration.get("label") not in tuple(EARLIER_LABELS):
            return tree
        kept = {key: value for key, value in calibration.items() if key != "label"}
        loss = EARLIER_LABELS[calibration["label"]]
        return {**tree, "calibration": kept, "decision": tree.get("decision") or {"loss": loss}}

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if any(isinstance(model, BNN) for model in self.models) and self.train.weight_decay > 0:
            raise ValueError(
                f"train.weight_decay {self.train.weight_decay:g} conflicts with model bnn: its prior has this effect "
                "already, and weight decay would also act on the scales of its guide; set it to 0"
            )
        refined = [key for key in ("decoding", "calibration") if getattr(self, key) is not None]
        refined += ["model.weights"] if isinstance(self.model, Mixture) and self.model.weights == "learned" else []
        if refined and isinstance(self.model, MLPCRF) and self.model.decoding != "filter":
            raise ValueError(
                f"model.decoding {self.model.decoding!r} conflicts with {refined[0]}, which would replace its path; "
                "set model.decoding to 'filter', or remove one of them"
            )
        if self.protocol == "report" and refined:
            raise ValueError(
                f"protocol 'report' conflicts with {refined[0]}, which must be fitted without the test rows; "
                "set protocol to 'honest', or remove it"
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
                raise ValueError(f"{asked} model {model.name}, which can't be pretrained; set it to 0")
        return self

    @property
    def models(self) -> list[Single]:
        """The settings of the model, or of each member of a mixture."""
        return self.model.members if isinstance(self.model, Mixture) else [self.model]

    @property
    def epochs(self) -> int:
        """The most epochs that all networks of a fold take together; 0 for a model without epochs."""
        networks = sum(isinstance(model, Network) for model in self.models)
        if self.protocol == "report":
            return networks * self.train.members * self.train.max_epochs
        # A refit takes the number of epochs that the search finds best: not known yet, so count the most.
        trainings = self.train.trainings
        return networks * self.train.members * (sum(trainings) + self.train.refit * max(trainings))

    @property
    def loss(self) -> Loss | None:
        """The loss by which counts are chosen; None: as the model does it."""
        if self.decision is not None:
            return self.decision.loss
        return "squared" if self.calibration is not None else None

    @property
    def switch_cost(self) -> float:
        """What a change of the count costs, in the unit of the loss."""
        return 0.0 if self.decision is None else self.decision.switch_cost

    @property
    def has_final(self) -> bool:
        """Whether a final model is fitted after those of the folds."""
        return self.train.final and self.protocol == "honest" and self.data.folds != EACH_ROOM

    @property
    def registered_name(self) -> str | None:
        """The name of the final model in the MLflow registry; None: it is not registered."""
        if self.tracking.register_as is False:
            return None
        return self.tracking.register_as or re.sub(r"[/:@]", "-", f"occupancy-{self.name}")

    @property
    def looks_ahead(self) -> bool:
        """Whether the inputs of a row depend on later rows."""
        return self.features == CENTRED

    @property
    def learns_validation(self) -> bool:
        """Whether the fitted model has learned from validation rows as well as from training rows."""
        return self.protocol == "report" or self.train.refit

    @property
    def key(self) -> str:
        """Hash of all settings that change the results, except the seed: runs that differ by seed have equal keys."""
        return key_of(self.shown(), self.loss)

    def shown(self) -> dict[str, Any]:
        """Return the settings as nested plain values by key, without the secrets of the store's address."""
        return self.model_dump(by_alias=True)

    def to_yaml(self) -> str:
        """Return the complete configuration as YAML, from which `load_config` reads an equal object."""
        return yaml.safe_dump(self.shown(), sort_keys=False)

    def flat(self) -> dict[str, Any]:
        """Return the settings by dotted key, as in scripts and MLflow parameters."""
        return dict(_flatten(self.shown()))


def _flatten(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
