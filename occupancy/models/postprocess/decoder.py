"""A decoder fitted to a model's out-of-fold probabilities: the chain, its exponents and the mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import Decoding
from occupancy.data.folds import Fold
from occupancy.data.rolling import samples_of
from occupancy.features.learned import STEPS_S, Learned
from occupancy.models.postprocess.calibration import label_shares
from occupancy.models.postprocess.decoding import Decoded, Exponents, decode_by, learn_exponents
from occupancy.models.postprocess.durations import AgeChain, Durations, age_edges, learn_durations
from occupancy.prediction import floor

ROW_FLOOR = 1e-3  # lowest probability of a count in one row: no single row rules a count out against all others


@dataclass(frozen=True)
class Decoder:
    """Decodes a model's probabilities in time.

    Attributes:
        settings: the mode, and the delay of ``mode: lag``.
        durations: how long labels last.
        exponents: how strongly the probabilities of a row count.
        step_s: seconds between rows.
    """

    settings: Decoding
    durations: Durations
    exponents: Exponents
    step_s: float

    @classmethod
    def fit(
        cls, settings: Decoding, fold: Fold, rows: Rows, probs: Floats, counts: Ints, pieces: Sequence[Ints]
    ) -> Self:
        """Return the decoder that fits labelled rows.

        Args:
            settings: the mode, and the delay of ``mode: lag``.
            fold: the fold.
            rows: (N,) the labelled rows to learn from.
            probs: (N, C) their probabilities by models that did not learn from the row's visit.
            counts: (N,) people at these rows.
            pieces: positions of the rows that follow each other, an array for each such piece.
        """
        classes, step_s, log = probs.shape[1], fold.log.step_s, fold.log
        durations = learn_durations(counts, log.times, rows, log.max_gap, classes, age_edges(classes))
        taught = [(_log(probs[piece]), counts[piece]) for piece in pieces]
        lag = samples_of(settings.lag, step_s)
        exponents = learn_exponents(durations, taught, label_shares(counts[rows], classes), step_s, settings.mode, lag)
        return cls(settings, durations, exponents, step_s)

    @property
    def is_causal(self) -> bool:
        """Whether a decoded row uses rows up to its own time only."""
        return self.settings.mode == "filter"

    @property
    def has_path(self) -> bool:
        """Whether the labels are those of a path."""
        return self.settings.mode == "viterbi"

    @property
    def delay_s(self) -> float:
        """Seconds after a row's time at which its prediction can be had; 0 where it waits for the whole recording."""
        return samples_of(self.settings.lag, self.step_s) * self.step_s if self.settings.mode == "lag" else 0.0

    @property
    def parameters(self) -> int:
        """How many numbers were learned: two exponents, hazards and destinations."""
        return 2 + self.durations.hazards.size + self.durations.destinations.size

    @cached_property
    def _chain(self) -> AgeChain:
        return self.durations.chain(self.step_s)

    def decode(self, probs: Floats, known: Rows | None = None) -> Decoded:
        """Return the probabilities (T, C) and, in some modes, the path of one recording with probabilities (T, C).

        Rows (T,) that are not known say nothing: there, the chain goes on by itself.
        """
        potentials = self.exponents.potentials(_log(probs))
        if known is not None:
            potentials[~known] = 0.0
        lag = samples_of(self.settings.lag, self.step_s)
        return decode_by(self._chain, potentials, self.settings.mode, lag)

    def to_settings(self) -> dict[str, Any]:
        """Return plain values from which `from_settings` makes an equal decoder."""
        return {
            "step_s": self.step_s,
            "durations": self.durations.to_settings(),
            "exponents": self.exponents.to_settings(),
        }

    @classmethod
    def from_settings(cls, settings: Decoding, learned: dict[str, Any]) -> Self:
        """Return the decoder that `to_settings` described, in this version or in those that held ``emissions``.

        Raises:
            InputError: it is not as it gives it.
        """
        saved = Learned(learned, "decoder")
        exponents = Exponents.from_settings(saved.value("exponents" if "exponents" in saved else "emissions"))
        durations = Durations.from_settings(saved.value("durations"))
        if len(durations.hazards) != len(exponents.shares):
            raise saved.wrong("durations", f"those of {len(exponents.shares)} labels, as there are shares")
        return cls(settings, durations, exponents, saved.number("step_s", *STEPS_S))


def _log(probs: Floats) -> Floats:
    return np.asarray(np.log(floor(probs, ROW_FLOOR)))
