"""The gated recurrent unit."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.cell import Kernel, ScannedCell, State, Weights
from seqlab.cells.tape import Gradient, Tape, sigmoid_backward, tanh_backward


class GRU(ScannedCell):
    """Cho et al. (2014), arXiv 1406.1078, equations 5 to 8; ``reset_after`` as in ``torch.nn.GRU`` and cuDNN.

        r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
        z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
        n = tanh(W_in x + b_in + r * (W_hn h + b_hn))     reset after the product
        n = tanh(W_in x + b_in + W_hn (r * h) + b_hn)     reset before it
        h' = (1 - z) * n + z * h

    Args:
        reset_after: Whether the reset gate acts after the product with the recurrent weights.
    """

    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")
    sigmoids: ClassVar[tuple[str, ...]] = ("r", "z")

    def __init__(self, reset_after: bool = True) -> None:
        self.reset_after = reset_after
        self.torch_name = "gru" if reset_after else None
        self.blocks = ("h_n", "r", "z", "n") if reset_after else self.gates
        self.recurrent = {"n": "h_n"} if reset_after else {}
        self.kernel = Kernel("gru", vectors=("bias_hh",)) if reset_after else Kernel("gru_before", kept=("gated",))

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        (h,) = state
        x_r, x_z, x_n = projected.chunk(3, -1)
        if self.reset_after:
            h_r, h_z, h_n = F.linear(h, weights["weight_hh"], weights["bias_hh"]).chunk(3, -1)
            r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
            n = torch.tanh(x_n + r * h_n)
        else:
            w_r, w_z, w_n = weights["weight_hh"].chunk(3)
            b_r, b_z, b_n = weights["bias_hh"].chunk(3)
            r, z = torch.sigmoid(x_r + F.linear(h, w_r, b_r)), torch.sigmoid(x_z + F.linear(h, w_z, b_z))
            n = torch.tanh(x_n + F.linear(r * h, w_n, b_n))
        return (n + z * (h - n),)

    def forward(self, tape: Tape) -> None:
        if self.reset_after:
            self._forward_after(tape)
        else:
            self._forward_before(tape)

    def backward(self, tape: Tape, gradient: Gradient) -> None:
        if self.reset_after:
            self._backward_after(tape, gradient)
        else:
            self._backward_before(tape, gradient)

    def prepare(self, tape: Tape) -> None:
        if not self.reset_after:
            tape.empty("gated")  # r * h

    def weight_gradients(self, tape: Tape, gradient: Gradient) -> None:
        h = tape.states[0][:-1]
        gradient.recurrent("r", "z", h)
        gradient.recurrent("n", "n", h if self.reset_after else tape.kept["gated"])

    @staticmethod
    def _forward_after(tape: Tape) -> None:
        (h,) = (buffer.unbind(0) for buffer in tape.states)
        h_n, r, z, n = (tape.blocks.steps(name) for name in tape.blocks.names)
        before, gates, product = tape.blocks.steps("h_n", "z"), tape.blocks.steps("r", "z"), tape.product()
        for t in range(tape.time):
            product.add(h[t], before[t])
            gates[t].sigmoid_()
            n[t].addcmul_(r[t], h_n[t]).tanh_()
            torch.lerp(n[t], h[t], z[t], out=h[t + 1])

    @staticmethod
    def _backward_after(tape: Tape, gradient: Gradient) -> None:
        h, (dh,), d = tape.states[0], gradient.states, gradient.blocks
        h_n, r, z, n = (tape.blocks[name] for name in tape.blocks.names)
        tanh_backward(1 - z, n, d["n"])
        torch.mul(d["n"], r, out=d["h_n"])
        sigmoid_backward(d["n"] * h_n, r, d["r"])
        sigmoid_backward(h[:-1] - n, z, d["z"])
        stacks, before, keep, product = d.stacks("h_n", "n"), d.steps("h_n", "z"), z.unbind(0), tape.product()
        for t in reversed(range(tape.time)):
            stacks[t].mul_(dh.unsqueeze(1))
            product.add_back(before[t], gradient.keep(t, keep[t]))

    @staticmethod
    def _forward_before(tape: Tape) -> None:
        (h,) = (buffer.unbind(0) for buffer in tape.states)
        r, z, n = (tape.blocks.steps(name) for name in tape.blocks.names)
        gates, gated = tape.blocks.steps("r", "z"), tape.kept["gated"].unbind(0)
        to_gates, to_candidate = tape.product("r", "z"), tape.product("n")
        for t in range(tape.time):
            to_gates.add(h[t], gates[t])
            gates[t].sigmoid_()
            to_candidate.add(torch.mul(r[t], h[t], out=gated[t]), n[t])
            torch.lerp(n[t].tanh_(), h[t], z[t], out=h[t + 1])

    @staticmethod
    def _backward_before(tape: Tape, gradient: Gradient) -> None:
        h, (dh,), d = tape.states[0], gradient.states, gradient.blocks
        r, z, n = (tape.blocks[name] for name in tape.blocks.names)
        tanh_backward(1 - z, n, d["n"])
        sigmoid_backward(h[:-1], r, d["r"])
        sigmoid_backward(h[:-1] - n, z, d["z"])
        gates, d_r, d_zn = d.steps("r", "z"), d.steps("r"), d.stacks("z", "n")
        d_n, reset, keep, gated = d.steps("n"), r.unbind(0), z.unbind(0), torch.empty_like(dh)
        to_gates, to_candidate = tape.product("r", "z"), tape.product("n")
        for t in reversed(range(tape.time)):
            d_zn[t].mul_(dh.unsqueeze(1))
            to_candidate.set_back(d_n[t], gated)
            d_r[t].mul_(gated)
            to_gates.add_back(gates[t], gradient.keep(t, keep[t]).addcmul_(gated, reset[t]))
