"""A row of features -> one number, the target or the log-odds of its second value, by a linear layer or an MLP."""

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
        """One number per row ``(batch,)`` from features ``(batch, features)``."""
        raise NotImplementedError

    def line(self) -> Tensor | None:
        """The weights, then the bias ``(features + 1,)``; None if the network is not linear."""
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
    """sum over i of w_i x_i + b; all parameters are zero at first.

    Args:
        features: Features of a row.
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

    skip: bool = option(True, "Whether to add a linear skip connection from the input to the output.")

    def build(self, features: int) -> "MLPRegressor":
        return MLPRegressor(features, self)


class MLPRegressor(Regressor):
    """Hidden layers, and a linear skip connection around them that is zero at first.

    Args:
        features: Features of a row.
        options: Options of the network.
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
