"""Sums of table rows, and optimizer steps on some rows of a table, in compiled code if there is any."""

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqlab.native.compiler import NUMBER, POINTER, call, contiguous_floats, portable, threads_for

EACH = 50_000
"""Numbers per thread; with fewer, a thread costs more than it saves."""

GROUP_PLACES = (POINTER, NUMBER, NUMBER, *[POINTER] * 4)
SUM_ROWS = (*[POINTER] * 5, *[NUMBER] * 3)
ADAGRAD_ROWS = (*[POINTER] * 4, NUMBER, NUMBER, ctypes.c_float, ctypes.c_float, NUMBER)
"""Arguments of the functions in sparse_rows.cpp."""


def able(*tensors: Tensor) -> bool:
    """Whether compiled code is available and can read these tables: float32, on a CPU, contiguous."""
    return portable().library is not None and contiguous_floats(*tensors)


class Groups(NamedTuple):
    """Places grouped by their id.

    Args:
        ids: The distinct ids, ascending ``(groups,)`` int64.
        ranks: Group of each place ``(places,)`` int64.
        places: Places of the first id, ascending, then of the second, and so on ``(places,)`` int64.
        ends: End of each id's places in ``places`` ``(groups,)`` int64.
    """

    ids: Tensor
    ranks: Tensor
    places: Tensor
    ends: Tensor


def grouped(ids: Tensor, size: int) -> Groups:
    """Groups places by id.

    Args:
        ids: ``(places,)`` int64, from 0 to ``size`` - 1.
        size: Number of ids that there may be.
    """
    if ids.device.type != "cpu" or portable().library is None:
        distinct, ranks, times = ids.unique(return_inverse=True, return_counts=True)
        return Groups(distinct, ranks, ranks.argsort(stable=True), times.cumsum(0))
    distinct, ranks, places, ends = torch.empty(4, len(ids), dtype=torch.int64)
    given = ids.contiguous(), len(ids), size, distinct, ranks, places, ends
    count = call("group_places", GROUP_PLACES, *given, library=portable().library)
    return Groups(distinct[:count], ranks, places, ends[:count])


def sum_rows(rows: Tensor, places: Tensor, ends: Tensor, weights: Tensor) -> Tensor:
    """Sums rows in order, so that the result is the same for any number of threads.

    Args:
        rows: ``(rows, width)``.
        places: Rows in the first sum, then in the second, and so on ``(places,)`` int64.
        ends: End of each sum in ``places`` ``(sums,)`` int64.
        weights: Factor of each sum ``(sums,)``.

    Returns:
        ``(sums, width)``.
    """
    width = rows.shape[1]
    if not able(rows, weights):
        owners = torch.repeat_interleave(ends.diff(prepend=ends.new_zeros(1)))
        return rows.new_zeros(len(ends), width).index_add_(0, owners, rows[places]) * weights.unsqueeze(1)
    sums = rows.new_empty(len(ends), width)
    given = rows, places.contiguous(), ends, weights, sums, *sums.shape
    threads = threads_for(len(places) * width, EACH)
    call("sum_rows", SUM_ROWS, *given, threads, library=portable().library)
    return sums


class _Means(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, ends: Tensor) -> Tensor:
        lengths = ends.diff(prepend=ends.new_zeros(1))
        shares = 1 / lengths.clamp(min=1).to(table.dtype)
        ctx.save_for_backward(rows, lengths, shares)
        ctx.shape = table.shape
        return sum_rows(table, rows, ends, shares)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        rows, lengths, shares = ctx.saved_tensors
        scaled = (gradient.to_dense() if gradient.is_sparse else gradient) * shares.unsqueeze(1)
        owners, groups = torch.repeat_interleave(lengths), grouped(rows, ctx.shape[0])
        sums = sum_rows(scaled, owners[groups.places], groups.ends, torch.ones_like(groups.ids, dtype=scaled.dtype))
        return of_rows(groups.ids, sums, ctx.shape), None, None


def of_rows(ids: Tensor, values: Tensor, shape: torch.Size) -> Tensor:
    """The sparse gradient of some rows of a table.

    Args:
        ids: Ascending ``(rows,)`` int64.
        values: ``(rows, width)``.
        shape: Shape of the table.
    """
    return torch.sparse_coo_tensor(ids.unsqueeze(0), values, shape, is_coalesced=True, check_invariants=False)


def mean_rows(table: Tensor, rows: Tensor, ends: Tensor) -> Tensor:
    """Means of table rows, with a sparse gradient; the result is the same for any number of threads.

    Args:
        table: ``(rows, width)``.
        rows: Rows in the first mean, then in the second, and so on ``(places,)`` int64.
        ends: End of each mean in ``rows`` ``(means,)`` int64.

    Returns:
        ``(means, width)``; zeros for a mean of no rows.
    """
    apply: Callable[..., Tensor] = _Means.apply
    return apply(table, rows, ends)


def adagrad_rows_(table: Tensor, squares: Tensor, gradient: Tensor, rate: float, epsilon: float) -> None:
    """One step of Adagrad (Duchi et al. 2011) on the rows that have a gradient. Needs ``able``.

        squares += g^2,    table -= rate g / (sqrt(squares) + epsilon)

    Args:
        table: ``(rows, width)`` float32; changed in place.
        squares: Sums of squared gradients, of the shape of ``table``; changed in place.
        gradient: Sparse and coalesced, of the shape of ``table``.
        rate: Learning rate.
        epsilon: Number added to the root.
    """
    ids, values = gradient.indices()[0].contiguous(), gradient.values().contiguous()
    given = table, squares, ids, values, *values.shape, rate, epsilon
    call("adagrad_rows", ADAGRAD_ROWS, *given, threads_for(values.numel(), EACH), library=portable().library)
