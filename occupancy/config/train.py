"""Settings of the training of networks."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from occupancy.config.section import Section

Epochs = Annotated[int, Field(ge=1, le=100_000)]


class Train(Section):
    """How networks are trained."""

    max_epochs: Epochs = 12
    """The most epochs of one network; an epoch is one pass over the training rows."""
    epoch_choices: Annotated[list[Epochs], Field(min_length=1, max_length=100)] | None = None
    """Numbers of epochs to choose from. Each number has its own training, because a learning rate that falls over the
    epochs gives another network halfway than a shorter training gives at its end. ``max_epochs`` is always one of them;
    larger numbers are left out. If no other number is left, and under ``protocol: report``, one training of
    ``max_epochs`` is done and every epoch of it can be chosen."""
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    """Windows in one step of the optimizer; sequences for the model ``mlp_crf``."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 3e-3
    """Learning rate of AdamW; with ``schedule: cosine``, the rate at the start."""
    weight_decay: Annotated[float, Field(ge=0, le=100)] = 0.01
    """Decoupled weight decay of AdamW; it must be 0 for the model ``bnn``, whose prior has this effect already."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Whether the learning rate stays constant, or falls to zero over all steps like a cosine."""
    patience: Epochs | None = None
    """Epochs without improvement after which training stops early; null: it does not stop early. It can't be used
    together with ``epoch_choices``."""
    gradient_clip: Annotated[float, Field(gt=0, le=1e9)] | None = 1.0
    """Largest norm of the gradient; null: the gradient is not clipped."""
    pretrain_rooms: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Number of simulated rooms that an LSTM learns from first, one day of each, before it learns from the log. The
    rooms differ in volume, air change, CO2 generation and noise. It needs a log with the columns of schema ``uci``;
    0: no pretraining."""
    sensor_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability with which a network learns from a window, or a sequence, without one of the kinds of sensors; each
    kind is dropped on its own. Its inputs then say which kinds there are, and a row that lacks some is counted by the
    others. 0: a network learns from all kinds, and does not answer rows that lack one. With sensors of a single kind
    nothing is dropped."""
    members: Annotated[int, Field(ge=1, le=1000)] = 3
    """Networks whose predictions are averaged; they differ only by their seeds."""
    refit: bool = True
    """Whether a model under ``protocol: honest`` also learns from the validation rows: networks are trained again after
    the validation rows have chosen the number of epochs. If false, the scores on the validation rows can be used to
    choose settings."""
    final: bool = True
    """Whether a final model, the one to use, is fitted on all labelled rows after the folds. It is not scored: the
    scores of the folds say how good it is. It is recorded with the experiment and registered by name. There is none
    under ``protocol: report``, nor with ``data.folds: each_room``."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device to train on; ``auto`` uses an accelerator if there is one."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if self.epoch_choices is not None and self.patience is not None:
            raise ValueError(
                f"patience {self.patience} conflicts with epoch_choices {self.epoch_choices}, whose trainings do not "
                "stop early; set one of them to null"
            )
        return self

    @property
    def choices(self) -> list[int]:
        """The numbers of epochs that have their own training; empty if every epoch of one training can be chosen."""
        shorter = {epochs for epochs in self.epoch_choices or [] if epochs <= self.max_epochs}
        return sorted(shorter | {self.max_epochs}) if shorter else []

    @property
    def trainings(self) -> list[int]:
        """The most epochs of each training that is done to choose the number of epochs."""
        return self.choices or [self.max_epochs]
