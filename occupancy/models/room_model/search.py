"""Learning the room model: the parameters by the marginal likelihood and their prior, people and sensors by EM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from scipy.special import logsumexp

from occupancy.arrays import Floats
from occupancy.features.learned import Learned
from occupancy.models.room_model.airing import Airing
from occupancy.models.room_model.evidence import Emission
from occupancy.models.room_model.people import PROFILES, Chain
from occupancy.models.room_model.priors import NAMES, Prior, constants_of
from occupancy.models.room_model.proposal import Proposal
from occupancy.models.room_model.record import Record
from occupancy.models.room_model.recursion import Inputs, run_filter, smooth

CANDIDATES = 24
STEP = 0.5  # of the first proposal, in standard deviations of the prior
FINAL_WIDTH = 1.5  # of the proposal that the kept sets are drawn from, over that of the search
NARROWEST = 0.05  # least width of it, in standard deviations of the prior
NATS_PER_ROW = 0.01  # that a second regime of the air has to explain, since rows are more alike than is believed
FEWEST_EFFECTIVE = 4.0  # sets that the weights are spread over: rows are more alike than the likelihood believes
STARTS_STD_PPM = 50.0  # least standard deviation of the CO2 at the start of a run


@dataclass(frozen=True)
class Sensors:
    """What is known of the CO2 sensor: mean and standard deviation of its readings, and its resolution, in ppm."""

    mean_ppm: float
    std_ppm: float
    resolution_ppm: float

    @classmethod
    def of(cls, co2_ppm: Floats) -> Self:
        """Return what readings (N,) show; NaN where one is missing."""
        known = co2_ppm[~np.isnan(co2_ppm)]
        if not len(known):
            return cls(420.0, STARTS_STD_PPM, 1.0)
        steps = np.diff(np.unique(np.round(known, 2)))
        resolution = float(steps.min()) if len(steps) else 1.0
        return cls(float(known.mean()), max(float(known.std()), STARTS_STD_PPM), resolution)


@dataclass(frozen=True)
class Room:
    """Sets of parameters that explain a log, with the people and sensors that go with them.

    Attributes:
        theta: (K, 9) parameters in the scale of the search, see `priors.NAMES`.
        weights: (K,) their weights.
        chain: how the count changes.
        airing: how the air is changed.
        emissions: of each kind of sensors, what fires.
        co2: the sensor of CO2.
        score: (K,) log-likelihood and log-prior of each set, less the log-density of its proposal.
    """

    theta: Floats
    weights: Floats
    chain: Chain
    airing: Airing
    emissions: Mapping[str, Emission]
    co2: Sensors
    score: Floats = field(default_factory=lambda: np.zeros(1))

    def run(self, record: Record, keep: bool) -> tuple[Floats, Floats, Inputs]:
        """Return the log-likelihood (K,) of rows by each set, the filter's probabilities (K, T, R, C), and its inputs.

        Args:
            record: T rows.
            keep: whether to give the probabilities.
        """
        inputs = self._inputs(record)
        return *self._filter(record, self.theta, inputs, keep), inputs

    def _inputs(self, record: Record) -> Inputs:
        """Return what is the same for all sets."""
        evidence = np.zeros((len(record), self.chain.classes))
        for kind, emission in self.emissions.items():
            evidence += emission.log_likelihood(record.fired[kind])
        return Inputs(
            matrices=self.chain.matrices(record.lengths_h[record.pairs[:, 0]], record.pairs[:, 1]),
            airings=self.airing.matrices(record.lengths_h),
            starts=record.starts,
            pace=record.pace,
            place=record.place,
            co2_ppm=record.co2_ppm,
            size=record.size,
            evidence=evidence,
            labels=record.labels,
            initial=np.outer(self.airing.initial, self.chain.initial),
            start_ppm=np.array([self.co2.mean_ppm, self.co2.std_ppm]),
        )

    def _filter(self, record: Record, theta: Floats, inputs: Inputs, keep: bool) -> tuple[Floats, Floats]:
        found = constants_of(theta, record.lengths_h, self.co2.resolution_ppm, self.airing.regimes)
        return run_filter(*found, inputs, keep)

    def posteriors(self, record: Record, smoothed: bool) -> Iterator[Floats]:
        """Yield the probabilities (T, C) of each count by each set, given earlier rows, or all rows of a run."""
        inputs = self._inputs(record)
        for theta in self.theta:  # one by one: a log may be long
            (probs,) = self._filter(record, theta[None], inputs, keep=True)[1]
            yield (smooth(probs, inputs, record.profile, PROFILES)[0] if smoothed else probs).sum(axis=1)

    def relearned(self, record: Record) -> Room:
        """Return the room with people and sensors by one step of EM, by its first set of parameters."""
        first = replace(self, theta=self.theta[:1], weights=np.ones(1))
        _, probs, inputs = first.run(record, keep=True)
        states, changes, aired = smooth(probs[0], inputs, record.profile, PROFILES)
        found = states.sum(axis=1)
        seconds = np.zeros((PROFILES, self.chain.classes))
        np.add.at(seconds, record.profile, found * record.seconds[:, None])
        airing = self.airing.learn(aired, record.seconds @ states.sum(axis=2))
        run = np.cumsum(record.starts, dtype=np.int64)
        emissions = {kind: emission.learn(record.fired[kind], found, run) for kind, emission in self.emissions.items()}
        return replace(self, chain=self.chain.learn(changes, seconds), airing=airing, emissions=emissions)

    def to_settings(self) -> dict[str, Any]:
        """Return plain values from which `from_settings` makes an equal room."""
        return {
            "theta": self.theta.tolist(),
            "weights": self.weights.tolist(),
            "chain": self.chain.to_settings(),
            "airing": self.airing.to_settings(),
            "emissions": {kind: each.to_settings() for kind, each in self.emissions.items()},
            "co2": [self.co2.mean_ppm, self.co2.std_ppm, self.co2.resolution_ppm],
        }

    @classmethod
    def from_settings(cls, learned: Learned, sensors: Mapping[str, int], classes: int) -> Self:
        """Return the room that `to_settings` described, given how many sensors there are of each kind.

        Raises:
            InputError: it is not as it gives it.
        """
        theta = learned.numbers("theta", (None, len(NAMES)), -50.0, 1e5)
        if (theta[:, :-1] > 50).any():
            raise learned.wrong("theta", "logarithms of parameters")
        parts = learned.part("emissions")
        emissions = {kind: Emission.from_settings(parts.part(kind), sensors[kind], classes) for kind in sensors}
        chain = Chain.from_settings(learned.part("chain"), classes)
        airing = Airing.from_settings(learned.part("airing"))
        co2 = learned.numbers("co2", (3,), 0.0, 1e6)
        if not co2[1] > 0:
            raise learned.wrong("co2", "a standard deviation above 0")
        weights = learned.numbers("weights", (len(theta),), 0.0, 1.0)
        return cls(theta, weights, chain, airing, emissions, Sensors(*co2.tolist()))


def search(room: Room, record: Record, prior: Prior, rounds: int, keep: int, rng: Generator) -> Room:
    """Return a room with sets of parameters that explain rows.

    Each round draws candidates from a Normal proposal, and moves it to the best of them by likelihood times prior; then
    people and sensors take a step of EM. At last sets are drawn from a wider proposal, and weighted by importance.

    Args:
        room: where to begin: people, sensors, and a first set of parameters.
        record: T rows; known counts are clamped.
        prior: of the parameters.
        rounds: how many.
        keep: K, how many sets are kept.
        rng: draws the candidates.
    """

    def scores(drawn: Floats) -> Floats:
        theta = prior.mean + prior.std * drawn
        return replace(room, theta=theta).run(record, keep=False)[0] + prior.log_density(theta)

    proposal = Proposal.begin((room.theta[0] - prior.mean) / prior.std, STEP)
    for _ in range(rounds):
        drawn, _ = proposal.draw(CANDIDATES, rng)
        proposal = proposal.moved(drawn, np.argsort(-scores(drawn), kind="stable"))
        room = replace(room, theta=(prior.mean + prior.std * proposal.mean)[None]).relearned(record)
    width = max(FINAL_WIDTH, NARROWEST / proposal.spread)
    drawn, density = proposal.draw(CANDIDATES, rng, width)
    found = scores(drawn)
    order = np.argsort(-found, kind="stable")[:keep]
    theta = prior.mean + prior.std * drawn[order]
    score = (found - density)[order] - NATS_PER_ROW * len(record) * (room.airing.regimes - 1)
    return replace(room, theta=theta, weights=np.ones(len(order)), score=score)


def weigh(rooms: list[Room], keep: int) -> list[Room]:
    """Return rooms with the weights of their sets, which add up to 1 over all; sets without weight are left out.

    Importance weights are flattened by a power until they spread over `FEWEST_EFFECTIVE` sets.
    """
    score = np.concatenate([room.score for room in rooms])
    most = np.partition(score, -min(keep, len(score)))[-min(keep, len(score))]
    least = min(FEWEST_EFFECTIVE, len(score[score >= most]))
    kept = np.where(score >= most, score, -np.inf)
    low, high = 0.0, 1.0
    for _ in range(50):
        power = (low + high) / 2
        weights = np.exp(power * kept - logsumexp(power * kept))
        low, high = (power, high) if 1 / np.square(weights).sum() >= least else (low, power)
    weights = np.exp(low * kept - logsumexp(low * kept)) if low > 0 else np.isfinite(kept) / np.isfinite(kept).sum()
    found, first = [], 0
    for room in rooms:
        own = weights[first : first + len(room.theta)]
        first += len(room.theta)
        if (some := own > 1e-9).any():
            found.append(replace(room, theta=room.theta[some], weights=own[some], score=room.score[some]))
    return found
