"""The gradient norm of every optimizer step, before gradient clipping."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

REMEMBERED = 3
"""Number of earlier norms to keep."""


def gradient_norm(module: pl.LightningModule) -> Tensor:
    """Euclidean norm of all gradients together, a scalar."""
    return total_norm([parameter.grad for parameter in module.parameters() if parameter.grad is not None])


def total_norm(gradients: Iterable[Tensor]) -> Tensor:
    """Euclidean norm of all gradients, a scalar; sparse gradients row by row, independent of the number of threads."""
    return torch.nn.utils.get_total_norm([_norms_of_rows(one) if one.is_sparse else one for one in gradients])


def _norms_of_rows(gradient: Tensor) -> Tensor:
    """Norms of the rows of a sparse gradient ``(rows,)``."""
    values = gradient.coalesce().values()
    return torch.linalg.vector_norm(values, dim=[*range(1, values.ndim)])


class GradientNorms(pl.Callback):
    """Computes the gradient norm once per step, for later callbacks in the list.

    ``total`` is the norm of the current step, a scalar on the model's device; ``before`` holds the last few norms.
    """

    def __init__(self) -> None:
        self.total: Tensor | None = None
        self.before: deque[Tensor] = deque(maxlen=REMEMBERED)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        self.total = gradient_norm(pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.total is not None:
            self.before.append(self.total)
            self.total = None
