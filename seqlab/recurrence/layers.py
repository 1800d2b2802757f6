"""The weights of a recurrent stack, with the names of ``torch.nn``."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from seqlab.cells import Cell

TORCH_LAYERS: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn_tanh": nn.RNN,
    "rnn_relu": partial(nn.RNN, nonlinearity="relu"),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}


class Layers(nn.Module):
    """Weights of layers that torch does not have, initialized as in torch: uniform in +-1/sqrt(hidden_size).

    Args:
        cell: Cell of every layer.
        sizes: Input and hidden size of each layer.
        directions: 1, or 2 for a forward and a backward direction.
    """

    def __init__(self, cell: Cell, sizes: Sequence[tuple[int, int]], directions: int) -> None:
        super().__init__()
        for layer, (input_size, hidden_size) in enumerate(sizes):
            for direction in range(directions):
                for name, shape in cell.shapes(input_size, hidden_size).items():
                    values = torch.empty(shape).uniform_(-1 / math.sqrt(hidden_size), 1 / math.sqrt(hidden_size))
                    if name in cell.constants:
                        values.fill_(cell.constants[name])
                    self.register_parameter(f"{name}{suffix(layer, direction)}", nn.Parameter(values))


def suffix(layer: int, direction: int) -> str:
    """torch's suffix of the names of a layer's weights."""
    return f"_l{layer}{'_reverse' if direction else ''}"


def make_layers(cell: Cell, sizes: Sequence[tuple[int, int]], directions: int, dropout: float) -> nn.Module:
    """Torch's own module if it has layers of these sizes, for cuDNN's memory layout; otherwise ``Layers``."""
    input_size, hidden_size = sizes[0]
    above = (directions * hidden_size, hidden_size)
    if cell.torch_name is None or any(size != above for size in sizes[1:]):
        return Layers(cell, sizes, directions)
    kind = TORCH_LAYERS[cell.torch_name]
    return kind(
        input_size,
        hidden_size,
        len(sizes),
        batch_first=True,
        dropout=dropout if len(sizes) > 1 else 0.0,
        bidirectional=directions == 2,
    )


def weights_of(layers: nn.Module, cell: Cell, layer: int, direction: int) -> dict[str, Tensor]:
    """The weights of one direction of one layer, with the names of ``cell.shapes``."""
    return {name: getattr(layers, f"{name}{suffix(layer, direction)}") for name in cell.shapes(1, 1)}
