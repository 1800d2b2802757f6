"""How what is carried from step to step is detached, cast, gathered over processes and re-indexed."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

AnyState = Any
"""Tensors in tuples and dicts."""


def mapped(state: AnyState, change: Callable[..., Tensor], *others: AnyState) -> AnyState:
    """A state whose every tensor is what a function makes of it, and of those in its place in the others."""
    if isinstance(state, Tensor):
        return change(state, *others)
    if isinstance(state, dict):
        return {name: mapped(part, change, *(other[name] for other in others)) for name, part in state.items()}
    parts = (mapped(part, change, *rest) for part, *rest in zip(state, *others, strict=True))
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


def bytes_of(state: AnyState) -> int:
    """What its tensors take."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    return sum(map(bytes_of, state.values() if isinstance(state, dict) else state))


class RowsOfState:
    """A network that carries a state whose tensors all have their rows, one a sequence, along one axis."""

    rows_axis: ClassVar[int]

    def detached(self, state: AnyState) -> AnyState:
        """Without the graph that made it."""
        return mapped(state, Tensor.detach)

    def cast(self, state: AnyState) -> AnyState:
        """Numbers as float32 at least, so that nothing is lost from batch to batch; ids as they are."""
        return mapped(
            state,
            lambda part: part.to(torch.promote_types(part.dtype, torch.float32)) if part.is_floating_point() else part,
        )

    def gathered(self, states: Sequence[AnyState]) -> AnyState:
        """One state with the rows of several, in their order."""
        first, *rest = states
        return mapped(first, lambda *parts: torch.cat(parts, self.rows_axis), *rest)

    def of_rows(self, state: AnyState, rows: Tensor) -> AnyState:
        """The rows at ``rows`` ``(rows,)`` int64, as often as they are named."""
        return mapped(state, lambda part: part.index_select(self.rows_axis, rows.to(part.device)))

    def num_rows(self, state: AnyState) -> int:
        """How many rows it has."""
        while not isinstance(state, Tensor):
            state = next(iter(state.values() if isinstance(state, dict) else state))
        return int(state.shape[self.rows_axis])
