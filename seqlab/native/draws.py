"""Draws of one token from each row of logits in compiled code."""

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqlab.native.compiler import NUMBER, POINTER, call, portable, threads_for

EACH = 10_000
"""Logits per thread; with fewer, a thread costs more than it saves."""

FUNCTIONS = {torch.float32: "draw_float", torch.float64: "draw_double"}
OPTIONS = (POINTER, POINTER, NUMBER, NUMBER, ctypes.c_double)
ARGUMENTS = (POINTER, NUMBER, POINTER, *OPTIONS, POINTER, *[NUMBER] * 3)
"""Functions in draws.cpp, and their arguments."""
COUNT_BELOW = (POINTER, NUMBER, POINTER, NUMBER, POINTER, NUMBER)
"""Arguments of ``count_below`` in draws.cpp."""
EACH_SEARCH = 10_000
"""Searches per thread; with fewer, a thread costs more than it saves."""


class Limits(NamedTuple):
    """What is drawn, see ``seqlab.decoding.sampling``.

    Args:
        temperatures: Divisor of the logits of each row, above 0.
        banned: Ids that are never drawn.
        top_k: Draw among the k most likely tokens only.
        top_p: Draw among the fewest tokens whose probabilities sum to at least p.
    """

    temperatures: Sequence[float]
    banned: Sequence[int] = ()
    top_k: int | None = None
    top_p: float | None = None

    def arguments(self, rows: int, size: int) -> tuple[ctypes.Array[Any], ctypes.Array[Any], int, int, float]:
        """``OPTIONS`` for logits ``(rows, size)``.

        Raises:
            ValueError: There is another number of temperatures.
        """
        if len(self.temperatures) != rows:
            raise ValueError(f"{len(self.temperatures)} temperatures for {rows} rows")
        temperatures = (ctypes.c_double * rows)(*self.temperatures)
        banned = (ctypes.c_int64 * len(self.banned))(*self.banned)
        top_p = 1.0 if self.top_p is None else self.top_p
        return temperatures, banned, len(self.banned), min(self.top_k or size, size), top_p


def able(logits: Tensor) -> bool:
    """Whether compiled code is available and can read these logits: float32 or float64, on a CPU, contiguous rows."""
    fits = logits.device.type == "cpu" and logits.dtype in FUNCTIONS and logits.stride(1) == 1
    return fits and portable().library is not None


def draw(logits: Tensor, uniform: Tensor, limits: Limits) -> Tensor | None:
    """One id for each row. Needs ``able``.

    Args:
        logits: ``(batch, vocab_size)``.
        uniform: ``(batch,)`` float64 in [0, 1).
        limits: What is drawn.

    Returns:
        Ids ``(batch,)`` int64; None if a row has NaN or infinity, or no possible token.
    """
    rows, size = logits.shape
    ids = torch.empty(rows, dtype=torch.int64)
    given = logits, logits.stride(0), uniform.contiguous(), *limits.arguments(rows, size), ids, rows, size
    threads = threads_for(logits.numel(), EACH)
    found = call(FUNCTIONS[logits.dtype], ARGUMENTS, *given, threads, library=portable().library)
    return ids if found else None


def count_below(sums: Tensor, numbers: Tensor) -> Tensor:
    """How many sums are at most each number; the id that a uniform number draws from cumulative probabilities.

    Args:
        sums: Ascending ``(ids,)``.
        numbers: Of any shape; compiled code reads float64.

    Returns:
        Of the shape of ``numbers``, int64, from 0 to ``ids``.
    """
    plain = numbers.device.type != "cpu" or not sums.dtype == numbers.dtype == torch.float64
    if plain or portable().library is None:
        return torch.searchsorted(sums, numbers, right=True)
    found = torch.empty(numbers.shape, dtype=torch.int64)
    given = sums.contiguous(), len(sums), numbers.contiguous(), numbers.numel(), found
    call("count_below", COUNT_BELOW, *given, threads_for(numbers.numel(), EACH_SEARCH), library=portable().library)
    return found
