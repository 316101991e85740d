"""Settings of each model; ``name`` says which model a mapping describes."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from occupancy.config.section import Section, Span, Volume

DEFAULT = "lstm"
"""The model of a mapping without a name."""

Share = Annotated[float, Field(ge=0, lt=1)]
Window = Annotated[int, Field(ge=1, le=10_000)]
Units = Annotated[int, Field(ge=1, le=4096)]
Layers = Annotated[list[Units], Field(max_length=32)]
Draws = Annotated[int, Field(ge=1, le=10_000)]
Head = Literal["regression", "classification"]


def _check_balance(balanced: bool, head: str) -> None:
    if balanced and head == "regression":
        raise ValueError("balanced conflicts with head 'regression', which has no labels; remove one of them")


class LSTM(Section):
    """A stack of recurrent layers over the last ``window`` samples."""

    name: Literal["lstm"] = "lstm"
    cell: Literal["lstm", "gru"] = "lstm"
    """Kind of layer: ``gru`` has three gates instead of the four of ``lstm``, and so a quarter fewer weights."""
    head: Literal["regression", "classification", "ordinal"] = "regression"
    """Output: ``regression`` of the count, ``classification``, or ``ordinal``: one number and increasing thresholds, so
    that the model knows that 2 lies between 1 and 3."""
    balanced: bool = False
    """Whether all labels have the same weight in the loss, even if a label has few rows; also in the loss that chooses
    the number of epochs. It can't be used with ``head: regression``."""
    window: Window = 15
    """Samples of one prediction, including its own row."""
    layers: Annotated[int, Field(ge=1, le=32)] = 2
    """Number of stacked layers."""
    hidden: Units = 64
    """Units in each layer."""
    dropout: Share = 0.3
    """Share of units that are dropped after each layer during training."""
    mc_samples: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Passes of Monte-Carlo dropout in prediction; 0: no dropout in prediction."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        _check_balance(self.balanced, self.head)
        return self


class MLPCRF(Section):
    """A multi-layer perceptron whose outputs are the emissions of a linear-chain CRF."""

    name: Literal["mlp_crf"] = "mlp_crf"
    hidden: Layers = Field(default_factory=lambda: [32])
    """Units in each hidden layer; an empty list: linear emissions."""
    window: Window = 5
    """Samples of one emission, including its own row."""
    dropout: Share = 0.3
    """Share of hidden units that are dropped during training."""
    sequence: Annotated[int, Field(ge=1, le=10_000)] = 60
    """Samples in a training sequence."""
    drop_incomplete: bool = False
    """Whether the last, shorter sequence of a stretch is left out of the training."""
    decoding: Literal["filter", "viterbi", "windows"] = "filter"
    """How the chain gives labels: ``filter``, the posterior of the chain that ends at the row, which is causal;
    ``viterbi``, the best path through the whole recording; ``windows``, the best path through each window of
    ``sequence`` samples, as in the reproduced report."""


class BNN(Section):
    """A Bayesian multi-layer perceptron whose posterior is approximated by a variational guide."""

    name: Literal["bnn"] = "bnn"
    hidden: Layers = Field(default_factory=lambda: [32, 32])
    """Units in each hidden layer; an empty list: a linear network."""
    window: Window = 8
    """Samples of one prediction, including its own row."""
    prior_std: Annotated[float, Field(ge=1e-6, le=1e6)] = 2.0
    """Standard deviation of the Normal prior of a weight, times the root of the number of inputs of its layer."""
    guide: Literal["diagonal", "low_rank"] = "diagonal"
    """Family of the approximate posterior: independent Normals, or one Normal of all weights with a covariance of
    low rank."""
    draws: Draws = 4
    """Samples from the posterior in a training step; more samples make the gradient less noisy."""
    samples: Draws = 100
    """Samples from the posterior in prediction."""


class RandomForest(Section):
    """A random forest on the sensors of a row."""

    name: Literal["random_forest"] = "random_forest"
    head: Head = "classification"
    """Whether the trees regress or classify the count."""
    trees: Annotated[int, Field(ge=1, le=10_000)] = 300
    """Number of trees."""
    max_depth: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Largest depth of a tree; null: no limit."""
    min_samples_leaf: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    """Smallest number of rows in a leaf."""
    balanced: bool = False
    """Whether all labels have the same weight, even if a label has few rows; only with ``head: classification``."""
    hour: bool = False
    """Whether the hour and the weekday of a row are inputs too."""

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        _check_balance(self.balanced, self.head)
        return self


class BoostedTrees(Section):
    """Gradient boosting of small trees on the inputs of a row, which classify the count."""

    name: Literal["boosted_trees"] = "boosted_trees"
    rounds: Annotated[int, Field(ge=1, le=10_000)] = 60
    """Rounds of boosting; each adds a tree for every label."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of each tree that is added."""
    max_leaves: Annotated[int, Field(ge=2, le=1000)] = 8
    """Most leaves of a tree."""
    min_samples_leaf: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    """Smallest number of rows in a leaf."""
    penalty: Annotated[float, Field(ge=0, le=1e9)] = 10.0
    """Weight of the penalty on the squared values of leaves."""
    hour: bool = False
    """Whether the hour and the weekday of a row are inputs too."""


class Logistic(Section):
    """Multinomial logistic regression on the standardised inputs of a row."""

    name: Literal["logistic"] = "logistic"
    inverse_penalty: Annotated[float, Field(ge=1e-9, le=1e9)] = 0.01
    """Inverse weight of the penalty on the squared coefficients, ``C`` in scikit-learn; smaller values give smoother
    models."""
    balanced: bool = True
    """Whether all labels have the same weight, even if a label has few rows."""
    hour: bool = False
    """Whether the hour and the weekday of a row are inputs too."""


class Majority(Section):
    """The shares of the labels in the training rows; sensors are not used."""

    name: Literal["majority"] = "majority"


class Clock(Section):
    """The shares of the labels at the hour and weekday of a row; sensors are not used."""

    name: Literal["clock"] = "clock"
    prior_s: Annotated[float, Field(ge=1e-3, le=1e9)] = 1800.0
    """Weight of the prior, in seconds of rows: the shares at an hour and weekday are pulled towards those at the hour
    on any day, these towards those of all rows, and these towards equal shares."""


class MassBalance(Section):
    """The number of people that explains the CO2 of a ventilated room; without motion it is 0."""

    name: Literal["mass_balance"] = "mass_balance"
    volume_m3: Volume | None = None
    """Volume of the room, in cubic metres; null: that of the schema, and where it has none, the one that the labels
    show."""
    generation_l_per_h: Annotated[float, Field(ge=0.01, le=1000)] = 16.0
    """CO2 that one person breathes out, in litres per hour; the default suits seated adults (Persily and de Jonge,
    2017, give it by age, sex and activity)."""
    slope_s: Span = 762.5
    """Span before each row over which the slope of CO2 is fitted, in seconds."""
    gate_s: Span = 240.0
    """Seconds after the last motion during which the room counts as occupied."""


class RoomModel(Section):
    """A generative model of a room: a hidden count drives its CO2, motion and sound; labels are not needed."""

    name: Literal["room_model"] = "room_model"
    labels: Literal["all", "none"] = "all"
    """What is learned from: ``all``, the sensors and the counts that are known, ``none``, the sensors alone."""
    volume_m3: Volume | None = None
    """Volume of the room, in cubic metres; null: that of the schema, and where it has none, one that fits the readings
    (15 to 300, more or less)."""
    generation_l_per_h: Annotated[float, Field(ge=0.01, le=1000)] = 16.0
    """CO2 that one person breathes out, in litres per hour, within 20 %; the default suits seated adults (Persily and
    de Jonge, 2017)."""
    sets: Annotated[int, Field(ge=1, le=24)] = 8
    """Sets of parameters that are kept; their probabilities are averaged, so that a room that is not known well has
    wide counts."""
    history_s: Span = 43_200.0
    """Seconds of earlier rows that one prediction needs, until what the air was before is forgotten."""


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
    | Annotated[BoostedTrees, Tag("boosted_trees")]
    | Annotated[Majority, Tag("majority")]
    | Annotated[Clock, Tag("clock")]
    | Annotated[MassBalance, Tag("mass_balance")]
    | Annotated[RoomModel, Tag("room_model")]
)

Single = Annotated[_Any, Discriminator(_named)]
"""Settings of a model that a mixture can pool."""


class Mixture(Section):
    """Several models whose probabilities are combined."""

    name: Literal["mixture"] = "mixture"
    members: Annotated[list[Single], Field(min_length=2, max_length=100)]
    """The models, each a mapping with a ``name`` and its settings, as under ``model``."""
    pool: Literal["mean", "product"] = "product"
    """How the probabilities of the members are combined: their ``mean``, or their ``product``, in which a count that
    one member finds unlikely stays unlikely."""
    weights: Literal["equal", "learned"] = "equal"
    """Weights of the members: ``equal``, or ``learned`` from the training rows, each predicted by members that were
    fitted without its day or visit."""
    rhythm_days: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Days on which people must have been in, in the training rows, before what they do by the hour is believed: with
    fewer, members that know the hour (``clock`` and those with ``hour``) are left out, and the weights are equal."""


Model = Annotated[_Any | Annotated[Mixture, Tag("mixture")], Discriminator(_named)]
