"""A multi-layer perceptron with a linear-chain CRF over its outputs, trained on sequences."""

from __future__ import annotations

import dataclasses
import itertools
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torchcrf import CRF

from occupancy.arrays import Floats, Ints, Rows
from occupancy.config import MLPCRF, Config
from occupancy.data.folds import Fold
from occupancy.data.times import stretches
from occupancy.errors import InputError
from occupancy.models.memory import runs
from occupancy.models.neural.crf import Chain, filtered, marginals, nll, viterbi
from occupancy.models.neural.estimator import NetworkEstimator
from occupancy.models.neural.network import Sizes
from occupancy.models.neural.windows import PADDING, Batches, sequences
from occupancy.prediction import Prediction, from_probabilities

MONITORED_LABELS = 12
"""The most labels C whose C * C transitions are shown after each epoch."""


class ChainNetwork(nn.Module):
    """A perceptron gives the emissions of each row, a CRF the transitions between rows (Lafferty et al. 2001).

    pytorch-crf holds and initialises the transitions; `occupancy.models.neural.crf` computes the sums over paths.
    """

    def __init__(self, settings: MLPCRF, sizes: Sizes) -> None:
        """Build the network.

        Args:
            settings: window, hidden layers and dropout.
            sizes: of input and output.
        """
        super().__init__()
        widths = [settings.window * sizes.features, *settings.hidden]
        layers = [
            layer
            for inputs, outputs in itertools.pairwise(widths)
            for layer in (nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(settings.dropout))
        ]
        self.emissions = nn.Sequential(nn.Flatten(-2), *layers, nn.Linear(widths[-1], sizes.classes))
        self.crf = CRF(sizes.classes, batch_first=True)

    @property
    def chain(self) -> Chain:
        """The potentials that are the same for all rows."""
        return Chain(self.crf.start_transitions, self.crf.transitions, self.crf.end_transitions)

    def forward(self, x: Tensor) -> Tensor:
        """Return emissions, log-potentials (..., C), from windows (..., W, F)."""
        emissions: Tensor = self.emissions(x)
        return emissions

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the negative log-likelihood, nats per row, of labels (B, T) given windows (B, T, W, F)."""
        mask = y != PADDING
        return nll(self.chain, self(x), y, mask).sum() / mask.sum()

    def monitored(self) -> dict[str, float]:
        """Return the transitions, ``transition/i/j`` from label i to label j; none of many, which nobody could read."""
        if self.crf.num_tags > MONITORED_LABELS:
            return {}
        matrix = self.crf.transitions.tolist()
        return {f"transition/{i}/{j}": score for i, row in enumerate(matrix) for j, score in enumerate(row)}


class ChainEstimator(NetworkEstimator):
    """Trains CRFs on sequences of rows, and decodes each recording from the start of the permitted past."""

    def __init__(self, config: Config, settings: MLPCRF) -> None:
        super().__init__(config, partial(ChainNetwork, settings), settings.window)
        self.settings = settings

    @property
    def history_s(self) -> float:
        """Seconds of earlier rows that one prediction needs: those of a training sequence.

        The filter starts where the recording starts, but rows earlier than a training sequence have little influence.
        """
        return super().history_s + (self.settings.sequence - 1) * self.features.step_s

    def predict(self, frame: pd.DataFrame, rows: Rows, past: Rows | None = None) -> Prediction:
        """Return predictions for the given rows (N,) of a frame of sensors, see `Estimator.predict`.

        The probabilities are the posterior marginals of each row: given the rows up to it (``decoding: filter``), or
        given its whole recording (``viterbi``) or window (``windows``). With several networks they are averaged, and
        the path is the best path of the chain with the mean log-potentials. At rows whose windows lack readings the
        chain goes on by itself; they are not answered.

        Raises:
            InputError: if the frame has no sensor that the model was trained on, or has another step.
        """
        times = pd.DatetimeIndex(frame.index)
        windows, known = self._layout(frame)
        probs = np.full((len(self.networks), len(frame), self.config.data.max_count + 1), np.nan)
        path = np.full(len(frame), -1)
        with torch.no_grad():
            for piece in self._pieces(times, rows, past):
                probs[:, piece], path[piece] = self._decode(windows.at(piece), torch.from_numpy(known[piece]))
        prediction = from_probabilities(times[rows], probs[:, rows], not self.config.looks_ahead)
        if not known[rows].all():
            prediction = dataclasses.replace(prediction, answered=known[rows])
        if self.settings.decoding == "filter":
            return prediction
        return dataclasses.replace(prediction, label=path[rows], causal=False)

    def _pieces(self, times: pd.DatetimeIndex, rows: Rows, past: Rows | None) -> list[Ints]:
        """Return the positions of rows that are decoded together, an array for each such piece."""
        pieces = runs(times, rows, past, self.config.data.max_gap, causal=self.settings.decoding == "filter")
        if self.settings.decoding != "windows":
            return pieces
        length = self.settings.sequence
        cut = [piece[start : start + length] for piece in pieces for start in range(0, len(piece), length)]
        return [window for window in cut if rows[window].any()]

    def _decode(self, x: Tensor, known: Tensor) -> tuple[Floats, Ints]:
        """Return each network's probabilities (S, T, C) and the common path (T,) from one piece's windows (T, W, F).

        Windows (T,) that are not known say nothing.
        """
        networks: list[ChainNetwork] = self.networks  # type: ignore[assignment]
        # Double precision: over a night of rows, sums in single precision would round by more than one transition.
        emissions = [(network(x).double() * known[:, None])[None] for network in networks]
        chains = [Chain(*(part.double() for part in network.chain)) for network in networks]
        posterior = filtered if self.settings.decoding == "filter" else marginals
        probs = torch.cat([posterior(*each) for each in zip(chains, emissions, strict=True)])
        if self.settings.decoding == "filter":
            return probs.numpy(), np.full(len(x), -1)
        mean = Chain(*(torch.stack(parts).mean(dim=0) for parts in zip(*chains, strict=True)))
        return probs.numpy(), viterbi(mean, torch.stack(emissions).mean(dim=0))[0].numpy()

    def _batches(self, fold: Fold, rows: Rows, size: int, past: Rows | None = None) -> tuple[Batches, Rows]:
        """Return the stretches of rows (N,) in batches of sequences, which rows without a count or readings end."""
        windows, rows = self._windows(fold, rows, past)
        stretch = stretches(fold.log.times, rows, fold.log.max_gap)
        # Of the rows that choose the number of epochs all count, as all test rows do.
        drop = self.settings.drop_incomplete and past is None
        positions, counted = sequences(stretch, self.settings.sequence, drop)
        if not len(positions):
            raise InputError(
                f"model.sequence: got {self.settings.sequence}, but no stretch of the training rows is that long "
                f"(fold {fold.number}); shorten it, or keep incomplete sequences (model.drop_incomplete=false)"
            )
        counts = np.full(len(rows), PADDING)
        counts[rows] = fold.counts(rows)
        labels = torch.from_numpy(np.where(counted, counts[positions], PADDING))
        return Batches(windows, positions, labels, size), rows
