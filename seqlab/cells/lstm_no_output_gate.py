"""LSTM without an output gate."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.cell import Kernel, ScannedCell, State, Weights
from seqlab.cells.tape import Gradient, Tape, sigmoid_backward, tanh_backward


class NoOutputGateLSTM(ScannedCell):
    """NOG of Greff et al. (2017), LSTM: A Search Space Odyssey, arXiv 1503.04069: the output gate is 1.

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)
    f = sigmoid(W_if x + b_if + W_hf h + b_hf)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = f * c + i * g
    h' = tanh(c')
    """

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g")
    sigmoids: ClassVar[tuple[str, ...]] = ("i", "f")
    states: ClassVar[tuple[str, ...]] = ("h", "c")
    forget_gate: ClassVar[str | None] = "f"

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        h, c = state
        i, f, g = (projected + F.linear(h, weights["weight_hh"], weights["bias_hh"])).chunk(3, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.tanh(c), c

    blocks = ("i", "f", "g")
    kernel = Kernel("lstm_no_output_gate")

    def forward(self, tape: Tape) -> None:
        h, c = (buffer.unbind(0) for buffer in tape.states)
        i, f, g = (tape.blocks.steps(name) for name in tape.blocks.names)
        before, gates, product = tape.blocks.buffer.unbind(0), tape.blocks.steps("i", "f"), tape.product()
        for t in range(tape.time):
            product.add(h[t], before[t])
            gates[t].sigmoid_()
            torch.mul(f[t], c[t], out=c[t + 1]).addcmul_(i[t], g[t].tanh_())
            torch.tanh(c[t + 1], out=h[t + 1])

    def backward(self, tape: Tape, gradient: Gradient) -> None:
        h, c = tape.states
        (dh, dc), d = gradient.states, gradient.blocks
        i, f, g = (tape.blocks[name] for name in tape.blocks.names)
        sigmoid_backward(g, i, d["i"])
        sigmoid_backward(c[:-1], f, d["f"])
        tanh_backward(i, g, d["g"])
        into_c, keep = (1 - h[1:].square()).unbind(0), f.unbind(0)
        before, stacks, product = d.buffer.unbind(0), d.stacks("i", "g"), tape.product()
        for t in reversed(range(tape.time)):
            gradient.arrive(t)
            dc.addcmul_(dh, into_c[t])
            stacks[t].mul_(dc.unsqueeze(1))
            dc.mul_(keep[t])
            product.set_back(before[t], dh, plus=gradient.incoming[t])
