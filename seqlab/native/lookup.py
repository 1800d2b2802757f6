"""Lookup of ids in tables, and its gradients, in compiled code if there is any."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seqlab.native.compiler import NUMBER, POINTER, call, rows_of_float, threads_for

EACH = 100_000
"""Numbers per thread; with fewer, a thread costs more than it saves."""

SUM_BY_ID = (POINTER, NUMBER, POINTER, NUMBER, POINTER, NUMBER, NUMBER)
TAKE_COLUMNS = (POINTER, NUMBER, NUMBER, POINTER, NUMBER, POINTER, NUMBER)
SUM_COLUMNS = (POINTER, NUMBER, POINTER, NUMBER, POINTER, NUMBER, NUMBER, NUMBER)
"""Arguments of the functions in lookup.cpp."""


def sum_by_id(rows: Tensor, ids: Tensor, count: int) -> Tensor:
    """Sums the rows of each id.

    Args:
        rows: ``(n, width)``.
        ids: ``(n,)`` int64, each below ``count``.
        count: Number of ids.

    Returns:
        ``(count, width)``; zeros for an id that does not occur.
    """
    sums = rows.new_zeros(count, rows.shape[1])
    if not rows_of_float(rows):
        return sums.index_add_(0, ids, rows)
    given = rows, rows.stride(0), ids.contiguous(), len(ids), sums, rows.shape[1]
    call("sum_by_id", SUM_BY_ID, *given, threads_for(rows.numel(), EACH))
    return sums


class _Columns(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, ids: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.shape = table.shape
        found = table.new_empty(len(ids), len(table))
        call("take_columns", TAKE_COLUMNS, table, *table.shape, ids, len(ids), found, threads_for(found.numel(), EACH))
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (ids,) = ctx.saved_tensors
        if torch.is_grad_enabled() or not rows_of_float(gradient):
            return gradient.new_zeros(ctx.shape).index_add(1, ids, gradient.t()), None
        sums = gradient.new_empty(ctx.shape)
        given = gradient, gradient.stride(0), ids, len(ids), sums, *ctx.shape
        call("sum_columns", SUM_COLUMNS, *given, threads_for(sums.numel(), EACH))
        return sums, None


def columns(table: Tensor, ids: Tensor) -> Tensor:
    """Some columns of a table, as rows. The gradient, of the size of the table, is written in one pass.

    Args:
        table: ``(size, count)``.
        ids: ``(n,)`` int64, each below ``count``.

    Returns:
        ``(n, size)``.
    """
    able = rows_of_float(table) and table.is_contiguous() and not torch.compiler.is_compiling()
    if not able or not _within(ids, table.shape[1]):
        return table.index_select(1, ids).t().contiguous()
    apply: Callable[..., Tensor] = _Columns.apply
    return apply(table, ids.contiguous())


def _within(ids: Tensor, count: int) -> bool:
    if ids.dtype != torch.int64 or not len(ids):
        return False
    least, most = ids.aminmax()
    return int(least) >= 0 and int(most) < count
