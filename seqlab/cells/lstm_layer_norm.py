"""LSTM with layer normalization."""

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.cell import Kernel, ScannedCell, State, Weights, finished_product
from seqlab.cells.normalization import Normalization
from seqlab.cells.tape import Gradient, Tape, sigmoid_backward, tanh_backward


class LayerNormLSTM(ScannedCell):
    """Ba, Kiros & Hinton (2016), Layer Normalization, arXiv 1607.06450, equations 20 to 22.

        a = gain_ih * norm(W_ih x) + gain_hh * norm(W_hh h) + bias        all four gates normalized as one vector
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
        c' = f * c + i * g
        h' = o * tanh(gain_c * norm(c') + bias_c)

    norm subtracts the mean of a vector and divides by its standard deviation. The two shifts of the paper's
    equation 20 and its bias add up to one vector.
    """

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    sigmoids: ClassVar[tuple[str, ...]] = ("i", "f", "o")
    states: ClassVar[tuple[str, ...]] = ("h", "c")
    forget_gate: ClassVar[str | None] = "f"
    constants: ClassVar[Mapping[str, float]] = {"gain_ih": 1.0, "gain_hh": 1.0, "gain_c": 1.0, "bias_c": 0.0}

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        shapes = super().shapes(input_size, hidden_size)
        rows = shapes.pop("bias_hh")
        return {**shapes, "gain_ih": rows, "gain_hh": rows, "gain_c": (hidden_size,), "bias_c": (hidden_size,)}

    def project(self, inputs: Tensor, weights: Weights) -> Tensor:
        gain, bias = weights["gain_ih"], weights["bias_ih"]
        return finished_product(inputs, weights["weight_ih"], lambda rows: F.layer_norm(rows, gain.shape, gain, bias))

    def step(self, projected: Tensor, state: State, weights: Weights) -> State:
        h, c = state
        before = F.linear(h, weights["weight_hh"])
        i, f, g, o = (projected + F.layer_norm(before, before.shape[-1:], weights["gain_hh"])).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(F.layer_norm(c, c.shape[-1:], weights["gain_c"], weights["bias_c"])), c

    blocks = ("i", "f", "g", "o")
    kernel = Kernel(
        "lstm_layer_norm",
        vectors=("gain_hh", "gain_c", "bias_c"),
        kept=("raw",),
        norms=("hh", "c"),
        given_back=(("raw", 4), ("normed", 1)),
    )

    def prepare(self, tape: Tape) -> None:
        weights = tape.weights
        tape.norms["hh"] = Normalization(tape.empty("raw", 4), weights["gain_hh"])  # of W_hh h
        tape.norms["c"] = Normalization(tape.states[1][1:], weights["gain_c"], weights["bias_c"])

    def forward(self, tape: Tape) -> None:
        h, c = (buffer.unbind(0) for buffer in tape.states)
        i, f, g, o = (tape.blocks.steps(name) for name in tape.blocks.names)
        before, gates, product = tape.blocks.buffer.unbind(0), tape.blocks.steps("i", "f"), tape.product()
        raw, shown = tape.kept["raw"].unbind(0), tape.empty("shown").unbind(0)
        norm, norm_c = tape.norms["hh"], tape.norms["c"]
        for t in range(tape.time):
            product.set(h[t], raw[t])
            before[t].add_(norm.forward(t))
            gates[t].sigmoid_()
            torch.mul(f[t], c[t], out=c[t + 1]).addcmul_(i[t], g[t].tanh_())
            torch.mul(o[t].sigmoid_(), torch.tanh(norm_c.forward(t), out=shown[t]), out=h[t + 1])

    def backward(self, tape: Tape, gradient: Gradient) -> None:
        c = tape.states[1]
        (dh, dc), d, shown = gradient.states, gradient.blocks, tape.kept["shown"]
        i, f, g, o = (tape.blocks[name] for name in tape.blocks.names)
        sigmoid_backward(shown, o, d["o"])
        sigmoid_backward(g, i, d["i"])
        sigmoid_backward(c[:-1], f, d["f"])
        tanh_backward(i, g, d["g"])
        d_normed = tanh_backward(o, shown, gradient.empty("normed"))
        into_c, keep, product = d_normed.unbind(0), f.unbind(0), tape.product()
        before, d_o, d_ifg = d.buffer.unbind(0), d.steps("o"), d.stacks("i", "g")
        d_raw = gradient.empty("raw", 4)
        for t in reversed(range(tape.time)):
            gradient.arrive(t)
            dc.add_(tape.norms["c"].backward(t, into_c[t].mul_(dh)))
            d_o[t].mul_(dh)
            d_ifg[t].mul_(dc.unsqueeze(1))
            dc.mul_(keep[t])
            d_raw[t] = tape.norms["hh"].backward(t, before[t])
            product.set_back(d_raw[t], dh, plus=gradient.incoming[t])

    def weight_gradients(self, tape: Tape, gradient: Gradient) -> None:
        gradient.recurrent("i", "o", tape.states[0][:-1], gradient.kept["raw"])
        gradient.weights["gain_hh"] = tape.norms["hh"].gain_gradient(gradient.blocks.buffer)
        d_normed = gradient.kept["normed"]
        gradient.weights["gain_c"] = tape.norms["c"].gain_gradient(d_normed)
        gradient.weights["bias_c"] = d_normed.sum((0, 1))
