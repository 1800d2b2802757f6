"""What networks that forecast share: their sizes, their options, and how they read and say values.

Each of them reads values and what is known in advance, step by step or as a window, into a memory, and says from it
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
"""What a network keeps of all that it has read."""


class Sizes(NamedTuple):
    """How much is read and said.

    Args:
        history: Steps that are read.
        horizon: Steps that are said at once.
        columns: Values of a step.
        features: Numbers that are known in advance of a step.
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
        "shared", "Whether one network reads each column by itself (shared), or all of them together (joint)."
    )
    subtract: Literal["none", "last"] = option(
        "none", "What is taken off a window and put back on its forecast: none, or its last value (NLinear)."
    )

    def build(self, sizes: Sizes) -> "Forecaster":
        """The network of these options.

        Args:
            sizes: How much is read and said.
        """
        raise NotImplementedError

    def said(self) -> Value:
        """What is said of each value."""
        return Value()


@dataclass(frozen=True)
class TrainedForecasterOptions(ForecasterOptions):
    """Options of every network that is fitted by gradients."""

    loss: Literal["mse", "mae", "huber"] = option(
        "mse", "What training minimizes: squared errors, absolute ones, or Huber's (squared below 1)."
    )
    distribution: Literal["none", "gaussian", "quantiles"] = option(
        "none",
        "What is said of each value: itself alone, a Gaussian (by its likelihood), or quantiles (by the pinball loss).",
    )
    quantiles: list[float] = option(
        DECILES, "Levels of the quantiles, ascending, 0.1, 0.5 and 0.9 among them.", above=0, below=1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        levels = self.quantiles
        if sorted({*levels}) != [*levels] or not {*INTERVAL, MEDIAN} <= {*levels}:
            raise UserError(
                f"quantiles {levels} must ascend and hold 0.1, 0.5 and 0.9: the forecast and the ends of its interval"
            )
        if self.distribution != "none" and self.loss != "mse":
            raise UserError(
                f"loss {self.loss} is of values alone, and a distribution of {self.distribution} has its own; leave "
                "out --model.loss"
            )
        if self.distribution != "quantiles" and [*levels] != DECILES:
            raise UserError(f"quantiles {levels} are of --model.distribution quantiles; give that too")

    def said(self) -> Value:
        if self.distribution == "gaussian":
            return Gaussian()
        return Quantiles(self.quantiles) if self.distribution == "quantiles" else Value()


class Forecaster(nn.Module):
    """A network over windows; a subclass says by ``body`` what follows a window.

    Args:
        sizes: How much is read and said.
        options: Of the network.
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
        """How likely each value is said to be; none where the value alone is said."""
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
        """All that is said of the next steps ``(batch, horizon, columns, parts)``; arguments as of ``forward``."""
        steps = history.shape[1]
        return self.tell(self.read(history, known[:, :steps]), known[:, steps:])

    def read(self, values: Tensor, known: Tensor, memory: Memory | None = None) -> Memory:
        """The memory after some steps.

        Args:
            values: ``(batch, steps, columns)``.
            known: ``(batch, steps, features)``.
            memory: Before them; without one they are the whole history.
        """
        if memory is not None:
            values, known = (torch.cat(pair, 1) for pair in zip(memory, (values, known), strict=True))
        return values[:, -self.sizes.history :], known[:, -self.sizes.history :]

    def say(self, memory: Memory, ahead: Tensor) -> Tensor:
        """The next steps ``(batch, horizon, columns)``; arguments as of ``tell``."""
        return self.said.point(self.tell(memory, ahead))

    def tell(self, memory: Memory, ahead: Tensor) -> Tensor:
        """All that is said of the next steps.

        Args:
            memory: Of all before them.
            ahead: What is known of them ``(batch, horizon, features)``.

        Returns:
            ``(batch, horizon, columns, parts)``.
        """
        values, known = memory
        level = self.level(values)
        return self.finished(self.body(self.rows(values - level, known)), ahead, level)

    def body(self, rows: Tensor) -> Tensor:
        """What follows windows.

        Args:
            rows: ``(rows, history, width)``.

        Returns:
            ``(rows, numbers)``, as many as horizon * outputs * parts.
        """
        raise NotImplementedError

    def of_ahead(self, ahead: Tensor) -> Tensor | None:
        """What features of each next step add to it ``(batch, horizon, outputs * parts)``; none where none do."""
        return None

    def level(self, values: Tensor) -> Tensor:
        """What is taken off a window ``(batch, 1, columns)``."""
        return values[:, -1:] if self.levels else torch.zeros_like(values[:, -1:])

    def rows(self, values: Tensor, known: Tensor) -> Tensor:
        """What a network reads of each step ``(rows, steps, width)``: a row for each column, or one for all."""
        if not self.shared:
            return torch.cat([values, known], -1)
        batch, steps, columns = values.shape
        each = values.transpose(1, 2).reshape(batch * columns, steps, 1)
        return torch.cat([each, known.repeat_interleave(columns, 0)], -1) if known.shape[2] else each

    def finished(self, told: Tensor, ahead: Tensor, level: Tensor) -> Tensor:
        """A forecast ``(batch, horizon, columns, parts)`` of what ``body`` said."""
        columns, horizon, parts = self.sizes.columns, self.sizes.horizon, self.parts
        if self.shared:
            values = told.view(-1, columns, horizon, parts).transpose(1, 2)
        else:
            values = told.view(-1, horizon, columns, parts)
        added, values = self.of_ahead(ahead), self.said.moved(values, level)
        return values if added is None else values + added.unflatten(-1, (self.outputs, parts))


class Ahead(nn.Module):
    """Weights of what is known in advance, of each step its own, on that step: zero at first.

    Args:
        sizes: How much is said.
        outputs: Values of a step.
    """

    def __init__(self, sizes: Sizes, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(sizes.horizon, sizes.features, outputs)) if sizes.features else None

    def forward(self, ahead: Tensor) -> Tensor | None:
        """Of features ``(batch, horizon, features)`` the values ``(batch, horizon, outputs)``; none without any."""
        return None if self.weight is None else torch.einsum("bhk,hko->bho", ahead, self.weight)
