"""Normalization of one vector per item of a batch."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["none", "batch", "layer"]


class BatchNorm(nn.BatchNorm1d):
    """Batch normalization (Ioffe & Szegedy 2015) that uses its running mean and variance for a batch of one item.

    A single item has no variance; the last batch of an epoch may hold a single item.
    """

    def forward(self, input: Tensor) -> Tensor:
        if self.training and len(input) == 1:
            return F.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        return super().forward(input)


def make_norm(kind: Norm, size: int) -> nn.Module:
    """A module that normalizes vectors ``(batch, size)``: over the batch, over each vector's units, or not at all."""
    return {"none": nn.Identity, "batch": BatchNorm, "layer": nn.LayerNorm}[kind](size)
