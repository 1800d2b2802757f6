"""Draws of one token from each row of logits in compiled code."""

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from seqlab.native.compiler import NUMBER, POINTER, call, portable, threads_for

EACH = 10_000
"""Logits per thread; with fewer, a thread costs more than it saves."""

FUNCTIONS = {torch.float32: "draw_float", torch.float64: "draw_double"}
ARGUMENTS = (POINTER, NUMBER, *[POINTER] * 3, NUMBER, NUMBER, ctypes.c_double, POINTER, *[NUMBER] * 3)
"""Functions in draws.cpp, and their arguments."""


def able(logits: Tensor) -> bool:
    """Whether compiled code is available and can read these logits: float32 or float64, on a CPU, contiguous rows."""
    fits = logits.device.type == "cpu" and logits.dtype in FUNCTIONS and logits.stride(1) == 1
    return fits and portable().library is not None


def draw(
    logits: Tensor,
    uniform: Tensor,
    temperatures: Sequence[float],
    banned: Sequence[int],
    top_k: int | None,
    top_p: float | None,
) -> Tensor | None:
    """One id for each row, see ``seqlab.decoding.sampling``. Needs ``able``.

    Args:
        logits: ``(batch, vocab_size)``.
        uniform: ``(batch,)`` float64 in [0, 1).
        temperatures: Divisor of the logits of each row, above 0.
        banned: Ids that are never drawn.
        top_k: Draw among the k most likely tokens only.
        top_p: Draw among the fewest tokens whose probabilities sum to at least p.

    Returns:
        Ids ``(batch,)`` int64; None if a row has NaN or infinity, or no possible token.
    """
    (rows, size), library = logits.shape, portable().library
    ids = torch.empty(rows, dtype=torch.int64)
    options = (
        *((ctypes.c_double * rows)(*temperatures), (ctypes.c_int64 * len(banned))(*banned), len(banned)),
        *(min(top_k or size, size), 1.0 if top_p is None else top_p),
    )
    given = logits, logits.stride(0), uniform.contiguous(), *options, ids, rows, size, threads_for(logits.numel(), EACH)
    return ids if call(FUNCTIONS[logits.dtype], ARGUMENTS, *given, library=library) else None
