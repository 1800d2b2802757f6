"""Large products of float32 by the tiles of AMX, where a processor has them: as exact as torch's, and faster."""

import torch
from torch import Tensor

from seqlab.native.build import FLAG, NUMBER, POINTER, call, native

WORTH = 150_000_000
"""Multiplications of a product from which on splitting its factors costs less than it gains."""

LINES = POINTER, NUMBER, FLAG
ARGUMENTS = (*LINES, *LINES, POINTER, NUMBER, NUMBER, NUMBER, NUMBER, FLAG, NUMBER)
"""Of ``multiply_float`` in products.cpp."""


def product(a: Tensor, b: Tensor, out: Tensor, add: bool = False) -> None:
    """``out = a @ b``, or ``out += a @ b``.

    A factor in float32 is the sum of three numbers in bfloat16. Six products of such parts, added in float32, hold all
    but the last 2^-24 of a product; the error against float64 is no larger than that of torch's own product.

    Args:
        a: ``(rows, depth)``.
        b: ``(depth, columns)``, of the same dtype.
        out: ``(rows, columns)``; written.
        add: Whether to add to what is there.
    """
    if able(a, b, out) and a.numel() * b.shape[1] >= WORTH:
        _call(a, b, out, add)
    elif add:
        out.addmm_(a, b)
    else:
        torch.mm(a, b, out=out)


def able(*tensors: Tensor) -> bool:
    """Whether compiled code can multiply them: float32 on a CPU with tiles, rows or columns in one piece."""
    return native().tiles and all(
        one.dtype == torch.float32 and one.device.type == "cpu" and 1 in one.stride() for one in tensors
    )


def _call(a: Tensor, b: Tensor, out: Tensor, add: bool) -> None:
    if out.stride(1) != 1:
        a, b, out = b.t(), a.t(), out.t()
    sizes = len(a), b.shape[1], len(b)
    given = *_lines(a), *_lines(b.t()), out, out.stride(0), *sizes, add, torch.get_num_threads()
    call("multiply_float", ARGUMENTS, *given)


def _lines(lines: Tensor) -> tuple[Tensor, int, bool]:
    """Of a matrix of lines: where it is, how far apart they or their elements are, and which of the two."""
    side_by_side = lines.stride(1) != 1
    return lines, lines.stride(1 if side_by_side else 0), side_by_side
