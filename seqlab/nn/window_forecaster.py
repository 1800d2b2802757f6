"""The past, a window of steps, to the next steps at once: a linear layer, or hidden layers."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from seqlab.nn.forecaster import Ahead, Forecaster, Sizes, TrainedForecasterOptions
from seqlab.options import option

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


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
class MLPForecasterOptions(TrainedForecasterOptions):
    """Options of ``MLPForecaster``."""

    hidden_size: int | list[int] = option(
        64, "Units of each hidden layer; a list has one number for each layer.", least=1
    )
    num_layers: int = option(1, "Hidden layers, where hidden_size is one number.", least=1)
    activation: Literal["relu", "gelu", "tanh"] = option("relu", "Of each hidden layer: relu, gelu or tanh.")
    dropout: float = option(0.0, "Share of the hidden units zeroed.", least=0, below=1)
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
        given, into = options.hidden_size, sizes.history * self.width
        layers: list[nn.Module] = []
        for size in [given] * options.num_layers if isinstance(given, int) else given:
            layers += [nn.Linear(into, size), ACTIVATIONS[options.activation](), nn.Dropout(options.dropout)]
            into = size
        self.hidden = nn.Sequential(*layers)
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
