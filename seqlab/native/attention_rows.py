"""Attention of one query a row to keys and values that are looked up, in compiled code."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seqlab.native.compiler import NUMBER, POINTER, call, lanes, threads_for, wide

EACH = 50_000
"""Multiplications per thread; with fewer, a thread costs more than it saves."""

ATTEND_ROWS = (POINTER, NUMBER, *[POINTER] * 3, NUMBER, NUMBER, POINTER, POINTER, *[NUMBER] * 5)
"""Arguments of ``attend_rows`` in attention_rows.cpp."""


class Table(NamedTuple):
    """Keys and values of some steps, wherever they lie.

    Args:
        keys: Keys of each step ``(places, heads, size)``; steps of several places all have the same strides.
        values: Values, likewise.
        places: The place of each row's key and value at each step ``(rows, steps)`` int64; negative for none.
    """

    keys: Sequence[Tensor]
    values: Sequence[Tensor]
    places: Tensor


def able(queries: Tensor, *others: Tensor) -> bool:
    """Whether compiled code is available and can read queries ``(rows, heads, size)``: float32, on a CPU, without a
    gradient; and likewise keys and values."""
    return (
        not torch.is_grad_enabled()
        and all(one.dtype == torch.float32 and one.device.type == "cpu" for one in (queries, *others))
        and all(one.stride(-1) == 1 for one in (queries, *others))
        and not torch.compiler.is_compiling()
        and wide().library is not None
        and not queries.shape[-1] % lanes()
    )


def attend_rows(queries: Tensor, table: Table, weighed: bool = False) -> tuple[Tensor, Tensor | None]:
    """softmax over steps of q . k / sqrt(size), times the values (Vaswani et al. 2017, equation 1). Needs ``able``.

    Args:
        queries: One query a row ``(rows, heads, size)``, its heads side by side.
        table: What the queries attend to; at least one step of each row.
        weighed: Whether to return the weights.

    Returns:
        ``(rows, heads, size)``, and the weights ``(rows, heads, steps)`` if wanted.
    """
    rows, heads, size = queries.shape
    places, steps = table.places.contiguous(), table.places.shape[1]
    mixed = queries.new_empty(rows, heads, size)
    weights = queries.new_empty(rows, heads, steps) if weighed else None
    keys, values = (torch.tensor([one.data_ptr() for one in part]) for part in (table.keys, table.values))
    several = next((one for one in table.keys if len(one) > 1), table.keys[0])  # torch gives a single place any stride
    pitch, head_pitch, _ = several.stride()
    given = (
        queries,
        queries.stride(0),
        keys,
        values,
        places,
        pitch,
        head_pitch,
        mixed,
        0 if weights is None else weights,
    )
    threads = threads_for(2 * mixed.numel() * steps, EACH)
    call("attend_rows", ATTEND_ROWS, *given, rows, heads, steps, size, threads, library=wide().library)
    return mixed, weights
