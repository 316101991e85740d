"""Settings of each model; ``name`` tells which model a mapping describes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from occupancy.config.section import Count, Positive, Section

DEFAULT = "lstm"
"""The model of a mapping that names none."""

Share = Annotated[float, Field(ge=0, lt=1)]
Head = Literal["regression", "classification"]


class LSTM(Section):
    """A stack of LSTM layers over the last ``window`` samples.

    Attributes:
        head: whether the count is regressed or classified.
        window: samples that a prediction sees, its own included.
        layers: how many LSTM layers are stacked.
        hidden: units of each.
        dropout: share of units switched off after each layer while training.
        mc_samples: passes of Monte-Carlo dropout at prediction; none: dropout is off.
    """

    name: Literal["lstm"] = "lstm"
    head: Head = "regression"
    window: Count = 15
    layers: Count = 2
    hidden: Count = 64
    dropout: Share = 0.3
    mc_samples: Annotated[int, Field(ge=0)] = 0


class MLPCRF(Section):
    """A multi-layer perceptron whose outputs are the emissions of a linear-chain CRF.

    Attributes:
        hidden: units of each hidden layer; none: the emissions are linear.
        window: samples that an emission sees, its own included.
        dropout: share of hidden units switched off while training.
        sequence: samples of a training sequence.
        drop_incomplete: whether the last, shorter sequence of a stretch is left out of the training.
        decoding: how labels come from the chain: ``filter`` takes the posterior of the chain that ends at the
            row, and is causal; ``viterbi`` the best path through the whole recording; ``windows`` the best
            path through each window of ``sequence`` samples by itself, as the reproduced report did.
    """

    name: Literal["mlp_crf"] = "mlp_crf"
    hidden: list[Count] = Field(default_factory=lambda: [32])
    window: Count = 5
    dropout: Share = 0.3
    sequence: Count = 60
    drop_incomplete: bool = False
    decoding: Literal["filter", "viterbi", "windows"] = "filter"


class BNN(Section):
    """A Bayesian multi-layer perceptron, its posterior approximated by a variational guide.

    Attributes:
        hidden: units of each hidden layer; none: the network is linear.
        window: samples that a prediction sees, its own included.
        prior_std: standard deviation of the Normal prior of a weight, times the root of the layer's inputs.
        guide: family of the approximate posterior: independent Normals, or one Normal of all weights with a
            covariance of low rank.
        draws: draws from the posterior in a training step; more make its gradient less noisy.
        samples: draws from the posterior at prediction.
    """

    name: Literal["bnn"] = "bnn"
    hidden: list[Count] = Field(default_factory=lambda: [32, 32])
    window: Count = 8
    prior_std: Positive = 2.0
    guide: Literal["diagonal", "low_rank"] = "diagonal"
    draws: Count = 4
    samples: Count = 100


class RandomForest(Section):
    """A forest of decision trees on the sensors of a row.

    Attributes:
        head: whether the trees regress the count or classify it.
        trees: how many.
        max_depth: levels of a tree at most; none: no limit.
        min_samples_leaf: rows in a leaf at least.
    """

    name: Literal["random_forest"] = "random_forest"
    head: Head = "classification"
    trees: Count = 300
    max_depth: Count | None = None
    min_samples_leaf: Count = 5


class Majority(Section):
    """The shares of the labels in the training rows, whatever the sensors say."""

    name: Literal["majority"] = "majority"


class Clock(Section):
    """The shares of the labels at a row's hour and weekday, whatever the sensors say.

    Attributes:
        prior_s: how many seconds of rows the share of a wider span of time (the hour on any day, all rows,
            equal shares) counts for.
    """

    name: Literal["clock"] = "clock"
    prior_s: Positive = 1800.0


class MassBalance(Section):
    """The count that explains the CO2 of a ventilated room, gated by motion.

    Attributes:
        volume_m3: the room's volume.
        generation_l_per_h: the CO2 that one person breathes out; the default suits adults who sit (Persily and
            de Jonge, 2017, give it by age, sex and activity).
        slope_s: how far back the slope of CO2 is fitted, in seconds.
        gate_s: how long after the last motion people are taken to be in, in seconds.
    """

    name: Literal["mass_balance"] = "mass_balance"
    volume_m3: Positive = 77.0
    generation_l_per_h: Positive = 16.0
    slope_s: Positive = 762.5
    gate_s: Positive = 240.0


def _named(value: Any) -> Any:
    """Return the name of the model that a mapping or its settings describe."""
    return value.get("name", DEFAULT) if isinstance(value, dict) else getattr(value, "name", None)


Network = LSTM | MLPCRF | BNN
"""Models that are trained in epochs."""

Model = Annotated[
    Annotated[LSTM, Tag("lstm")]
    | Annotated[MLPCRF, Tag("mlp_crf")]
    | Annotated[BNN, Tag("bnn")]
    | Annotated[RandomForest, Tag("random_forest")]
    | Annotated[Majority, Tag("majority")]
    | Annotated[Clock, Tag("clock")]
    | Annotated[MassBalance, Tag("mass_balance")],
    Discriminator(_named),
]
