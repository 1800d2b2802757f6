"""The minimal gated unit."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.cell import Kernel, ScannedCell, State, Weights
from seqlab.cells.tape import Gradient, Tape, sigmoid_backward, tanh_backward


class MGU(ScannedCell):
    """Zhou et al. (2016), Minimal Gated Unit for Recurrent Neural Networks, arXiv 1603.09420, equations 13 to 15.

    f = sigmoid(W_if x + b_if + W_hf h + b_hf)
    n = tanh(W_in x + b_in + W_hn (f * h) + b_hn)
    h' = (1 - f) * h + f * n
    """

    gates: ClassVar[tuple[str, ...]] = ("f", "n")
    sigmoids: ClassVar[tuple[str, ...]] = ("f",)

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        (h,) = state
        x_f, x_n = projected.chunk(2, -1)
        w_f, w_n = weights["weight_hh"].chunk(2)
        b_f, b_n = weights["bias_hh"].chunk(2)
        f = torch.sigmoid(x_f + F.linear(h, w_f, b_f))
        n = torch.tanh(x_n + F.linear(f * h, w_n, b_n))
        return ((1 - f) * h + f * n,)

    blocks = ("f", "n")
    kernel = Kernel("mgu", kept=("gated",))

    def prepare(self, tape: Tape) -> None:
        tape.empty("gated")  # f * h

    def forward(self, tape: Tape) -> None:
        (h,) = (buffer.unbind(0) for buffer in tape.states)
        f, n, gated = tape.blocks.steps("f"), tape.blocks.steps("n"), tape.kept["gated"].unbind(0)
        to_gate, to_candidate = tape.product("f"), tape.product("n")
        for t in range(tape.time):
            to_gate.add(h[t], f[t])
            to_candidate.add(torch.mul(f[t].sigmoid_(), h[t], out=gated[t]), n[t])
            torch.lerp(h[t], n[t].tanh_(), f[t], out=h[t + 1])

    def backward(self, tape: Tape, gradient: Gradient) -> None:
        h, (dh,), d = tape.states[0], gradient.states, gradient.blocks
        f, n = tape.blocks["f"], tape.blocks["n"]
        tanh_backward(f, n, d["n"])
        sigmoid_backward(n - h[:-1], f, d["f"])
        through_gated = sigmoid_backward(h[:-1], f).unbind(0)
        d_f, d_n, stacks = d.steps("f"), d.steps("n"), d.stacks("f", "n")
        gate, keep, gated = f.unbind(0), (1 - f).unbind(0), torch.empty_like(dh)
        to_gate, to_candidate = tape.product("f"), tape.product("n")
        for t in reversed(range(tape.time)):
            stacks[t].mul_(dh.unsqueeze(1))
            to_candidate.set_back(d_n[t], gated)
            d_f[t].addcmul_(gated, through_gated[t])
            to_gate.add_back(d_f[t], gradient.keep(t, keep[t]).addcmul_(gated, gate[t]))

    def weight_gradients(self, tape: Tape, gradient: Gradient) -> None:
        gradient.recurrent("f", "f", tape.states[0][:-1])
        gradient.recurrent("n", "n", tape.kept["gated"])
