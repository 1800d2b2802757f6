"""Keys and values of earlier positions, side by side or step by step."""

from typing import NamedTuple

import torch
from torch import Tensor

from seqlab.native.attention_rows import Table


class Kept(NamedTuple):
    """Keys and values of earlier positions in a layer, before rotation.

    Args:
        keys: ``(batch, heads, positions, head_size)``.
        values: The same shape.
    """

    keys: Tensor
    values: Tensor

    @property
    def positions(self) -> int:
        """Number of earlier positions."""
        return self.keys.shape[2]

    def rows(self, index: Tensor) -> "Kept":
        """The rows at ``index``."""
        return Kept(self.keys.index_select(0, index), self.values.index_select(0, index))


class Steps(NamedTuple):
    """Keys and values of earlier steps of a layer, as rotated as they are used.

    What rows share lies in memory once: when a search goes on with other rows, only ``places`` is indexed.

    Args:
        keys: Keys of each step ``(rows of that step, heads, head_size)``.
        values: Values, likewise.
        places: The row of each step that each row goes on from ``(rows, steps)`` int64.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    places: Tensor

    @property
    def positions(self) -> int:
        """Number of steps."""
        return len(self.keys)

    @classmethod
    def none(cls, rows: int, device: torch.device) -> "Steps":
        """No steps of so many rows."""
        return cls((), (), torch.empty(rows, 0, dtype=torch.int64, device=device))

    def after(self, keys: Tensor, values: Tensor) -> "Steps":
        """One more step, keys and values ``(rows, heads, head_size)`` of the same strides."""
        own = torch.arange(len(keys), device=keys.device).unsqueeze(1)
        return Steps((*self.keys, keys), (*self.values, values), torch.cat([self.places, own], 1))

    def rows(self, index: Tensor) -> "Steps":
        """The rows at ``index``."""
        return self._replace(places=self.places.index_select(0, index))

    def table(self) -> Table:
        """What ``attend_rows`` reads."""
        return Table(self.keys, self.values, self.places)

    def kept(self) -> Kept:
        """The keys and values of each row side by side."""
        columns = self.places.unbind(1)
        parts = (zip(part, columns, strict=True) for part in (self.keys, self.values))
        return Kept(*(torch.stack([one[column] for one, column in part], 2) for part in parts))
