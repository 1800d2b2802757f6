"""Operations on carried states: detach, cast, gather, select rows."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

AnyState = Any
"""Tensors in tuples and dicts."""


def mapped(state: AnyState, change: Callable[..., Tensor], *others: AnyState) -> AnyState:
    """A state with a function applied to every tensor, together with the matching tensors of other states."""
    if isinstance(state, Tensor):
        return change(state, *others)
    if isinstance(state, dict):
        return {name: mapped(part, change, *(other[name] for other in others)) for name, part in state.items()}
    parts = (mapped(part, change, *rest) for part, *rest in zip(state, *others, strict=True))
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


def bytes_of(state: AnyState) -> int:
    """Bytes of the state's tensors."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    return sum(map(bytes_of, state.values() if isinstance(state, dict) else state))


class RowsOfState:
    """A network with a carried state; all its tensors have one row per sequence along the same axis."""

    rows_axis: ClassVar[int]

    def detached(self, state: AnyState) -> AnyState:
        """The state without its autograd graph."""
        return mapped(state, Tensor.detach)

    def cast(self, state: AnyState) -> AnyState:
        """The state with numbers at least in float32, so that precision is not lost between batches; ids unchanged."""
        return mapped(
            state,
            lambda part: part.to(torch.promote_types(part.dtype, torch.float32)) if part.is_floating_point() else part,
        )

    def gathered(self, states: Sequence[AnyState]) -> AnyState:
        """One state with the rows of several, in their order."""
        first, *rest = states
        return mapped(first, lambda *parts: torch.cat(parts, self.rows_axis), *rest)

    def of_rows(self, state: AnyState, rows: Tensor) -> AnyState:
        """The rows at ``rows`` ``(rows,)`` int64; a row may occur several times."""
        return mapped(state, lambda part: part.index_select(self.rows_axis, rows.to(part.device)))

    def num_rows(self, state: AnyState) -> int:
        """Number of rows."""
        while not isinstance(state, Tensor):
            state = next(iter(state.values() if isinstance(state, dict) else state))
        return int(state.shape[self.rows_axis])
