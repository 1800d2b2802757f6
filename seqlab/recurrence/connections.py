"""Connections of a stack: the input of each layer from the layers below."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from seqlab.errors import UserError


class Plain(nn.Module):
    """y_k: every layer reads the outputs of the layer below.

    Args:
        input_size: Input size of the first layer.
        output_sizes: Output size of every layer.
    """

    takes_ids = True

    def __init__(self, input_size: int, output_sizes: Sequence[int]) -> None:
        super().__init__()
        self.input_sizes = [input_size, *output_sizes[:-1]]
        self.top = len(output_sizes) - 1

    def forward(self, layer: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Inputs and outputs of a layer ``(..., size)`` -> the inputs of the next layer, or the stack's outputs."""
        return outputs


class Residual(Plain):
    """x_k + y_k from the second layer on (He et al. 2016, arXiv 1512.03385; Wu et al. 2016, arXiv 1609.08144).

    Raises:
        UserError: The layers have different widths.
    """

    name = "residual"

    def __init__(self, input_size: int, output_sizes: Sequence[int]) -> None:
        super().__init__(input_size, output_sizes)
        if len(set(output_sizes)) > 1:
            raise UserError(f"{self.name} connections need layers of one width, not {list(output_sizes)}")

    def forward(self, layer: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        return inputs + outputs if layer else outputs


class Highway(Residual):
    """t * y_k + (1 - t) * x_k, t = sigmoid(W x_k + b), from the second layer on (Srivastava et al. 2015,
    arXiv 1505.00387, equation 3); b starts at -1, so that a layer first carries its input.
    """

    name = "highway"
    FIRST_BIAS = -1.0

    def __init__(self, input_size: int, output_sizes: Sequence[int]) -> None:
        super().__init__(input_size, output_sizes)
        self.gates = nn.ModuleList(nn.Linear(size, size) for size in output_sizes[1:])
        self.carry_first()

    def carry_first(self) -> None:
        """Sets the biases to their initial value."""
        for gate in self.gates:
            assert isinstance(gate, nn.Linear)
            nn.init.constant_(gate.bias, self.FIRST_BIAS)

    def forward(self, layer: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        if not layer:
            return outputs
        return torch.lerp(inputs, outputs, torch.sigmoid(self.gates[layer - 1](inputs)))


class Dense(Plain):
    """(x, y_1, ..., y_k): every layer sees the inputs and all layers below (Huang et al. 2017, arXiv 1608.06993)."""

    takes_ids = False

    def __init__(self, input_size: int, output_sizes: Sequence[int]) -> None:
        super().__init__(input_size, output_sizes)
        self.input_sizes = [*accumulate(output_sizes[:-1], initial=input_size)]

    def forward(self, layer: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        return outputs if layer == self.top else torch.cat([inputs, outputs], -1)


CONNECTIONS: dict[str, type[Plain]] = {"plain": Plain, "residual": Residual, "highway": Highway, "dense": Dense}
