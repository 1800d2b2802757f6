"""GRU with layer normalization."""

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.cell import Kernel, ScannedCell, State, Weights, finished_product
from seqlab.cells.normalization import Normalization
from seqlab.cells.tape import Gradient, Tape, sigmoid_backward, tanh_backward


def _norm(gates: Tensor, gain: Tensor, bias: Tensor | None, size: int) -> Tensor:
    """Normalizes the two gates as one vector and the candidate as another, as in the paper."""
    parts = zip(
        gates.split((2 * size, size), -1),
        gain.split((2 * size, size)),
        (None, None) if bias is None else bias.split((2 * size, size)),
        strict=True,
    )
    return torch.cat([F.layer_norm(part, part.shape[-1:], g, b) for part, g, b in parts], -1)


class LayerNormGRU(ScannedCell):
    """Ba, Kiros & Hinton (2016), Layer Normalization, arXiv 1607.06450, supplementary equations 27 to 30.

        a = gain_ih * norm(W_ih x) + bias        norm of (r, z) as one vector and of n as another
        b = gain_hh * norm(W_hh h)
        r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
        n = tanh(a_n + r * b_n)
        h' = (1 - z) * n + z * h

    norm subtracts the mean of a vector and divides by its standard deviation; z is the weight of the old state, as in
    ``gru``.
    """

    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")
    sigmoids: ClassVar[tuple[str, ...]] = ("r", "z")
    constants: ClassVar[Mapping[str, float]] = {"gain_ih": 1.0, "gain_hh": 1.0}

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        shapes = super().shapes(input_size, hidden_size)
        rows = shapes.pop("bias_hh")
        return {**shapes, "gain_ih": rows, "gain_hh": rows}

    def project(self, inputs: Tensor, weights: Weights) -> Tensor:
        size = weights["weight_hh"].shape[1]
        gain, bias = weights["gain_ih"], weights["bias_ih"]
        return finished_product(inputs, weights["weight_ih"], lambda rows: _norm(rows, gain, bias, size))

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        (h,) = state
        x_r, x_z, x_n = projected.chunk(3, -1)
        normed = _norm(F.linear(h, weights["weight_hh"]), weights["gain_hh"], None, h.shape[-1])
        h_r, h_z, h_n = normed.chunk(3, -1)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        return ((1 - z) * n + z * h,)

    blocks = ("h_n", "r", "z", "n")
    recurrent: Mapping[str, str] = {"n": "h_n"}
    kernel = Kernel(
        "gru_layer_norm", vectors=("gain_hh",), kept=("raw",), norms=("gates", "candidate"), given_back=(("raw", 3),)
    )

    def prepare(self, tape: Tape) -> None:
        raw = tape.empty("raw", 3).split((2 * tape.size, tape.size), -1)  # W_hh h
        gains = tape.weights["gain_hh"].split((2 * tape.size, tape.size))
        for name, inputs, gain in zip(("gates", "candidate"), raw, gains, strict=True):
            tape.norms[name] = Normalization(inputs, gain)

    def forward(self, tape: Tape) -> None:
        (h,) = (buffer.unbind(0) for buffer in tape.states)
        h_n, r, z, n = (tape.blocks.steps(name) for name in tape.blocks.names)
        gates, to_gates, to_candidate = tape.blocks.steps("r", "z"), tape.product("r", "z"), tape.product("n")
        norm, norm_n = tape.norms["gates"], tape.norms["candidate"]
        raw, raw_n = norm.inputs.unbind(0), norm_n.inputs.unbind(0)
        for t in range(tape.time):
            to_gates.set(h[t], raw[t])
            to_candidate.set(h[t], raw_n[t])
            gates[t].add_(norm.forward(t)).sigmoid_()
            h_n[t].copy_(norm_n.forward(t))
            n[t].addcmul_(r[t], h_n[t]).tanh_()
            torch.lerp(n[t], h[t], z[t], out=h[t + 1])

    def backward(self, tape: Tape, gradient: Gradient) -> None:
        h, (dh,), d = tape.states[0], gradient.states, gradient.blocks
        h_n, r, z, n = (tape.blocks[name] for name in tape.blocks.names)
        tanh_backward(1 - z, n, d["n"])
        torch.mul(d["n"], r, out=d["h_n"])
        sigmoid_backward(d["n"] * h_n, r, d["r"])
        sigmoid_backward(h[:-1] - n, z, d["z"])
        stacks, gates, candidate = d.stacks("h_n", "n"), d.steps("r", "z"), d.steps("h_n")
        keep, to_gates, to_candidate = z.unbind(0), tape.product("r", "z"), tape.product("n")
        d_gates, d_n = gradient.empty("raw", 3).split((2 * tape.size, tape.size), -1)
        norm, norm_n = tape.norms["gates"], tape.norms["candidate"]
        for t in reversed(range(tape.time)):
            stacks[t].mul_(dh.unsqueeze(1))
            d_gates[t], d_n[t] = norm.backward(t, gates[t]), norm_n.backward(t, candidate[t])
            before = gradient.keep(t, keep[t])
            to_gates.add_back(d_gates[t], before)
            to_candidate.add_back(d_n[t], before)

    def weight_gradients(self, tape: Tape, gradient: Gradient) -> None:
        gradient.recurrent("r", "n", tape.states[0][:-1], gradient.kept["raw"])
        d, norms = gradient.blocks, tape.norms
        gains = norms["gates"].gain_gradient(d.span("r", "z")), norms["candidate"].gain_gradient(d["h_n"])
        gradient.weights["gain_hh"] = torch.cat(gains)
