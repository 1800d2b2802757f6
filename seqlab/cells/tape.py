"""Buffers that a recurrence fills in its forward pass over time, and in its backward pass.

Time is the first axis of every buffer, so that a step is a contiguous slice.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.cells.normalization import Normalization
from seqlab.native.lookup import sum_by_id
from seqlab.native.products import product

PADDING = 16
"""Floats between the rows of a weight. Rows a power of two apart share cache sets, and products slow by a third."""


def sigmoid_backward(gradient: Tensor, output: Tensor, out: Tensor | None = None) -> Tensor:
    """``gradient * output * (1 - output)`` in one pass."""
    if out is None:
        return torch.ops.aten.sigmoid_backward(gradient, output)
    return torch.ops.aten.sigmoid_backward.grad_input(gradient, output, grad_input=out)


def tanh_backward(gradient: Tensor, output: Tensor, out: Tensor | None = None) -> Tensor:
    """``gradient * (1 - output ** 2)`` in one pass."""
    if out is None:
        return torch.ops.aten.tanh_backward(gradient, output)
    return torch.ops.aten.tanh_backward.grad_input(gradient, output, grad_input=out)


class Layout(Protocol):
    """Properties of a cell that a tape needs."""

    @property
    def gates(self) -> tuple[str, ...]: ...
    @property
    def blocks(self) -> tuple[str, ...]: ...
    @property
    def recurrent(self) -> Mapping[str, str]: ...


class Product:
    """Products with some rows of the recurrent weights.

    Args:
        weight: ``(rows, hidden_size)``, in the dtype of the products.
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight, self.transposed = weight, weight.t()

    def set(self, operand: Tensor, out: Tensor) -> None:
        """``out = operand @ weight.T``."""
        if out.dtype == self.weight.dtype:
            torch.mm(operand, self.transposed, out=out)
        else:
            out.copy_(torch.mm(operand.to(self.weight.dtype), self.transposed))

    def add(self, operand: Tensor, out: Tensor) -> None:
        """``out += operand @ weight.T``."""
        if out.dtype == self.weight.dtype:
            out.addmm_(operand, self.transposed)
        else:
            out.add_(torch.mm(operand.to(self.weight.dtype), self.transposed))

    def add_back(self, gradient: Tensor, out: Tensor) -> None:
        """``out += gradient @ weight``."""
        if out.dtype == self.weight.dtype:
            out.addmm_(gradient, self.weight)
        else:
            out.add_(torch.mm(gradient.to(self.weight.dtype), self.weight))

    def set_back(self, gradient: Tensor, out: Tensor, plus: Tensor | None = None) -> None:
        """``out = gradient @ weight + plus``."""
        if out.dtype != self.weight.dtype:
            product = torch.mm(gradient.to(self.weight.dtype), self.weight)
            out.copy_(product) if plus is None else torch.add(plus, product, out=out)
        elif plus is None:
            torch.mm(gradient, self.weight, out=out)
        else:
            torch.addmm(plus, gradient, self.weight, out=out)


class Blocks:
    """Blocks ``(time, batch, hidden_size)``, side by side in one buffer, by name."""

    def __init__(self, names: Sequence[str], buffer: Tensor) -> None:
        self.names, self.buffer = names, buffer
        self.size = buffer.shape[-1] // len(names)

    def __getitem__(self, name: str) -> Tensor:
        return self.span(name, name)

    def span(self, first: str, last: str) -> Tensor:
        """The blocks from a first to a last one, ``(time, batch, blocks * hidden_size)``."""
        return self.buffer[..., self.names.index(first) * self.size : (self.names.index(last) + 1) * self.size]

    def steps(self, first: str, last: str | None = None) -> tuple[Tensor, ...]:
        """The blocks of ``span``, a view for each step."""
        return self.span(first, last or first).unbind(0)

    def stacks(self, first: str, last: str) -> tuple[Tensor, ...]:
        """The blocks of ``span``, a view ``(batch, blocks, hidden_size)`` for each step."""
        return self.span(first, last).unflatten(-1, (-1, self.size)).unbind(0)


class Tape:
    """The forward pass of a recurrence.

    Args:
        cell: Defines the blocks, and which of them take part in the recurrent product.
        projected: Input products ``(time, batch, gates * hidden_size)``, or a row for each id. They are overwritten;
            with ids, or with more blocks than gates, ``fill`` copies them into the blocks instead.
        state: First state, each part ``(batch, hidden_size)``.
        weights: Weights of the cell. ``bias_hh`` counts only for gates whose product has a block of its own.
        low: Dtype of the products with the recurrent weights, if it differs from that of the state.
        ids: ``(time, batch)`` int64, the row of ``projected`` for each step, if it has a row for each id.
    """

    def __init__(
        self,
        cell: Layout,
        projected: Tensor,
        state: Sequence[Tensor],
        weights: Mapping[str, Tensor],
        low: torch.dtype | None = None,
        ids: Tensor | None = None,
    ) -> None:
        (steps, batch), width = (projected if ids is None else ids).shape[:2], projected.shape[-1]
        self.time, self.size = steps, width // len(cell.gates)
        self.weights, self.low = weights, low
        self.gates, self.recurrent, like = cell.gates, cell.recurrent, state[0]
        self.order = sorted(self.gates, key=lambda gate: cell.blocks.index(self.product_of(gate)))
        self.states = tuple(part.new_empty(steps + 1, batch, self.size) for part in state)
        for buffer, part in zip(self.states, state, strict=True):
            buffer[0] = part
        given = projected.to(like.dtype).contiguous()
        apart = ids is not None or len(cell.blocks) > len(cell.gates)
        self.projected, self.ids = given if apart else None, None if ids is None else ids.contiguous()
        self.table_rows = len(projected)
        self.blocks = Blocks(cell.blocks, self.buffer(len(cell.blocks)) if apart else given)
        self.kept: dict[str, Tensor] = {}
        self.norms: dict[str, Normalization] = {}

    def product_of(self, gate: str) -> str:
        """The block for the recurrent product of a gate."""
        return self.recurrent.get(gate, gate)

    def rows(self, gate: str, last: str | None = None) -> slice:
        """Rows of a gate, or of several consecutive gates, in the weights of the cell."""
        first, last_row = self.gates.index(gate), self.gates.index(last or gate)
        return slice(first * self.size, (last_row + 1) * self.size)

    @cached_property
    def weight(self) -> Tensor:
        """The recurrent weights with their rows in the order of the blocks."""
        weight, dtype = self.weights["weight_hh"], self.low or self.states[0].dtype
        rows, columns = weight.shape
        arranged = weight.new_empty(rows, columns + PADDING, dtype=dtype)[:, :columns]
        for part, gate in zip(arranged.split(self.size), self.order, strict=True):
            part.copy_(weight[self.rows(gate)])
        return arranged

    def fill(self) -> None:
        """Writes input products, and the biases of products with their own block, into the blocks."""
        if self.projected is None:
            return
        rows = self.projected if self.ids is None else F.embedding(self.ids, self.projected)
        self.blocks.span(self.gates[0], self.gates[-1]).copy_(rows)
        for gate, own in self.recurrent.items() if "bias_hh" in self.weights else ():
            self.blocks[own].copy_(self.weights["bias_hh"][self.rows(gate)])

    def release_blocks(self) -> None:
        """Frees the blocks; only their names remain."""
        self.blocks = Blocks(self.blocks.names, self.states[0].new_empty(0, 0, self.blocks.buffer.shape[-1]))

    def product(self, first: str | None = None, last: str | None = None) -> Product:
        """Products with the recurrent weights of all gates, or of a range of gates in block order."""
        start = 0 if first is None else self.order.index(first)
        end = len(self.order) if first is None else self.order.index(last or first) + 1
        return Product(self.weight[start * self.size : end * self.size])

    def empty(self, name: str, width: int = 1) -> Tensor:
        """A buffer ``(time, batch, width * hidden_size)`` kept for the backward pass."""
        self.kept[name] = self.buffer(width)
        return self.kept[name]

    def buffer(self, width: int) -> Tensor:
        """An uninitialized buffer ``(time, batch, width * hidden_size)``."""
        return self.states[0].new_empty(self.time, self.states[0].shape[1], width * self.size)


class Gradient:
    """The backward pass of the recurrence.

    ``blocks`` receives the gradient of every block before its nonlinearity. ``states`` holds the gradient of the state
    at the current step of the backward pass.

    Args:
        tape: Tape of the forward pass.
        incoming: Gradient of the values of each part of the state ``(time, batch, hidden_size)``, if any.
    """

    def __init__(self, tape: Tape, incoming: Sequence[Tensor | None]) -> None:
        self.tape = tape
        self.blocks = Blocks(tape.blocks.names, tape.buffer(len(tape.blocks.names)))
        self.states = tuple(torch.zeros_like(buffer[0]) for buffer in tape.states)
        self.given = incoming
        self.kept: dict[str, Tensor] = {}
        self.weights: dict[str, Tensor] = {}

    def begin(self) -> None:
        """Prepares the incoming gradients for ``incoming``, ``arrive`` and ``keep``, step by step."""
        output, *rest = self.given
        self.incoming: Sequence[Tensor | None] = [None] * self.tape.time
        if output is not None:
            self.states[0].copy_(output[-1])
            self.incoming = (None, *output.to(self.states[0].dtype).unbind(0)[:-1])
        self._rest = [
            (running, given.to(running.dtype).unbind(0))
            for running, given in zip(self.states[1:], rest, strict=True)
            if given is not None
        ]

    @cached_property
    def rounded(self) -> Blocks:
        """The complete blocks, in the dtype of the products."""
        return self.blocks if self.tape.low is None else Blocks(self.blocks.names, self.blocks.buffer.to(self.tape.low))

    def empty(self, name: str, width: int = 1) -> Tensor:
        """A buffer ``(time, batch, width * hidden_size)`` kept for the gradients of the weights."""
        self.kept[name] = self.tape.buffer(width)
        return self.kept[name]

    def arrive(self, step: int) -> None:
        """Adds the incoming gradients of a step to the parts of the state that are not the output."""
        for running, given in self._rest:
            running.add_(given[step])

    def keep(self, step: int, share: Tensor) -> Tensor:
        """Propagates the gradient of the output after a step to the output before it, times the kept share."""
        running, before = self.states[0], self.incoming[step]
        return running.mul_(share) if before is None else torch.addcmul(before, running, share, out=running)

    def recurrent(self, gate: str, last: str, operand: Tensor, gradient: Tensor | None = None) -> None:
        """Computes the gradient of recurrent weights once over all time steps.

        Args:
            gate: First of some consecutive gates.
            last: Last of these gates.
            operand: Multiplied operand ``(time, batch, hidden_size)``.
            gradient: Gradient of the product ``(time, batch, gates * hidden_size)``; that of the blocks if not given.
        """
        tape = self.tape
        if gradient is None:
            gradient = self.rounded.span(tape.product_of(gate), tape.product_of(last))
        if "weight_hh" not in self.weights:
            self.weights["weight_hh"] = torch.empty_like(tape.weights["weight_hh"])
        out = self.weights["weight_hh"][tape.rows(gate, last)]
        flat, multiplied = gradient.flatten(0, 1), operand.flatten(0, 1)
        if tape.low is None:
            product(flat.t(), multiplied, out)
        else:
            out.copy_(flat.to(tape.low).t() @ multiplied.to(tape.low))

    def finish(self, dtype: torch.dtype) -> tuple[Tensor, dict[str, Tensor]]:
        """Gradients of the input products, in their given form and this dtype, and of every weight."""
        tape = self.tape
        if "bias_hh" in tape.weights:
            bias = self.weights["bias_hh"] = torch.zeros_like(tape.weights["bias_hh"])
            for gate, own in tape.recurrent.items():
                bias[tape.rows(gate)] = self.blocks[own].sum((0, 1))
        blocks = self.rounded if dtype == tape.low else self.blocks
        projected = blocks.span(tape.gates[0], tape.gates[-1]).to(dtype)
        if tape.ids is not None:
            projected = sum_by_id(projected.flatten(0, 1), tape.ids.flatten(), tape.table_rows)
        return projected, self.weights
