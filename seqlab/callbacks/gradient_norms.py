"""The gradient norm of every optimizer step, before it is clipped."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

REMEMBERED = 3
"""Norms kept of the steps before."""


def gradient_norm(module: pl.LightningModule) -> Tensor:
    """Euclidean norm of all gradients together, a scalar."""
    return total_norm([parameter.grad for parameter in module.parameters() if parameter.grad is not None])


def total_norm(gradients: Iterable[Tensor]) -> Tensor:
    """Euclidean norm of gradients together, a scalar; of sparse ones row by row, which no number of threads changes."""
    return torch.nn.utils.get_total_norm([_norms_of_rows(one) if one.is_sparse else one for one in gradients])


def _norms_of_rows(gradient: Tensor) -> Tensor:
    """Of a sparse gradient ``(rows,)``."""
    values = gradient.coalesce().values()
    return torch.linalg.vector_norm(values, dim=[*range(1, values.ndim)])


class GradientNorms(pl.Callback):
    """Measures the gradient norm once a step, for those that come after it in the list of callbacks.

    ``total`` is the norm of the step under way, a scalar on the model's device; ``before`` holds the last few.
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
