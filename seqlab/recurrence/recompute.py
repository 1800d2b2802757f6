"""Gradient checkpointing of a recurrence: a long sequence in pieces, with gates computed twice to save memory."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqlab.cells import Cell
from seqlab.cells.cell import State, Weights

OverTime = Callable[[Cell, Tensor, State, Weights], tuple[Tensor, ...]]
"""Cell, inputs ``(time, batch, ...)``, first state and weights -> every part of the state after each step."""


class _Twice(torch.autograd.Function):
    """Keeps only its inputs in the forward pass, and runs again in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, over_time: OverTime, cell: Cell, names: Sequence[str], inputs: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        device = inputs.device.type
        ctx.over_time, ctx.cell, ctx.names = over_time, cell, names
        ctx.low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        ctx.save_for_backward(inputs, *tensors)
        return _run(over_time, cell, names, inputs, tensors)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *incoming: Tensor | None) -> tuple[Tensor | None, ...]:
        wanted = ctx.needs_input_grad[3:]
        given = [part.detach().requires_grad_(need) for part, need in zip(ctx.saved_tensors, wanted, strict=True)]
        with torch.enable_grad(), torch.autocast(given[0].device.type, ctx.low, enabled=ctx.low is not None):
            outputs = _run(ctx.over_time, ctx.cell, ctx.names, given[0], given[1:])
        sought = [part for part, need in zip(given, wanted, strict=True) if need]
        found = iter(torch.autograd.grad(outputs, sought, incoming, allow_unused=True))
        return None, None, None, *(next(found) if need else None for need in wanted)


def _run(
    over_time: OverTime, cell: Cell, names: Sequence[str], inputs: Tensor, tensors: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    parts = len(cell.states)
    return over_time(cell, inputs, tuple(tensors[:parts]), dict(zip(names, tensors[parts:], strict=True)))


def in_pieces(
    over_time: OverTime, cell: Cell, inputs: Tensor, state: State, weights: Weights, every: int
) -> tuple[Tensor, ...]:
    """Runs a recurrence in pieces of time (Chen et al. 2016, arXiv 1604.06174; Gruslys et al. 2016, arXiv 1606.03401).

    Only the states between pieces are kept; the backward pass computes the inner values of each piece again. This costs
    a second forward pass, and memory holds the gates of ``every`` steps instead of all steps.

    Args:
        over_time: Runs one piece.
        cell: The recurrence.
        inputs: ``(time, batch, input_size)``, or ids ``(time, batch)``.
        state: First state, each part ``(batch, hidden_size)``.
        weights: Weights of the cell.
        every: Steps of a piece.

    Returns:
        The result of ``over_time`` for the whole sequence.
    """
    apply: Callable[..., tuple[Tensor, ...]] = _Twice.apply
    pieces = []
    for piece in inputs.split(every):
        steps = apply(over_time, cell, [*weights], piece, *state, *weights.values())
        pieces.append(steps)
        state = tuple(part[-1] for part in steps)
    return tuple(torch.cat(part) for part in zip(*pieces, strict=True))
