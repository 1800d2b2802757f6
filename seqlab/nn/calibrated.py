"""Forecasts in closed form, with quantiles taken from the errors on held-out windows."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from seqlab.nn.distributions import DECILES, MEDIAN, Quantiles, Value
from seqlab.nn.forecaster import Forecaster, ForecasterOptions, Memory, Sizes
from seqlab.options import Options, option


@dataclass(frozen=True)
class CalibratedOptions(Options):
    """Options of ``Calibrated``."""

    distribution: Literal["none", "quantiles"] = option(
        "none",
        "Forecast of each value: the value alone (none), or quantiles from the errors on the validation part (on the "
        "training part if there is no validation part).",
    )

    def said(self) -> Value:
        """Kind of forecast of each value."""
        return Value() if self.distribution == "none" else Quantiles(DECILES)


class Calibrated(Forecaster):
    """A value, and optionally quantiles around it, for each step ahead and column, from the errors on n other windows.

    The central interval of a share p is value +- the ceil((n + 1) p)-th smallest absolute error, at most the largest:
    where errors are exchangeable it holds the truth with probability p (split conformal prediction, Lei et al. 2018,
    arXiv 1604.04173). Quantile t is an end of the interval of p = |2 t - 1|, and the median the value.

    Args:
        sizes: Sizes of the window and of the forecast.
        options: Options of the network.
        said: Kind of forecast: the value alone, or quantiles.
    """

    def __init__(self, sizes: Sizes, options: ForecasterOptions, said: Value) -> None:
        super().__init__(sizes, options)
        self.said, self.parts = said, 1  # the network itself gives the value alone
        if self.distribution is not None:
            self.register_buffer("offsets", torch.zeros(sizes.horizon, sizes.columns, len(DECILES)))
        self.offsets: Tensor

    @torch.no_grad()
    def calibrate(self, errors: Tensor) -> None:
        """Takes the quantiles from errors ``(windows, horizon, columns)``; earlier quantiles are dropped."""
        sizes, count = errors.abs().sort(0).values, len(errors)
        for number, level in enumerate(DECILES):
            share = abs(2 * level - 1)
            rank = min(math.ceil(round((count + 1) * share, 9)), count)
            self.offsets[..., number] = math.copysign(1, level - MEDIAN) * sizes[rank - 1] if rank else 0.0

    def tell(self, memory: Memory, ahead: Tensor) -> Tensor:
        return self.spread(super().tell(memory, ahead))

    def spread(self, value: Tensor) -> Tensor:
        """The forecast ``(batch, horizon, columns, 1 or levels)`` around values ``(batch, horizon, columns, 1)``."""
        return value if self.distribution is None else value + self.offsets
