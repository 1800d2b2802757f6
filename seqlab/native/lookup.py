"""The gradient of a table whose rows were looked up, by compiled code where there is some."""

import ctypes

import torch
from torch import Tensor

from seqlab.native.build import native

EACH = 100_000
"""Numbers for which a thread is worth waking."""

POINTER, NUMBER = ctypes.c_void_p, ctypes.c_int64
FUNCTION = "sum_by_id"
ARGUMENTS = (POINTER, NUMBER, POINTER, NUMBER, POINTER, NUMBER, NUMBER)
"""Of that function of lookup.cpp."""


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
    function = getattr(native().library, FUNCTION)
    function.argtypes = ARGUMENTS
    threads = max(1, min(torch.get_num_threads(), rows.numel() // EACH))
    ids = ids.contiguous()
    function(rows.data_ptr(), rows.stride(0), ids.data_ptr(), len(ids), sums.data_ptr(), rows.shape[1], threads)
    return sums
