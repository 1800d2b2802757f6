"""The plain recurrent network."""

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.cell import Kernel, ScannedCell, State, Weights
from seqlab.cells.tape import Gradient, Tape
from seqlab.errors import UserError, nearest


class RNN(ScannedCell):
    """Elman (1990), Finding Structure in Time, as ``torch.nn.RNN``.

        h' = tanh(W_ih x + b_ih + W_hh h + b_hh)

    Args:
        nonlinearity: ``tanh`` or ``relu``.

    Raises:
        UserError: The nonlinearity is unknown.
    """

    gates: ClassVar[tuple[str, ...]] = ("h",)

    def __init__(self, nonlinearity: Literal["tanh", "relu"] = "tanh") -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise UserError(f"unknown nonlinearity '{nonlinearity}': {nearest(nonlinearity, ('tanh', 'relu'))}")
        self.nonlinearity = nonlinearity
        self.torch_name = f"rnn_{nonlinearity}"
        self.kernel = Kernel(f"rnn_{nonlinearity}", reads_blocks=False)

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        (h,) = state
        before = projected + F.linear(h, weights["weight_hh"], weights["bias_hh"])
        return (torch.tanh(before) if self.nonlinearity == "tanh" else torch.relu(before),)

    blocks = ("h",)

    def forward(self, tape: Tape) -> None:
        (h,) = (buffer.unbind(0) for buffer in tape.states)
        before, product = tape.blocks.steps("h"), tape.product()
        for t in range(tape.time):
            product.add(h[t], before[t])
            if self.nonlinearity == "tanh":
                torch.tanh(before[t], out=h[t + 1])
            else:
                torch.clamp(before[t], min=0, out=h[t + 1])

    def backward(self, tape: Tape, gradient: Gradient) -> None:
        h, (dh,), d = tape.states[0], gradient.states, gradient.blocks
        if self.nonlinearity == "tanh":
            torch.mul(h[1:], h[1:], out=d["h"]).neg_().add_(1)
        else:
            d["h"].copy_(h[1:] > 0)
        before, product = d.steps("h"), tape.product()
        for t in reversed(range(tape.time)):
            product.set_back(before[t].mul_(dh), dh, plus=gradient.incoming[t])
