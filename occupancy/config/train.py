"""Settings of the training of networks."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from occupancy.config.section import Count, Positive, Section


class Train(Section):
    """How networks are trained."""

    max_epochs: Count = 12
    """Epochs of one network at most; an epoch is a pass over the training rows."""
    epoch_choices: Annotated[list[Count], Field(min_length=1)] | None = None
    """Numbers of epochs to choose from, each trained to its own end, as a falling learning rate wants it: half way
    down a network is not what a shorter training gives. ``max_epochs`` is one of them, those beyond it are left out.
    Where none is left, and under ``protocol: report``, one training of ``max_epochs`` offers every epoch."""
    batch_size: Count = 64
    """Windows in a step of the optimizer; of the model ``mlp_crf``, sequences."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 3e-3
    """AdamW's step size, at its start where a schedule lowers it."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """AdamW's decoupled weight decay; 0 with the model ``bnn``, whose prior does that."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Whether the learning rate stays, or falls to zero over all steps as a cosine."""
    patience: Count | None = None
    """Epochs without improvement after which training stops early; none: it goes on. Not together with
    ``epoch_choices``."""
    gradient_clip: Positive | None = 1.0
    """Largest norm of the gradient; none: it is left as it is."""
    pretrain_rooms: Annotated[int, Field(ge=0)] = 0
    """Simulated rooms, of different volume, air change, generation and noise, from a day of each of which an LSTM
    learns before it learns from the log, which needs the columns of schema ``uci``; 0: it starts from nothing."""
    members: Count = 3
    """Networks, equal but for their seeds, whose predictions are averaged."""
    refit: bool = True
    """Whether, under ``protocol: honest``, a model learns from validation rows too: networks anew, once these rows
    have chosen the number of epochs. Without, what a model gives for the validation rows is a score by which settings
    can be chosen."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """What to train on; ``auto`` takes an accelerator where there is one."""

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
