"""One optimizer step from the loss sums of several batches and processes."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Sums(NamedTuple):
    """The loss of a batch, before any division.

    Args:
        total: Loss summed over the items of the batch, a scalar; training minimizes it.
        items: Number of items.
        shown: Loss to log instead, if training minimizes something else (label smoothing).
    """

    total: Tensor
    items: int | Tensor
    shown: Tensor | None = None


class Window:
    """The batches, of all processes, whose gradients make one optimizer step.

    A step minimizes the sum of all totals divided by the number of all items, plus the penalty once. Lightning divides
    each loss by the number n of accumulated batches, and DDP takes the mean of the gradients over w processes. So each
    total is multiplied by n * w / c, where c is the number of items in the window's first batch over all processes.
    After the last backward pass, before unscaling and clipping, the gradients are multiplied once by
    c / (all items of the window).
    """

    def __init__(self) -> None:
        self._first: int | float | Tensor = 1
        self._items: int | Tensor = 0
        self._factor: float | Tensor | None = None

    def loss(
        self, total: Tensor, count: int | Tensor, penalty: Tensor | None, trainer: Any | None, batch_idx: int
    ) -> Tensor:
        """The loss to hand to Lightning.

        Args:
            total: Total of the batch.
            count: Number of its items.
            penalty: Penalty of the step, if any.
            trainer: Trainer of the step; if not given, the batch is a step of its own.
            batch_idx: Number of the batch within its epoch.
        """
        batches = 1 if trainer is None else trainer.accumulate_grad_batches
        processes = 1 if trainer is None else trainer.world_size
        begins, ends = batch_idx % batches == 0, (batch_idx + 1) % batches == 0
        ends = ends or (trainer is not None and bool(trainer.is_last_batch))
        if begins:
            self._items, self._factor = 0, None
            self._first = self._summed(count, trainer)
        self._items = self._items + count
        loss = total / _like(total, self._first / (batches * processes))
        if ends and not (begins and batches == 1):
            self._factor = self._first / self._summed(self._items, trainer)
        if penalty is not None and ends:
            loss = loss + (penalty if self._factor is None else penalty * _like(penalty, batches / self._factor))
        return loss

    def correct(self, parameters: Iterable[nn.Parameter]) -> None:
        """Corrects the gradients of a window after its last backward pass."""
        factor, self._factor = self._factor, None
        if factor is not None:
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            torch._foreach_mul_(gradients, float(factor))

    @staticmethod
    def _summed(count: int | Tensor, trainer: Any | None) -> int | float | Tensor:
        """A count over all processes, at least 1; in float64, since the quotient of integer tensors is float32."""
        if trainer is not None and trainer.world_size > 1:
            own = torch.as_tensor(count, dtype=torch.float64, device=trainer.strategy.root_device)
            count = trainer.strategy.reduce(own, reduce_op="sum")
        return count.double().clamp(min=1) if isinstance(count, Tensor) else max(1, count)


def _like(loss: Tensor, number: float | Tensor) -> float | Tensor:
    """A number in the dtype of a loss, so that the dtype of the product does not change."""
    return number.to(loss.dtype) if isinstance(number, Tensor) else number
