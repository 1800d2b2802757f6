"""Runs a cell over time: step by step with its equations, or in place with a hand-written backward pass."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqlab.cells import compiled
from seqlab.cells.cell import Cell, Kernel, LinearCell, ScannedCell, State, Weights, worth_a_table
from seqlab.cells.tape import Gradient, Tape
from seqlab.recurrence.linear_scan import linear_scan


class _Scan(torch.autograd.Function):
    """Backpropagation through time of a ``ScannedCell``."""

    @staticmethod
    def forward(
        ctx: Any,
        cell: ScannedCell,
        low: torch.dtype | None,
        names: Sequence[str],
        ids: Tensor | None,
        projected: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        parts = len(cell.states)
        weights = dict(zip(names, tensors[parts:], strict=True))
        tape = Tape(cell, projected, tensors[:parts], weights, low, ids)
        ctx.kernel = _forward(cell, tape)
        ctx.cell, ctx.names, ctx.tape, ctx.dtype = cell, names, tape, projected.dtype
        ctx.set_materialize_grads(False)
        return tuple(buffer[1:] for buffer in tape.states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *incoming: Tensor | None) -> tuple[Any, ...]:
        with torch.autocast(ctx.tape.states[0].device.type, enabled=False):
            gradient = Gradient(ctx.tape, incoming)
            if ctx.kernel is not None:
                compiled.backward(ctx.kernel, ctx.tape, gradient)
            else:
                gradient.begin()
                ctx.cell.backward(ctx.tape, gradient)
            ctx.cell.weight_gradients(ctx.tape, gradient)
            projected, weights = gradient.finish(ctx.dtype)
        return None, None, None, None, projected, *gradient.states, *(weights[name] for name in ctx.names)


def _forward(cell: ScannedCell, tape: Tape) -> Kernel | None:
    """Runs a tape, and returns the compiled code that ran, if any; the backward pass needs the same code."""
    cell.prepare(tape)
    kernel = cell.kernel if compiled.runs(cell.kernel, tape) else None
    if kernel is not None:
        compiled.forward(kernel, tape)
        if not kernel.reads_blocks:
            tape.release_blocks()
    else:
        tape.fill()
        cell.forward(tape)
    tape.projected = None
    return kernel


def _with_biases_added(cell: ScannedCell, weights: Weights) -> dict[str, Tensor]:
    """``bias_ih`` plus ``bias_hh``, except for gates that need their recurrent product separately."""
    if "bias_hh" not in weights:
        return dict(weights)
    bias = weights["bias_hh"]
    if not cell.recurrent:
        rest = {name: weight for name, weight in weights.items() if name != "bias_hh"}
        return {**rest, "bias_ih": weights["bias_ih"] + bias}
    parts = zip(cell.gates, bias.chunk(len(cell.gates)), strict=True)
    added = torch.cat([torch.zeros_like(part) if gate in cell.recurrent else part for gate, part in parts])
    return {**weights, "bias_ih": weights["bias_ih"] + added}


def scan(cell: Cell, inputs: Tensor, state: State, weights: Weights) -> tuple[Tensor, ...]:
    """Runs a cell over time in the fastest way.

    Args:
        cell: The recurrence.
        inputs: ``(time, batch, input_size)``, or ids ``(time, batch)``.
        state: First state, each part ``(batch, hidden_size)``.
        weights: Weights of the cell.

    Returns:
        Every part of the state after each step, ``(time, batch, hidden_size)``; the first is the output.
    """
    device = state[0].device.type
    if isinstance(cell, LinearCell):
        return (linear_scan(cell, cell.project(inputs, weights).to(state[0].dtype), state[0]),)
    if not isinstance(cell, ScannedCell) or torch.compiler.is_compiling():
        return step_by_step(cell, inputs, state, weights)
    weights = _with_biases_added(cell, weights)
    weight, ids = weights["weight_ih"], None
    if worth_a_table(inputs, weight):
        ids, inputs = inputs, torch.arange(weight.shape[1], device=inputs.device)
    projected = cell.project(inputs, weights)
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    names = [name for name in weights if not name.endswith("_ih")]
    with torch.autocast(device, enabled=False):
        apply: Callable[..., tuple[Tensor, ...]] = _Scan.apply
        return apply(cell, low, names, ids, projected, *state, *(weights[name] for name in names))


def gates_over_time(cell: Cell, inputs: Tensor, state: State, weights: Weights) -> dict[str, Tensor]:
    """The sigmoid gates of a cell, without gradients.

    Args:
        cell: The recurrence.
        inputs: ``(time, batch, input_size)``, or ids ``(time, batch)``.
        state: First state, each part ``(batch, hidden_size)``.
        weights: Weights of the cell.

    Returns:
        The values of each of ``cell.sigmoids`` in (0, 1), ``(time, batch, hidden_size)``; empty for a cell that only
        has equations.
    """
    if not cell.sigmoids:
        return {}
    with torch.no_grad(), torch.autocast(state[0].device.type, enabled=False):
        if isinstance(cell, ScannedCell):
            weights = _with_biases_added(cell, weights)
            tape = Tape(cell, cell.project(inputs, weights), state, weights)
            _forward(cell, tape)
            return {gate: tape.blocks[gate] for gate in cell.sigmoids}
        parts = cell.project(inputs, weights).chunk(len(cell.gates), -1) if isinstance(cell, LinearCell) else ()
        return {gate: part.sigmoid() for gate, part in zip(cell.gates, parts, strict=False) if gate in cell.sigmoids}


def step_by_step(cell: Cell, inputs: Tensor, state: State, weights: Weights) -> tuple[Tensor, ...]:
    """``scan`` one step at a time under autograd."""
    steps = []
    for row in cell.project(inputs, weights).unbind(0):
        state = cell.step(row, state, weights)
        steps.append(state)
    return tuple(torch.stack(part) for part in zip(*steps, strict=True))
