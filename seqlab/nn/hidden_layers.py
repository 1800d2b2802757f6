"""Hidden layers and their options."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from seqlab.options import Options, option

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


@dataclass(frozen=True)
class HiddenOptions(Options):
    """Options of hidden layers."""

    hidden_size: int | list[int] = option(
        64, "Units of each hidden layer; a list has one number for each layer.", least=1, most=2**20
    )
    num_layers: int = option(1, "Hidden layers, where hidden_size is one number.", least=1, most=256)
    activation: Literal["relu", "gelu", "tanh"] = option("relu", "Activation of the hidden layers: relu, gelu or tanh.")
    dropout: float = option(0.0, "Dropout of the hidden units.", least=0, below=1)


def hidden_layers(into: int, options: HiddenOptions) -> tuple[nn.Sequential, int]:
    """Linear layers, each with activation and dropout, and the size of their output.

    Args:
        into: Size of the input.
        options: Options of the layers.
    """
    given = options.hidden_size
    layers: list[nn.Module] = []
    for size in [given] * options.num_layers if isinstance(given, int) else given:
        layers += [nn.Linear(into, size), ACTIVATIONS[options.activation](), nn.Dropout(options.dropout)]
        into = size
    return nn.Sequential(*layers), into
