"""Dropout of sequences."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zeroes a share of the units while training, drawn anew at every step or once for all of them.

    Args:
        share: Of the units.
        variational: Whether a sequence keeps one mask over time (Gal & Ghahramani 2016, arXiv 1512.05287).
        time_axis: Axis of the steps in ``(batch, time, size)`` or ``(time, batch, size)``.
    """

    def __init__(self, share: float, variational: bool = False, time_axis: int = 1) -> None:
        super().__init__()
        self.share, self.variational, self.time_axis = share, variational, time_axis

    def forward(self, values: Tensor) -> Tensor:
        if not self.variational or not self.training or not self.share:
            return F.dropout(values, self.share, self.training)
        mask = torch.ones_like(values.narrow(self.time_axis, 0, 1))
        return values * F.dropout(mask, self.share)

    def extra_repr(self) -> str:
        return f"{self.share}, variational={self.variational}"
