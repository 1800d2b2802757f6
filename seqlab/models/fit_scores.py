"""Scores of predicted numbers: root mean squared error, and R2 (explained share of the variance)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from seqlab.metrics import Columns, MeanLoss


class RootMean(MeanLoss):
    """Root mean squared error over all batches and all processes."""

    def compute(self) -> Tensor:
        return super().compute().sqrt()


class R2(Metric):
    """1 - (sum of squared errors) / (sum of squared distances of the targets from their mean), the sums in float64.

    For constant targets R2 is 1 without an error, otherwise 0.
    """

    full_state_update = False
    errors: Tensor
    sums: Tensor
    squares: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("errors", "sums", "squares"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, errors: Tensor, targets: Tensor) -> None:
        """Counts squared errors ``(rows,)`` and targets ``(rows,)``."""
        targets = targets.double()
        self.errors += errors.double().sum()
        self.sums += targets.sum()
        self.squares += targets.square().sum()
        self.count += len(targets)

    def compute(self) -> Tensor:
        spread = self.squares - self.sums.square() / self.count
        plain = spread > self.squares * torch.finfo(torch.float64).eps * self.count
        return torch.where(plain, 1 - self.errors / spread, (self.errors == 0).double())


def of_r2(columns: Columns, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """R2 of resampled rows."""
    targets = np.asarray(columns["target"], np.float64)
    targets = targets - targets.mean()
    errors, count = weights @ np.asarray(columns["squared_error"], np.float64), weights.sum(1)
    spread = weights @ targets**2 - (weights @ targets) ** 2 / count
    plain = spread > 0
    found: NDArray[np.float64] = np.where(plain, 1 - errors / np.where(plain, spread, 1), errors == 0)
    return found
