"""LSTM with coupled input and forget gates."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.cell import Kernel, ScannedCell, State, Weights
from seqlab.cells.tape import Gradient, Tape, sigmoid_backward, tanh_backward


class CoupledLSTM(ScannedCell):
    """CIFG of Greff et al. (2017), LSTM: A Search Space Odyssey, arXiv 1503.04069: the input gate is 1 - f.

    f = sigmoid(W_if x + b_if + W_hf h + b_hf)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    o = sigmoid(W_io x + b_io + W_ho h + b_ho)
    c' = f * c + (1 - f) * g
    h' = o * tanh(c')
    """

    gates: ClassVar[tuple[str, ...]] = ("f", "g", "o")
    sigmoids: ClassVar[tuple[str, ...]] = ("f", "o")
    states: ClassVar[tuple[str, ...]] = ("h", "c")
    forget_gate: ClassVar[str | None] = "f"

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        h, c = state
        f, g, o = (projected + F.linear(h, weights["weight_hh"], weights["bias_hh"])).chunk(3, -1)
        f = torch.sigmoid(f)
        c = f * c + (1 - f) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    blocks = ("f", "g", "o")
    kernel = Kernel("lstm_coupled")

    def forward(self, tape: Tape) -> None:
        h, c = (buffer.unbind(0) for buffer in tape.states)
        f, g, o = (tape.blocks.steps(name) for name in tape.blocks.names)
        before, product = tape.blocks.buffer.unbind(0), tape.product()
        shown = tape.empty("shown").unbind(0)  # tanh(c')
        for t in range(tape.time):
            product.add(h[t], before[t])
            torch.lerp(g[t].tanh_(), c[t], f[t].sigmoid_(), out=c[t + 1])
            torch.mul(o[t].sigmoid_(), torch.tanh(c[t + 1], out=shown[t]), out=h[t + 1])

    def backward(self, tape: Tape, gradient: Gradient) -> None:
        c = tape.states[1]
        (dh, dc), d, shown = gradient.states, gradient.blocks, tape.kept["shown"]
        f, g, o = (tape.blocks[name] for name in tape.blocks.names)
        sigmoid_backward(shown, o, d["o"])
        sigmoid_backward(c[:-1] - g, f, d["f"])
        tanh_backward(1 - f, g, d["g"])
        into_c, keep = tanh_backward(o, shown).unbind(0), f.unbind(0)
        before, d_o, d_fg, product = d.buffer.unbind(0), d.steps("o"), d.stacks("f", "g"), tape.product()
        for t in reversed(range(tape.time)):
            gradient.arrive(t)
            dc.addcmul_(dh, into_c[t])
            d_o[t].mul_(dh)
            d_fg[t].mul_(dc.unsqueeze(1))
            dc.mul_(keep[t])
            product.set_back(before[t], dh, plus=gradient.incoming[t])
