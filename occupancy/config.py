"""The typed configuration of an experiment; `occupancy.parsing` makes one from YAML and overrides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["temperature", "light", "sound", "co2", "co2_slope", "motion", "other"]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of the configuration: immutable, exact about types, refusing keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Room(Section):
    """A room for the simulator; the defaults resemble the room of the UCI log.

    Names carry the unit. What they do not say:

    Attributes:
        generation_l_per_h: the CO2 that one person breathes out.
        co2_noise_ppm: standard deviation of the sensor's own noise, new with every reading.
        co2_mixing_share: standard deviation of the slow wander at the sensor because air is never
            fully mixed, as a share of the room's CO2 above outdoors.
        light_when_occupied_lux: what the sensors receive from one desk's lamp, before their gains.
        sound_when_occupied_v: median level of one person, before the sensors' gains.
        movements_per_min: movements of one person that a motion sensor facing the desk sees.
        disturbances_per_h: sounds and movements that nobody in the room makes.
        max_people: people who use the room.
        sessions_per_day: opening hours are cut into so many equal parts, with one session in each.
        longest_session_s: sessions last 60 to 100 % of it.
        attendance: probability that a person comes to a session.
        breaks_per_h: short absences of a person who is in.
        break_s: mean length of such an absence.
    """

    volume_m3: Positive = 77.0
    air_changes_per_h: Annotated[float, Field(ge=0)] = 0.75
    generation_l_per_h: Positive = 17.0
    outdoor_ppm: Positive = 345.0
    co2_noise_ppm: Annotated[float, Field(ge=0)] = 2.0
    co2_mixing_share: Annotated[float, Field(ge=0, lt=1)] = 0.03
    co2_resolution_ppm: Positive = 5.0
    base_temperature_c: Annotated[float, Field(gt=-273.15)] = 25.0
    temperature_rise_c_per_person: Annotated[float, Field(ge=0)] = 0.35
    temperature_time_constant_s: Positive = 3600.0
    light_when_occupied_lux: Annotated[float, Field(ge=0)] = 120.0
    daylight_lux: Annotated[float, Field(ge=0)] = 60.0
    sound_when_occupied_v: Annotated[float, Field(ge=0)] = 0.25
    movements_per_min: Annotated[float, Field(ge=0)] = 0.8
    disturbances_per_h: Annotated[float, Field(ge=0)] = 0.3
    step_s: Annotated[float, Field(ge=1, le=300)] = 30.0
    max_people: Count = 3
    opens_h: Annotated[float, Field(ge=0, le=24)] = 10.5
    closes_h: Annotated[float, Field(ge=0, le=24)] = 20.0
    sessions_per_day: Count = 2
    longest_session_s: Positive = 12_600.0
    attendance: Annotated[float, Field(gt=0, le=1)] = 0.95
    breaks_per_h: Annotated[float, Field(ge=0)] = 0.2
    break_s: Positive = 240.0

    @model_validator(mode="after")
    def _check_hours(self) -> Self:
        if self.opens_h >= self.closes_h:
            raise ValueError(f"opens_h {self.opens_h:g} must come before closes_h {self.closes_h:g}")
        part_s = (self.closes_h - self.opens_h) * 3600 / self.sessions_per_day
        if self.longest_session_s > part_s:
            raise ValueError(
                f"longest_session_s {self.longest_session_s:g} exceeds {part_s:g}, the opening hours divided by "
                f"sessions_per_day {self.sessions_per_day}; shorten it, open longer or hold fewer sessions"
            )
        return self


class Simulation(Section):
    """What the simulator writes: whole days of one room from a Monday on, the same for the same seed."""

    days: Count = 5
    seed: Annotated[int, Field(ge=0)] = 0
    room: Room = Room()


class Data(Section):
    """Where the log comes from, how it is read, and into which folds it is cut."""

    source: str = "auto"
    folds: str = "forward"
    log_schema: str = Field("uci", alias="schema")
    max_count: Count = 3
    max_gap: Positive = 120.0
    time_format: str | None = None
    missing: Literal["refuse", "interpolate"] = "refuse"
    max_missing: Count = 10
    simulation: Simulation = Simulation()

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if self.time_format is not None and "%z" in self.time_format.lower():
            raise ValueError(f"time_format {self.time_format!r} reads a time zone; times must be local and naive")
        if self.source == "simulated" and self.time_format is not None:
            raise ValueError("time_format conflicts with source 'simulated', which reads no file; drop one of them")
        if self.log_schema != "uci" and self.source in {"uci", "simulated", "auto"}:
            raise ValueError(
                f"schema {self.log_schema!r} conflicts with source {self.source!r}, whose columns are those of "
                "schema 'uci'; give the path of a CSV as source"
            )
        return self


class LSTM(Section):
    """A stack of LSTM layers over the last ``window`` samples."""

    name: Literal["lstm"] = "lstm"
    head: Literal["regression", "classification"] = "regression"
    window: Count = 15
    layers: Count = 2
    hidden: Count = 64
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    mc_samples: Annotated[int, Field(ge=0)] = 0


class Train(Section):
    """How networks are trained.

    Attributes:
        max_epochs: epochs of one network at most; an epoch is a pass over the training rows.
        epoch_choices: numbers of epochs to choose from, each trained to its own end, as a falling learning
            rate wants it: half way down a network is not what a shorter training gives. max_epochs is
            one of them, those beyond it are left out. Where none is left, and under
            ``protocol: report``, one training of max_epochs offers every epoch.
        batch_size: windows in a step.
        learning_rate: AdamW's step size, at its start where a schedule lowers it.
        weight_decay: AdamW's decoupled weight decay.
        schedule: whether the learning rate stays or falls to zero over all steps as a cosine.
        patience: epochs without improvement after which training stops early; none without.
        gradient_clip: largest norm of the gradient; none without.
        members: networks, equal but for their seeds, whose predictions are averaged.
        refit: whether, under the honest protocol, new networks learn from validation rows too once these
            have chosen the number of epochs.
        device: what to train on; ``auto`` takes an accelerator where there is one.
    """

    max_epochs: Count = 12
    epoch_choices: Annotated[list[Count], Field(min_length=1)] | None = None
    batch_size: Count = 64
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    schedule: Literal["constant", "cosine"] = "cosine"
    patience: Count | None = None
    gradient_clip: Positive | None = 1.0
    members: Count = 3
    refit: bool = True
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if self.epoch_choices is not None and self.patience is not None:
            raise ValueError(
                f"patience {self.patience} conflicts with epoch_choices {self.epoch_choices}, each of which is trained "
                "to its end; set one of them to null"
            )
        return self

    @property
    def choices(self) -> list[int]:
        """The numbers of epochs to choose from by trainings of their own; empty if one training offers its epochs."""
        shorter = {epochs for epochs in self.epoch_choices or [] if epochs <= self.max_epochs}
        return sorted(shorter | {self.max_epochs}) if shorter else []

    @property
    def trainings(self) -> list[int]:
        """How many epochs each training takes, at most, that the choice of a number of epochs rests on."""
        return self.choices or [self.max_epochs]


class Tracking(Section):
    """Where MLflow records the runs."""

    uri: str = "sqlite:///mlflow.db"
    experiment: Annotated[str, Field(min_length=1)] = "occupancy"

    @property
    def shown_uri(self) -> str:
        """The address as it may be shown and recorded: without the password that it may hold."""
        return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", self.uri)


class Config(Section):
    """One experiment, complete: the log, the features, the model, its training and its record."""

    name: Annotated[str, Field(min_length=1)]
    seed: Annotated[int, Field(ge=0)] = 0
    protocol: Literal["honest", "report"] = "honest"
    features: Literal["no_light", "all"] | Annotated[list[Kind], Field(min_length=1)] = "no_light"
    data: Data = Data()
    model: LSTM = LSTM()
    train: Train = Train()
    tracking: Tracking = Tracking()

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
