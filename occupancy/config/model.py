"""Settings of each model; ``name`` tells which model a mapping describes."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from occupancy.config.section import Count, Positive, Section

DEFAULT = "lstm"
"""The model of a mapping that names none."""

Share = Annotated[float, Field(ge=0, lt=1)]
Head = Literal["regression", "classification"]


def _check_balance(balanced: bool, head: str) -> None:
    if balanced and head == "regression":
        raise ValueError("balanced conflicts with head 'regression', which knows no labels; drop one of them")


class LSTM(Section):
    """A stack of recurrent layers over the last ``window`` samples."""

    name: Literal["lstm"] = "lstm"
    cell: Literal["lstm", "gru"] = "lstm"
    """The layers: ``gru`` has three gates to the four of ``lstm``, and so a quarter fewer weights."""
    head: Literal["regression", "classification", "ordinal"] = "regression"
    """Whether the count is regressed or classified; ``ordinal`` classifies it by one number and rising thresholds, and
    so knows that 2 lies between 1 and 3."""
    balanced: bool = False
    """Whether each label weighs as much as any other, however few rows it has, also where the loss chooses the number
    of epochs; not with ``head: regression``."""
    window: Count = 15
    """Samples that a prediction sees, its own included."""
    layers: Count = 2
    """Layers, stacked."""
    hidden: Count = 64
    """Units of each layer."""
    dropout: Share = 0.3
    """Share of units switched off after each layer while training."""
    mc_samples: Annotated[int, Field(ge=0)] = 0
    """Passes of Monte-Carlo dropout at prediction; 0: dropout is off then."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        _check_balance(self.balanced, self.head)
        return self


class MLPCRF(Section):
    """A multi-layer perceptron whose outputs are the emissions of a linear-chain CRF."""

    name: Literal["mlp_crf"] = "mlp_crf"
    hidden: list[Count] = Field(default_factory=lambda: [32])
    """Units of each hidden layer; an empty list: the emissions are linear."""
    window: Count = 5
    """Samples that an emission sees, its own included."""
    dropout: Share = 0.3
    """Share of hidden units switched off while training."""
    sequence: Count = 60
    """Samples of a training sequence."""
    drop_incomplete: bool = False
    """Whether the last, shorter sequence of a stretch is left out of the training."""
    decoding: Literal["filter", "viterbi", "windows"] = "filter"
    """How labels come from the chain: ``filter`` takes the posterior of the chain that ends at the row, and is causal;
    ``viterbi`` the best path through the whole recording; ``windows`` the best path through each window of
    ``sequence`` samples by itself, as the reproduced report did."""


class BNN(Section):
    """A Bayesian multi-layer perceptron, its posterior approximated by a variational guide."""

    name: Literal["bnn"] = "bnn"
    hidden: list[Count] = Field(default_factory=lambda: [32, 32])
    """Units of each hidden layer; an empty list: the network is linear."""
    window: Count = 8
    """Samples that a prediction sees, its own included."""
    prior_std: Positive = 2.0
    """Standard deviation of the Normal prior of a weight, times the root of the layer's inputs."""
    guide: Literal["diagonal", "low_rank"] = "diagonal"
    """Family of the approximate posterior: independent Normals, or one Normal of all weights with a covariance of
    low rank."""
    draws: Count = 4
    """Draws from the posterior in a training step; more make its gradient less noisy."""
    samples: Count = 100
    """Draws from the posterior at prediction."""


class RandomForest(Section):
    """A forest of decision trees on the sensors of a row."""

    name: Literal["random_forest"] = "random_forest"
    head: Head = "classification"
    """Whether the trees regress the count or classify it."""
    trees: Count = 300
    """How many trees."""
    max_depth: Count | None = None
    """Levels of a tree at most; none: no limit."""
    min_samples_leaf: Count = 5
    """Rows in a leaf at least."""
    balanced: bool = False
    """Whether each label weighs as much as any other, however few rows it has; with ``head: classification`` alone."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        _check_balance(self.balanced, self.head)
        return self


class Logistic(Section):
    """Multinomial logistic regression on the inputs of a row, each standardised."""

    name: Literal["logistic"] = "logistic"
    inverse_penalty: Positive = 0.01
    """One over the weight of the squared coefficients, as scikit-learn's ``C``: the smaller, the smoother."""
    balanced: bool = True
    """Whether each label weighs as much as any other, however few rows it has."""


class Majority(Section):
    """The shares of the labels in the training rows, whatever the sensors say."""

    name: Literal["majority"] = "majority"


class Clock(Section):
    """The shares of the labels at a row's hour and weekday, whatever the sensors say."""

    name: Literal["clock"] = "clock"
    prior_s: Positive = 1800.0
    """How many seconds of rows the share of a wider span of time (the hour on any day, all rows, equal shares)
    counts for."""


class MassBalance(Section):
    """The count that explains the CO2 of a ventilated room, gated by motion."""

    name: Literal["mass_balance"] = "mass_balance"
    volume_m3: Positive = 77.0
    """Volume of the room, in cubic metres."""
    generation_l_per_h: Positive = 16.0
    """The CO2 that one person breathes out, in litres an hour; the default suits adults who sit (Persily and de
    Jonge, 2017, give it by age, sex and activity)."""
    slope_s: Positive = 762.5
    """How far back the slope of CO2 is fitted, in seconds."""
    gate_s: Positive = 240.0
    """How long after the last motion people are taken to be in, in seconds."""


def _named(value: Any) -> Any:
    """Return the name of the model that a mapping or its settings describe."""
    return value.get("name", DEFAULT) if isinstance(value, dict) else getattr(value, "name", None)


Network = LSTM | MLPCRF | BNN
"""Models that are trained in epochs."""

_Any = (
    Annotated[LSTM, Tag("lstm")]
    | Annotated[MLPCRF, Tag("mlp_crf")]
    | Annotated[BNN, Tag("bnn")]
    | Annotated[RandomForest, Tag("random_forest")]
    | Annotated[Logistic, Tag("logistic")]
    | Annotated[Majority, Tag("majority")]
    | Annotated[Clock, Tag("clock")]
    | Annotated[MassBalance, Tag("mass_balance")]
)

Single = Annotated[_Any, Discriminator(_named)]
"""Settings of a model that a mixture can pool."""


class Mixture(Section):
    """Several models pooled into one."""

    name: Literal["mixture"] = "mixture"
    members: Annotated[list[Single], Field(min_length=2)]
    """The models, each a mapping with a ``name`` and its settings as ``model`` takes them."""
    pool: Literal["mean", "product"] = "product"
    """How members' probabilities become one: their ``mean``, or their ``product``, in which a count that one member
    finds unlikely stays so."""
    weights: Literal["equal", "learned"] = "equal"
    """Whether all members weigh the same, or as much as the rows that they learn from ask for, each predicted by
    members that left its visit out."""


Model = Annotated[_Any | Annotated[Mixture, Tag("mixture")], Discriminator(_named)]
