"""A row of features to one number, the target or the log-odds of its second value: a linear layer, or hidden ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from seqlab.nn.hidden_layers import HiddenOptions, hidden_layers
from seqlab.options import Options, option


class Regressor(nn.Module):
    """A network over rows of features; all numbers are standard scores."""

    def forward(self, features: Tensor) -> Tensor:
        """One number a row ``(batch,)`` of features ``(batch, features)``."""
        raise NotImplementedError

    def line(self) -> Tensor | None:
        """Its weights and behind them its bias ``(features + 1,)``; none where it is not linear."""
        return None


@dataclass(frozen=True)
class LinearRegressorOptions(Options):
    """Options of ``LinearRegressor``."""

    trained_by: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "optimizer": {"name": "adam", "lr": 0.05},
        "lr_scheduler": {"name": "none"},
    }

    def build(self, features: int) -> "LinearRegressor":
        return LinearRegressor(features)


class LinearRegressor(Regressor):
    """sum over i of w_i x_i, and a bias b; all zero at first.

    Args:
        features: Of a row.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.output = nn.Linear(features, 1)
        for parameter in self.output.parameters():
            nn.init.zeros_(parameter)

    def forward(self, features: Tensor) -> Tensor:
        said: Tensor = self.output(features)
        return said.squeeze(-1)

    def line(self) -> Tensor:
        return torch.cat([self.output.weight[0], self.output.bias])


@dataclass(frozen=True)
class MLPRegressorOptions(HiddenOptions):
    """Options of ``MLPRegressor``."""

    trained_by: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "optimizer": {"name": "adam", "lr": 0.01},
        "lr_scheduler": {"name": "none"},
    }

    skip: bool = option(True, "Whether a linear layer around the hidden ones adds to what they say.")

    def build(self, features: int) -> "MLPRegressor":
        return MLPRegressor(features, self)


class MLPRegressor(Regressor):
    """Hidden layers, and a linear layer around them that is zero at first.

    Args:
        features: Of a row.
        options: Of the network.
    """

    def __init__(self, features: int, options: MLPRegressorOptions) -> None:
        super().__init__()
        self.hidden, size = hidden_layers(features, options)
        self.output = nn.Linear(size, 1)
        self.skip = nn.Linear(features, 1, bias=False) if options.skip else None
        if self.skip is not None:
            nn.init.zeros_(self.skip.weight)

    def forward(self, features: Tensor) -> Tensor:
        said: Tensor = self.output(self.hidden(features))
        return (said if self.skip is None else said + self.skip(features)).squeeze(-1)
