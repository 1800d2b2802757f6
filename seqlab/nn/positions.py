"""Position encodings: tables to add, and rotations."""

from typing import Any, Literal

import torch
from torch import Tensor

Positions = Literal["rotary", "sinusoidal", "learned", "none"]

BASE = 10_000.0
"""The longest wavelength is 2 pi times this number of steps (Vaswani et al. 2017, section 3.5)."""


def _angles(first: int, steps: int, size: int, like: Tensor) -> Tensor:
    """p / BASE ** (2 i / size) of positions p and i < size / 2: ``(steps, size / 2)``, float32 at least."""
    asked: Any = {"device": like.device, "dtype": torch.promote_types(like.dtype, torch.float32)}
    waves = BASE ** (-torch.arange(0, size, 2, **asked) / size)
    return torch.arange(first, first + steps, **asked).unsqueeze(1) * waves


def sinusoidal(first: int, steps: int, size: int, like: Tensor) -> Tensor:
    """Sinusoidal position encodings, added to the vectors (Vaswani et al. 2017, section 3.5).

        P[p, 2 i] = sin(p / 10000 ** (2 i / size)),    P[p, 2 i + 1] = cos(p / 10000 ** (2 i / size))

    Args:
        first: First position.
        steps: Number of positions.
        size: Size of a vector, an even number.
        like: A tensor with the dtype and the device of the result.

    Returns:
        ``(steps, size)``.
    """
    angles = _angles(first, steps, size, like)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1).to(like.dtype)


class Rotation:
    """Rotary positions (Su et al. 2021, arXiv 2104.09864): rotates pairs of numbers of a head by angles that grow with
    the position, so that a query-key product depends only on the distance of the two positions.

        x'[p] = x[p] cos(a_p) + turned(x[p]) sin(a_p),    turned((u, v)) = (-v, u) with u, v the halves of x

    Args:
        steps: Positions, from 0 on.
        size: Size of a head, an even number.
        like: A tensor with the dtype and the device of the result.
    """

    def __init__(self, steps: int, size: int, like: Tensor) -> None:
        angles = _angles(0, steps, size, like).repeat(1, 2)
        self.cos, self.sin = angles.cos(), angles.sin()  # (steps, size)

    def __call__(self, heads: Tensor) -> Tensor:
        """Rotates ``(batch, heads, time, size)``; the last step has the last position."""
        u, v = heads.chunk(2, -1)
        cos, sin = (table[-heads.shape[2] :].to(heads.dtype) for table in (self.cos, self.sin))
        return heads * cos + torch.cat([-v, u], -1) * sin
