"""A window of past steps -> all next steps at once: a linear layer, or an MLP."""

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
    """Each next step is a weighted sum of the window: x_(t+k) = sum over lags i of w_ki x_(t-i), plus a bias.

    If the last value is subtracted (NLinear, Zeng et al. 2023, arXiv 2205.13504) there is no bias, so that a forecast
    moves with the level of its window. The weights are zero at first.

    Args:
        sizes: Sizes of the window and of the forecast.
        options: Options of the network.
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

    skip: bool = option(True, "Whether to add a linear skip connection from the input to the output.")

    def build(self, sizes: Sizes) -> "MLPForecaster":
        return MLPForecaster(sizes, self)


class MLPForecaster(Forecaster):
    """Hidden layers over the window, and a linear skip connection around them.

    Args:
        sizes: Sizes of the window and of the forecast.
        options: Options of the network.
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
