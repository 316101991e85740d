"""A Bayesian multi-layer perceptron: Pyro defines model and guide; the ELBO is computed without Pyro's tracing."""

from __future__ import annotations

import itertools
import math

import pyro
import torch
from pyro import distributions
from pyro.distributions import TorchDistribution
from pyro.infer.autoguide import AutoContinuous, AutoDiagonalNormal, AutoLowRankMultivariateNormal, init_to_value
from torch import Tensor, nn
from torch.nn import functional

from occupancy.config import BNN
from occupancy.models.neural.network import Sizes

FIXED_DRAWS = 32
"""Number of fixed draws of the weights for a prediction without chance."""

START_STD = 0.1
"""Standard deviation of every weight in the untrained guide. It is close to that of the prior, so that the KL
divergence does not dominate the first epochs, and small compared with the weights, so that draws are similar."""

RANK = 10  # with Pyro's default, the root of the number of weights, a step with long windows takes ten times as long


class BayesianNetwork(nn.Module):
    """Hidden ReLU layers over a flattened window; their weights have a distribution instead of values.

    The prior of every weight and bias is Normal with mean 0 and standard deviation prior_std / sqrt(fan-in), so that
    it means the same for the outputs of layers of any width (Neal 1996). The posterior is approximated by a Pyro
    guide, trained on the evidence lower bound with reparameterised draws (Blundell et al. 2015, Kucukelbir et al.
    2017). The optimizer must not use weight decay: the prior does that, and the scales of a guide are not weights.

    Pyro runs the guide only in the constructor. Everything else uses the posterior of the guide, which does not touch
    Pyro's global parameters and avoids the cost of tracing.

    Attributes:
        guide: the approximate posterior over all weights in one vector (D,).
    """

    def __init__(self, settings: BNN, sizes: Sizes) -> None:
        """Build the network; torch's generator draws the location of the guide.

        Args:
            settings: layers, window, prior and guide.
            sizes: of input and output, with the number of training rows against which the prior is weighted.
        """
        super().__init__()
        self.settings = settings
        self.rows = sizes.rows
        self.shapes = list(itertools.pairwise([settings.window * sizes.features, *settings.hidden, sizes.classes]))
        fan_ins = [torch.full(((fan_in + 1) * out,), float(fan_in)) for fan_in, out in self.shapes]
        self.prior_std: Tensor  # (D,)
        self.register_buffer("prior_std", settings.prior_std / torch.cat(fan_ins).sqrt(), persistent=False)
        self.guide = self._untrained_guide()

    def model(self, x: Tensor, y: Tensor) -> None:
        """Define for Pyro the distribution of the weights, and of counts (B,) given windows (B, T, F)."""
        weights = pyro.sample("weights", self.prior())
        logits = self._logits(x, weights[None])[0]
        with pyro.plate("rows", self.rows, subsample=torch.arange(len(x))):  # with given rows, the plate draws none
            pyro.sample("count", distributions.Categorical(logits=logits), obs=y)

    def prior(self) -> TorchDistribution:
        """Return the prior over all weights (D,)."""
        return distributions.Independent(distributions.Normal(torch.zeros_like(self.prior_std), self.prior_std), 1)

    def posterior(self) -> TorchDistribution:
        """Return the approximate posterior over all weights (D,); its draws carry gradients to the guide."""
        posterior: TorchDistribution = self.guide.get_posterior()  # type: ignore[no-untyped-call]
        return posterior

    def forward(self, x: Tensor) -> Tensor:
        """Return probabilities (B, C) from windows (B, T, F), averaged over fixed draws of the weights."""
        return self._log_probs(x).exp()

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the loss for windows (B, T, F) with counts (B,), nats per row.

        In training mode it is an unbiased estimate of the negative evidence lower bound of all training rows, divided
        by their number; the KL divergence in it is exact. In evaluation mode it is the negative log-probability of
        the counts under `forward`, without the KL divergence.
        """
        if not self.training:
            return functional.nll_loss(self._log_probs(x), y)
        posterior = self.posterior()
        logits = self._logits(x, posterior.rsample(torch.Size([self.settings.draws])))
        surprise = functional.cross_entropy(logits.flatten(0, 1), y.repeat(len(logits)))
        return surprise + self._kl(posterior) / self.rows

    def sample(self, x: Tensor, n: int) -> Tensor:
        """Return probabilities (S, B, C) from windows (B, T, F) by n draws of the weights, each for all rows."""
        with torch.no_grad():
            return self._logits(x, self.posterior().sample(torch.Size([n]))).softmax(dim=-1)

    def monitored(self) -> dict[str, float]:
        """Return the KL divergence of the guide from the prior, in nats."""
        with torch.no_grad():
            return {"kl": float(self._kl(self.posterior()))}

    def _kl(self, posterior: TorchDistribution) -> Tensor:
        """Return KL(posterior || prior), exact for a posterior of known entropy, because the prior is diagonal."""
        second_moments = posterior.mean.square() + posterior.variance
        surprises = 0.5 * second_moments / self.prior_std.square() + (self.prior_std * math.sqrt(2 * math.pi)).log()
        kl: Tensor = surprises.sum() - posterior.entropy()
        return kl

    def _log_probs(self, x: Tensor) -> Tensor:
        """Return log-probabilities (B, C) of the predictive distribution with the fixed draws."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            weights = self.posterior().rsample(torch.Size([FIXED_DRAWS]))
        return self._logits(x, weights).log_softmax(dim=-1).logsumexp(dim=0) - math.log(FIXED_DRAWS)

    def _logits(self, x: Tensor, weights: Tensor) -> Tensor:
        """Return logits (S, B, C) from windows (B, T, F) by each of the weight vectors (S, D)."""
        state = x.flatten(1).expand(len(weights), -1, -1)
        start = 0
        for layer, (fan_in, out) in enumerate(self.shapes):
            middle, end = start + fan_in * out, start + (fan_in + 1) * out
            matrix = weights[:, start:middle].view(-1, fan_in, out)
            state = torch.baddbmm(weights[:, None, middle:end], state.relu() if layer else state, matrix)
            start = end
        return state

    def _untrained_guide(self) -> AutoContinuous:
        """Return the guide, around random weights of He et al. (2015) and biases of 0."""
        parts = [(torch.randn(fan_in * out) * math.sqrt(2 / fan_in), torch.zeros(out)) for fan_in, out in self.shapes]
        start = init_to_value(values={"weights": torch.cat([*itertools.chain.from_iterable(parts)])})
        # Otherwise Pyro would keep the parameters in its global store, where two networks would share them.
        with pyro.settings.context(module_local_params=True):
            guide: AutoContinuous = (
                AutoDiagonalNormal(self.model, start, START_STD)  # type: ignore[no-untyped-call]
                if self.settings.guide == "diagonal"
                else AutoLowRankMultivariateNormal(self.model, start, START_STD, RANK)  # type: ignore[no-untyped-call]
            )
            guide(torch.zeros(1, self.shapes[0][0]), torch.zeros(1, dtype=torch.long))  # creates its parameters
        return guide
