"""Linear recurrences h' = a * h + b over time, step by step in place or in parallel."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seqlab.cells.cell import LinearCell

CHUNK = 64
"""Steps of a chunk in the parallel scan; the state is carried from chunk to chunk, so that sums stay short."""


class _InPlace(torch.autograd.Function):
    """One pass over time, with two kernels per step."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, first: Tensor) -> Tensor:
        h = torch.empty(len(a) + 1, *first.shape, dtype=first.dtype, device=first.device)
        h[0] = first
        steps, keep, add = h.unbind(0), a.unbind(0), b.unbind(0)
        for t in range(len(keep)):
            torch.addcmul(add[t], keep[t], steps[t], out=steps[t + 1])
        ctx.save_for_backward(a, h)
        return h[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, h = ctx.saved_tensors
        d = incoming.clone(memory_format=torch.contiguous_format)
        steps, keep = d.unbind(0), a.unbind(0)
        for t in reversed(range(len(keep) - 1)):
            steps[t].addcmul_(keep[t + 1], steps[t + 1])
        return d * h[:-1], d, keep[0] * steps[0]


def _in_parallel(log_a: Tensor, log_b: Tensor, first: Tensor) -> Tensor:
    """Heinsen (2023), Efficient Parallelization of a Ubiquitous Sequential Computation, arXiv 2311.06281.

    h_t = exp(A_t) * h_0 + exp(A_t + logsumexp_{s <= t}(log b_s - A_s)), A_t = sum_{s <= t} log a_s.
    """
    states = []
    for part_a, part_b in zip(log_a.split(CHUNK), log_b.split(CHUNK), strict=True):
        kept = part_a.cumsum(0)
        states.append(kept.exp() * first + (kept + (part_b - kept).logcumsumexp(0)).exp())
        first = states[-1][-1]
    return torch.cat(states)


def linear_scan(cell: LinearCell, projected: Tensor, first: Tensor, parallel: bool | None = None) -> Tensor:
    """Runs a linear cell over projected inputs.

    Args:
        cell: The recurrence.
        projected: ``(time, batch, gates * hidden_size)``.
        first: First state ``(batch, hidden_size)``.
        parallel: Whether to compute all steps of a chunk at once, in log space, instead of one after the other; if not
            given, yes except on a CPU, where launching a kernel costs little.

    Returns:
        The state after each step, ``(time, batch, hidden_size)``.
    """
    if parallel is None:
        parallel = projected.device.type != "cpu" or torch.compiler.is_compiling()
    if parallel:
        return _in_parallel(*cell.log_coefficients(projected), first)
    a, b = cell.coefficients(projected)
    apply: Callable[..., Tensor] = _InPlace.apply
    return apply(a, b, first)
