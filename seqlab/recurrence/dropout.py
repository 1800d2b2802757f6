"""Dropout for sequences."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DRAWS = 1 << 16
"""Number of values of a unit's random bits; shares are rounded to a multiple of 1 / this number."""


def mask(shape: Sequence[int], share: float, like: Tensor) -> Tensor:
    """A dropout mask: zero for a share of the values, and 1 / (1 - share) for the others.

    On a CPU it draws 16 random bits per unit; ``F.dropout`` draws 64 and takes four times as long.

    Args:
        shape: Shape of the values.
        share: Share of zeros in (0, 1), rounded to a multiple of 1 / 65,536.
        like: A tensor with the dtype and the device of the values.
    """
    if like.device.type != "cpu":
        return F.dropout(like.new_ones(shape), share)
    dropped = round(share * DRAWS)
    units = torch.Size(shape).numel()
    words = torch.empty((units + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)
    kept = words.view(torch.int16)[:units].view(shape) >= dropped - DRAWS // 2
    return kept.to(like.dtype).mul_(DRAWS / (DRAWS - dropped))


class Dropout(nn.Module):
    """Dropout in training, with a new mask at every step or one mask for all steps.

    Args:
        share: Share of the units.
        variational: Whether a sequence has one mask for all steps (Gal & Ghahramani 2016, arXiv 1512.05287).
        time_axis: Axis of the steps in ``(batch, time, size)`` or ``(time, batch, size)``.
    """

    def __init__(self, share: float, variational: bool = False, time_axis: int = 1) -> None:
        super().__init__()
        self.share, self.variational, self.time_axis = share, variational, time_axis

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or not self.share:
            return values
        shape = list(values.shape)
        if self.variational:
            shape[self.time_axis] = 1
        elif values.device.type != "cpu":
            return F.dropout(values, self.share)
        return values * mask(shape, self.share, values)

    def extra_repr(self) -> str:
        return f"{self.share}, variational={self.variational}"
