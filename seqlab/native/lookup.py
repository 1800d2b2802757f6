"""The gradient of a table whose rows were looked up, by compiled code where there is some."""

import torch
from torch import Tensor

from seqlab.native.build import NUMBER, POINTER, call, native

EACH = 100_000
"""Numbers for which a thread is worth waking."""

ARGUMENTS = (POINTER, NUMBER, POINTER, NUMBER, POINTER, NUMBER, NUMBER)
"""Of ``sum_by_id`` in lookup.cpp."""


def sum_by_id(rows: Tensor, ids: Tensor, count: int) -> Tensor:
    """Adds the rows of each id.

    Args:
        rows: ``(n, width)``.
        ids: ``(n,)`` int64, each below ``count``.
        count: How many ids there are.

    Returns:
        ``(count, width)``, zero where an id does not occur.
    """
    sums = rows.new_zeros(count, rows.shape[1])
    fits = rows.dtype == torch.float32 and rows.device.type == "cpu" and rows.stride(1) == 1
    if not fits or native().library is None:
        return sums.index_add_(0, ids, rows)
    threads = max(1, min(torch.get_num_threads(), rows.numel() // EACH))
    call("sum_by_id", ARGUMENTS, rows, rows.stride(0), ids.contiguous(), len(ids), sums, rows.shape[1], threads)
    return sums
