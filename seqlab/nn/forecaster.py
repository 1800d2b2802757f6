"""Base of networks that forecast: their sizes, their options, their inputs and outputs.

Each network reads values and known features, step by step or as a window, into a memory. From the memory it forecasts
the next ``horizon`` steps. All numbers are standard scores.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.distributions import DECILES, INTERVAL, MEDIAN, Distribution, Gaussian, Quantiles, Value
from seqlab.options import Options, option

Memory = tuple[Tensor, ...]
"""Memory of a network: what it keeps of all steps that it has read."""


class Sizes(NamedTuple):
    """Sizes of the window and of the forecast.

    Args:
        history: Steps of the window.
        horizon: Steps of one forecast.
        columns: Number of values per step.
        features: Number of features per step that are known in advance.
        season: Steps of one season.
    """

    history: int
    horizon: int
    columns: int
    features: int = 0
    season: int = 1


@dataclass(frozen=True)
class ForecasterOptions(Options):
    """Options of every network that fits weights to windows."""

    channels: Literal["shared", "joint"] = option(
        "shared", "Input: each column by itself, with the same weights (shared), or all columns together (joint)."
    )
    subtract: Literal["none", "last"] = option(
        "none", "What to subtract from a window and add back to its forecast: none, or its last value (NLinear)."
    )

    def build(self, sizes: Sizes) -> "Forecaster":
        """The network of these options.

        Args:
            sizes: Sizes of the window and of the forecast.
        """
        raise NotImplementedError

    def said(self) -> Value:
        """Kind of forecast of each value."""
        return Value()


@dataclass(frozen=True)
class TrainedForecasterOptions(ForecasterOptions):
    """Options of every network that is trained by gradients."""

    loss: Literal["mse", "mae", "huber"] = option(
        "mse", "Training loss: squared error, absolute error, or Huber loss (squared below 1)."
    )
    distribution: Literal["none", "gaussian", "quantiles"] = option(
        "none",
        "Forecast of each value: the value alone (none), a Gaussian (likelihood), or quantiles (pinball loss).",
    )
    quantiles: list[float] = option(
        DECILES, "Levels of the quantiles, ascending, with 0.1, 0.5 and 0.9.", above=0, below=1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        levels = self.quantiles
        if sorted({*levels}) != [*levels] or not {*INTERVAL, MEDIAN} <= {*levels}:
            raise UserError(
                f"quantiles {levels} must ascend and include 0.1, 0.5 and 0.9: the forecast and its interval"
            )
        if self.distribution != "none" and self.loss != "mse":
            raise UserError(
                f"loss {self.loss} does not apply to --model.distribution {self.distribution}, which has its own loss; "
                "leave out --model.loss"
            )
        if self.distribution != "quantiles" and [*levels] != DECILES:
            raise UserError(f"quantiles {levels} need --model.distribution quantiles; give that too")

    def said(self) -> Value:
        if self.distribution == "gaussian":
            return Gaussian()
        return Quantiles(self.quantiles) if self.distribution == "quantiles" else Value()


class Forecaster(nn.Module):
    """A network over windows; a subclass computes the forecast of a window in ``body``.

    Args:
        sizes: Sizes of the window and of the forecast.
        options: Options of the network.
    """

    def __init__(self, sizes: Sizes, options: ForecasterOptions) -> None:
        super().__init__()
        self.sizes, self.options = sizes, options
        self.shared = options.channels == "shared"
        self.width = (1 if self.shared else sizes.columns) + sizes.features
        self.outputs = 1 if self.shared else sizes.columns
        self.levels = options.subtract == "last"
        self.said = options.said()
        self.parts = self.said.parts
        self.numbers = sizes.horizon * self.outputs * self.parts

    @property
    def distribution(self) -> Distribution | None:
        """Distribution of each value; None if the forecast is the value alone."""
        return self.said if isinstance(self.said, Distribution) else None

    def forward(self, history: Tensor, known: Tensor) -> Tensor:
        """The next steps.

        Args:
            history: ``(batch, history, columns)``.
            known: ``(batch, history + horizon, features)``.

        Returns:
            ``(batch, horizon, columns)``.
        """
        return self.said.point(self.told(history, known))

    def told(self, history: Tensor, known: Tensor) -> Tensor:
        """The full forecast ``(batch, horizon, columns, parts)``; the arguments are those of ``forward``."""
        steps = history.shape[1]
        return self.tell(self.read(history, known[:, :steps]), known[:, steps:])

    def read(self, values: Tensor, known: Tensor, memory: Memory | None = None) -> Memory:
        """The memory after some steps.

        Args:
            values: ``(batch, steps, columns)``.
            known: ``(batch, steps, features)``.
            memory: Memory before these steps; without one they are the whole history.
        """
        if memory is not None:
            values, known = (torch.cat(pair, 1) for pair in zip(memory, (values, known), strict=True))
        return values[:, -self.sizes.history :], known[:, -self.sizes.history :]

    def say(self, memory: Memory, ahead: Tensor) -> Tensor:
        """The next steps ``(batch, horizon, columns)``; the arguments are those of ``tell``."""
        return self.said.point(self.tell(memory, ahead))

    def tell(self, memory: Memory, ahead: Tensor) -> Tensor:
        """The full forecast of the next steps.

        Args:
            memory: Memory of all steps before them.
            ahead: Known features of the next steps ``(batch, horizon, features)``.

        Returns:
            ``(batch, horizon, columns, parts)``.
        """
        values, known = memory
        level = self.level(values)
        return self.finished(self.body(self.rows(values - level, known)), ahead, level)

    def body(self, rows: Tensor) -> Tensor:
        """Forecasts of windows.

        Args:
            rows: ``(rows, history, width)``.

        Returns:
            ``(rows, horizon * outputs * parts)``.
        """
        raise NotImplementedError

    def of_ahead(self, ahead: Tensor) -> Tensor | None:
        """Contribution of the features of next steps ``(batch, horizon, outputs * parts)``; None without features."""
        return None

    def level(self, values: Tensor) -> Tensor:
        """Level to subtract from a window ``(batch, 1, columns)``."""
        return values[:, -1:] if self.levels else torch.zeros_like(values[:, -1:])

    def rows(self, values: Tensor, known: Tensor) -> Tensor:
        """Input of the network ``(rows, steps, width)``: a row for each column, or one row for all columns."""
        if not self.shared:
            return torch.cat([values, known], -1)
        batch, steps, columns = values.shape
        each = values.transpose(1, 2).reshape(batch * columns, steps, 1)
        return torch.cat([each, known.repeat_interleave(columns, 0)], -1) if known.shape[2] else each

    def finished(self, told: Tensor, ahead: Tensor, level: Tensor) -> Tensor:
        """The forecast ``(batch, horizon, columns, parts)`` from the output of ``body``."""
        columns, horizon, parts = self.sizes.columns, self.sizes.horizon, self.parts
        if self.shared:
            values = told.view(-1, columns, horizon, parts).transpose(1, 2)
        else:
            values = told.view(-1, horizon, columns, parts)
        added, values = self.of_ahead(ahead), self.said.moved(values, level)
        return values if added is None else values + added.unflatten(-1, (self.outputs, parts))


class Ahead(nn.Module):
    """Weights of the known features, a separate set for each step ahead; zero at first.

    Args:
        sizes: Sizes of the window and of the forecast.
        outputs: Number of values per step.
    """

    def __init__(self, sizes: Sizes, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(sizes.horizon, sizes.features, outputs)) if sizes.features else None

    def forward(self, ahead: Tensor) -> Tensor | None:
        """Features ``(batch, horizon, features)`` -> values ``(batch, horizon, outputs)``; None without features."""
        return None if self.weight is None else torch.einsum("bhk,hko->bho", ahead, self.weight)
