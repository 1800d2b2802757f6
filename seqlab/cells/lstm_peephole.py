"""LSTM with peephole connections: the gates read the cell state."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.cell import Kernel, ScannedCell, State, Weights
from seqlab.cells.tape import Gradient, Tape, sigmoid_backward, tanh_backward


class PeepholeLSTM(ScannedCell):
    """Gers & Schmidhuber (2000), Recurrent Nets that Time and Count; as Graves (2013), arXiv 1308.0850, eq. 7 to 11.

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi + w_ci * c)
    f = sigmoid(W_if x + b_if + W_hf h + b_hf + w_cf * c)
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    c' = f * c + i * g
    o = sigmoid(W_io x + b_io + W_ho h + b_ho + w_co * c')
    h' = o * tanh(c')
    """

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    sigmoids: ClassVar[tuple[str, ...]] = ("i", "f", "o")
    states: ClassVar[tuple[str, ...]] = ("h", "c")
    forget_gate: ClassVar[str | None] = "f"

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        peepholes = dict.fromkeys(("weight_ci", "weight_cf", "weight_co"), (hidden_size,))
        return {**super().shapes(input_size, hidden_size), **peepholes}

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        h, c = state
        i, f, g, o = (projected + F.linear(h, weights["weight_hh"], weights["bias_hh"])).chunk(4, -1)
        i, f = torch.sigmoid(i + weights["weight_ci"] * c), torch.sigmoid(f + weights["weight_cf"] * c)
        c = f * c + i * torch.tanh(g)
        return torch.sigmoid(o + weights["weight_co"] * c) * torch.tanh(c), c

    blocks = ("i", "f", "g", "o")
    kernel = Kernel("lstm_peephole", vectors=("weight_ci", "weight_cf", "weight_co"))

    def forward(self, tape: Tape) -> None:
        h, c = (buffer.unbind(0) for buffer in tape.states)
        i, f, g, o = (tape.blocks.steps(name) for name in tape.blocks.names)
        before, gates, stacks = tape.blocks.buffer.unbind(0), tape.blocks.steps("i", "f"), tape.blocks.stacks("i", "f")
        peep_in = torch.stack([tape.weights["weight_ci"], tape.weights["weight_cf"]])
        peep_out, product, shown = tape.weights["weight_co"], tape.product(), tape.empty("shown").unbind(0)
        for t in range(tape.time):
            product.add(h[t], before[t])
            stacks[t].addcmul_(c[t].unsqueeze(1), peep_in)
            gates[t].sigmoid_()
            torch.mul(f[t], c[t], out=c[t + 1]).addcmul_(i[t], g[t].tanh_())
            o[t].addcmul_(c[t + 1], peep_out).sigmoid_()
            torch.mul(o[t], torch.tanh(c[t + 1], out=shown[t]), out=h[t + 1])

    def backward(self, tape: Tape, gradient: Gradient) -> None:
        c = tape.states[1]
        (dh, dc), d, shown = gradient.states, gradient.blocks, tape.kept["shown"]
        i, f, g, o = (tape.blocks[name] for name in tape.blocks.names)
        sigmoid_backward(g, i, d["i"])
        sigmoid_backward(c[:-1], f, d["f"])
        tanh_backward(i, g, d["g"])
        sigmoid_backward(shown, o, d["o"])
        into_c, keep = tanh_backward(o, shown).unbind(0), f.unbind(0)
        before, d_i, d_f, d_o = d.buffer.unbind(0), d.steps("i"), d.steps("f"), d.steps("o")
        d_ifg, product = d.stacks("i", "g"), tape.product()
        peep_i, peep_f, peep_o = (tape.weights[f"weight_c{gate}"] for gate in "ifo")
        for t in reversed(range(tape.time)):
            gradient.arrive(t)
            dc.addcmul_(dh, into_c[t]).addcmul_(d_o[t].mul_(dh), peep_o)
            d_ifg[t].mul_(dc.unsqueeze(1))
            dc.mul_(keep[t]).addcmul_(d_i[t], peep_i).addcmul_(d_f[t], peep_f)
            product.set_back(before[t], dh, plus=gradient.incoming[t])

    def weight_gradients(self, tape: Tape, gradient: Gradient) -> None:
        super().weight_gradients(tape, gradient)
        d, c = gradient.blocks, tape.states[1]
        for gate, seen in {"i": c[:-1], "f": c[:-1], "o": c[1:]}.items():
            gradient.weights[f"weight_c{gate}"] = (d[gate] * seen).sum((0, 1))
