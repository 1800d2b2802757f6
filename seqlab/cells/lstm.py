"""Long short-term memory."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.cell import Kernel, ScannedCell, State, Weights
from seqlab.cells.tape import Gradient, Tape, sigmoid_backward, tanh_backward


class LSTM(ScannedCell):
    """Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000), as ``torch.nn.LSTM``.

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)
    f = sigmoid(W_if x + b_if + W_hf h + b_hf)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    o = sigmoid(W_io x + b_io + W_ho h + b_ho)
    c' = f * c + i * g
    h' = o * tanh(c')
    """

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    sigmoids: ClassVar[tuple[str, ...]] = ("i", "f", "o")
    states: ClassVar[tuple[str, ...]] = ("h", "c")
    forget_gate: ClassVar[str | None] = "f"
    torch_name = "lstm"

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        h, c = state
        i, f, g, o = (projected + F.linear(h, weights["weight_hh"], weights["bias_hh"])).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    blocks = ("i", "f", "g", "o")
    kernel = Kernel("lstm")

    def forward(self, tape: Tape) -> None:
        h, c = (buffer.unbind(0) for buffer in tape.states)
        i, f, g, o = (tape.blocks.steps(name) for name in tape.blocks.names)
        before, gates, product = tape.blocks.buffer.unbind(0), tape.blocks.steps("i", "f"), tape.product()
        shown = tape.empty("shown").unbind(0)  # tanh(c')
        for t in range(tape.time):
            product.add(h[t], before[t])
            gates[t].sigmoid_()
            torch.mul(f[t], c[t], out=c[t + 1]).addcmul_(i[t], g[t].tanh_())
            torch.mul(o[t].sigmoid_(), torch.tanh(c[t + 1], out=shown[t]), out=h[t + 1])

    def backward(self, tape: Tape, gradient: Gradient) -> None:
        c = tape.states[1]
        (dh, dc), d, shown = gradient.states, gradient.blocks, tape.kept["shown"]
        i, f, g, o = (tape.blocks[name] for name in tape.blocks.names)
        sigmoid_backward(shown, o, d["o"])
        sigmoid_backward(g, i, d["i"])
        sigmoid_backward(c[:-1], f, d["f"])
        tanh_backward(i, g, d["g"])
        into_c, keep = tanh_backward(o, shown).unbind(0), f.unbind(0)
        before, d_o, d_ifg, product = d.buffer.unbind(0), d.steps("o"), d.stacks("i", "g"), tape.product()
        for t in reversed(range(tape.time)):
            gradient.arrive(t)
            dc.addcmul_(dh, into_c[t])
            d_o[t].mul_(dh)
            d_ifg[t].mul_(dc.unsqueeze(1))
            dc.mul_(keep[t])
            product.set_back(before[t], dh, plus=gradient.incoming[t])
