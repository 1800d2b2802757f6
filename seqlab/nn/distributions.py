"""Forecasts of one value: the value alone, a Gaussian, quantiles, or samples."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import torch
import torch.nn.functional as F
from torch import Tensor

INTERVAL = (0.1, 0.9)
"""Quantile levels at the ends of the central 80% interval."""
MEDIAN = 0.5
DECILES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
LEAST_SCALE = 1e-3
"""Smallest scale of a Gaussian, so that the density stays finite."""


def normal_score(level: float) -> float:
    """The quantile of N(0, 1)."""
    return NormalDist().inv_cdf(level)


class Value:
    """The value alone. A network outputs ``parts`` numbers for each value, ``(..., parts)``."""

    parts = 1

    def moved(self, told: Tensor, level: Tensor) -> Tensor:
        """The forecast of a value shifted up by ``level`` ``(...)``."""
        return told + level.unsqueeze(-1)

    def point(self, told: Tensor) -> Tensor:
        """The forecast ``(...)``."""
        return told[..., 0]


class Distribution(Value):
    """A forecast that gives each value a probability."""

    def cost(self, told: Tensor, targets: Tensor) -> Tensor:
        """Training loss of each target ``(...)``."""
        raise NotImplementedError

    def quantile(self, told: Tensor, level: float) -> Tensor:
        """The quantile of probability ``level`` ``(...)``."""
        raise NotImplementedError

    def sample(self, told: Tensor, generator: torch.Generator) -> Tensor:
        """One random value from each distribution ``(...)``."""
        raise NotImplementedError

    def crps(self, told: Tensor, targets: Tensor) -> Tensor:
        """Continuous ranked probability score of each target ``(...)``, in its unit; lower is better.

        It is the integral over x of (F(x) - [x >= y])^2. For a forecast without spread it is the absolute error.
        """
        raise NotImplementedError


class Gaussian(Distribution):
    """N(m, s^2) from the numbers m and r, with s = log(1 + exp r) + ``LEAST_SCALE``; the mean is the forecast."""

    parts = 2

    def mean_and_scale(self, told: Tensor) -> tuple[Tensor, Tensor]:
        """m and s, each ``(...)``."""
        return told[..., 0], F.softplus(told[..., 1]) + LEAST_SCALE

    def moved(self, told: Tensor, level: Tensor) -> Tensor:
        return torch.stack([told[..., 0] + level, told[..., 1]], -1)

    def cost(self, told: Tensor, targets: Tensor) -> Tensor:
        """-log density: z^2 / 2 + log s + log(2 pi) / 2 with z = (y - m) / s."""
        mean, scale = self.mean_and_scale(told)
        return ((targets - mean) / scale).square() / 2 + scale.log() + math.log(2 * math.pi) / 2

    def quantile(self, told: Tensor, level: float) -> Tensor:
        mean, scale = self.mean_and_scale(told)
        return mean + scale * normal_score(level)

    def sample(self, told: Tensor, generator: torch.Generator) -> Tensor:
        mean, scale = self.mean_and_scale(told)
        return mean + scale * torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)

    def crps(self, told: Tensor, targets: Tensor) -> Tensor:
        """s (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)) (Gneiting & Raftery 2007, equation 21 and after it)."""
        mean, scale = self.mean_and_scale(told)
        z = (targets - mean) / scale
        density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
        return scale * (z * torch.erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))


class Quantiles(Distribution):
    """Quantiles at given levels; the median is the forecast.

    Crossing quantiles are sorted (Chernozhukov, Fernandez-Val & Galichon 2010), except in the training loss, which
    compares each number with its own level. Between levels t, quantiles are linear in the normal score Phi^-1(t); the
    outer lines continue beyond the outer levels, so that quantiles of a Gaussian have Gaussian tails.

    Args:
        levels: Levels of the quantiles, ascending, with the median.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        self.levels, self.parts = [*levels], len(levels)

    def point(self, told: Tensor) -> Tensor:
        return told.sort(-1).values[..., self.levels.index(MEDIAN)]

    def cost(self, told: Tensor, targets: Tensor) -> Tensor:
        """Twice the mean pinball loss over the levels t: max(t (y - q), (t - 1) (y - q)) (Koenker & Bassett 1978)."""
        levels, error = told.new_tensor(self.levels), targets.unsqueeze(-1) - told
        return 2 * torch.maximum(levels * error, (levels - 1) * error).mean(-1)

    def quantile(self, told: Tensor, level: float) -> Tensor:
        return self._interpolated(told, torch.full_like(told[..., 0], normal_score(level)))

    def sample(self, told: Tensor, generator: torch.Generator) -> Tensor:
        scores = torch.randn(told.shape[:-1], generator=generator, dtype=told.dtype, device=told.device)
        return self._interpolated(told, scores)

    def crps(self, told: Tensor, targets: Tensor) -> Tensor:
        """Twice the mean pinball loss, which approximates the CRPS: for a Gaussian's own deciles it is 9% higher."""
        return self.cost(told.sort(-1).values, targets)

    def _interpolated(self, told: Tensor, scores: Tensor) -> Tensor:
        """The quantiles at normal scores ``(...)``."""
        marks, values = told.new_tensor([normal_score(level) for level in self.levels]), told.sort(-1).values
        upper = torch.searchsorted(marks, scores.contiguous()).clamp(1, len(marks) - 1)
        low, high = (values.gather(-1, place.unsqueeze(-1)).squeeze(-1) for place in (upper - 1, upper))
        share = (scores - marks[upper - 1]) / (marks[upper] - marks[upper - 1])
        return low + share * (high - low)


class Samples(Distribution):
    """Random samples ``(..., samples)``, at least two; their mean is the forecast.

    Args:
        samples: Number of samples.
    """

    def __init__(self, samples: int) -> None:
        self.parts = samples

    def point(self, told: Tensor) -> Tensor:
        return told.mean(-1)

    def quantile(self, told: Tensor, level: float) -> Tensor:
        values, place = told.sort(-1).values, level * (self.parts - 1)
        below, above = values[..., math.floor(place)], values[..., math.ceil(place)]
        return below + (place - math.floor(place)) * (above - below)

    def crps(self, told: Tensor, targets: Tensor) -> Tensor:
        """E|X - y| - E|X - X'| / 2, the second mean over pairs of different samples (Ferro 2014): an unbiased estimate
        for any number of samples."""
        count, values = self.parts, told.sort(-1).values
        ranks = torch.arange(1 - count, count, 2, dtype=told.dtype, device=told.device)  # sum |x_i - x_j| by rank
        apart = (ranks * values).sum(-1) / (count * (count - 1))
        return (told - targets.unsqueeze(-1)).abs().mean(-1) - apart
