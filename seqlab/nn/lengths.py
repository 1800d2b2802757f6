"""Sequences of unequal length in one batch, time first."""

import torch
from torch import Tensor


def valid_steps(lengths: Tensor, time: int) -> Tensor:
    """True at the real steps of sequences of ``lengths`` ``(batch,)``: ``(time, batch)``."""
    return torch.arange(time, device=lengths.device).unsqueeze(1) < lengths


def backwards(values: Tensor, lengths: Tensor | None) -> Tensor:
    """``(time, batch, ...)`` with the real steps of each sequence in reverse; what lies behind them stays."""
    if lengths is None:
        return values.flip(0)
    steps = torch.arange(len(values), device=values.device).unsqueeze(1)
    order = torch.where(steps < lengths, lengths - 1 - steps, steps)  # (time, batch)
    return values[order, torch.arange(len(lengths), device=values.device)]


def last_steps(values: Tensor, lengths: Tensor | None) -> Tensor:
    """``(time, batch, ...)`` at the last real step of each sequence: ``(batch, ...)``."""
    if lengths is None:
        return values[-1]
    return values[lengths - 1, torch.arange(len(lengths), device=values.device)]
