"""Sequences of different lengths in one batch, time first."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def valid_steps(lengths: Tensor, time: int) -> Tensor:
    """True at the real steps of sequences of ``lengths`` ``(batch,)``: ``(time, batch)``."""
    return torch.arange(time, device=lengths.device).unsqueeze(1) < lengths


class _Exchanged(torch.autograd.Function):
    """Reorders rows by an order that is its own inverse; the gradient takes the same order, without sums."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: Tensor) -> Tensor:
        ctx.order = order
        return rows.index_select(0, order)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _exchanged(gradient, ctx.order), None


_exchanged: Callable[[Tensor, Tensor], Tensor] = _Exchanged.apply


def backwards(values: Tensor, lengths: Tensor | None) -> Tensor:
    """``(time, batch, ...)`` with the real steps of each sequence in reverse; the padding stays in place."""
    if lengths is None:
        return values.flip(0)
    steps = torch.arange(len(values), device=values.device).unsqueeze(1)
    order = torch.where(steps < lengths, lengths - 1 - steps, steps)  # (time, batch)
    places = order * len(lengths) + torch.arange(len(lengths), device=values.device)
    return _exchanged(values.flatten(0, 1), places.flatten()).view_as(values)


def last_steps(values: Tensor, lengths: Tensor | None) -> Tensor:
    """``(time, batch, ...)`` at the last real step of each sequence: ``(batch, ...)``."""
    if lengths is None:
        return values[-1]
    return values[lengths - 1, torch.arange(len(lengths), device=values.device)]
