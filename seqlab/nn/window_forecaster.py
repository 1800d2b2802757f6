"""The past, a window of steps, to the next steps at once: a linear layer, or hidden layers."""

from dataclasses import dataclass

from torch import Tensor, nn

from seqlab.nn.forecaster import Ahead, Forecaster, Sizes, TrainedForecasterOptions
from seqlab.nn.hidden_layers import HiddenOptions, hidden_layers
from seqlab.options import option


@dataclass(frozen=True)
class LinearForecasterOptions(TrainedForecasterOptions):
    """Options of ``LinearForecaster``."""

    def build(self, sizes: Sizes) -> "LinearForecaster":
        return LinearForecaster(sizes, self)


class LinearForecaster(Forecaster):
    """Each next step a weighted sum of the window: x_(t+k) = sum over lags i of w_ki x_(t-i), and a bias.

    Where the last value is subtracted (NLinear, Zeng et al. 2023, arXiv 2205.13504) there is no bias, so that a
    forecast moves with the level of its window. Weights are zero at first.

    Args:
        sizes: How much is read and said.
        options: Of the network.
    """

    def __init__(self, sizes: Sizes, options: LinearForecasterOptions) -> None:
        super().__init__(sizes, options)
        self.output = nn.Linear(sizes.history * self.width, self.numbers, bias=not self.levels)
        for parameter in self.output.parameters():
            nn.init.zeros_(parameter)
        self.ahead = Ahead(sizes, self.outputs * self.said.parts)

    def body(self, rows: Tensor) -> Tensor:
        said: Tensor = self.output(rows.flatten(1))
        return said

    def of_ahead(self, ahead: Tensor) -> Tensor | None:
        added: Tensor | None = self.ahead(ahead)
        return added


@dataclass(frozen=True)
class MLPForecasterOptions(HiddenOptions, TrainedForecasterOptions):
    """Options of ``MLPForecaster``."""

    skip: bool = option(True, "Whether a linear layer around the hidden ones adds to what they say.")

    def build(self, sizes: Sizes) -> "MLPForecaster":
        return MLPForecaster(sizes, self)


class MLPForecaster(Forecaster):
    """Hidden layers over the window, and a linear layer around them.

    Args:
        sizes: How much is read and said.
        options: Of the network.
    """

    def __init__(self, sizes: Sizes, options: MLPForecasterOptions) -> None:
        super().__init__(sizes, options)
        self.hidden, into = hidden_layers(sizes.history * self.width, options)
        self.output = nn.Linear(into, self.numbers, bias=not self.levels)
        self.skip = nn.Linear(sizes.history * self.width, self.numbers, bias=False) if options.skip else None
        if self.skip is not None:
            nn.init.zeros_(self.skip.weight)
        self.ahead = Ahead(sizes, self.outputs * self.said.parts)

    def body(self, rows: Tensor) -> Tensor:
        window = rows.flatten(1)
        said: Tensor = self.output(self.hidden(window))
        return said if self.skip is None else said + self.skip(window)

    def of_ahead(self, ahead: Tensor) -> Tensor | None:
        added: Tensor | None = self.ahead(ahead)
        return added
