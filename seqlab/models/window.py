"""One optimizer step from the loss sums of several batches and processes."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

SCALE = 1024
"""Divisor of the losses of several processes until all of their items are known."""


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
    total is multiplied by n * w / c, and after the last backward pass, before unscaling and clipping, the gradients are
    multiplied once by c / (all items of the window). In one process c is the number of items in the window's first
    batch. For several it is fixed, so that they need not wait for each other before the backward pass: they add up
    their items while it runs. As a power of two it changes no digit.
    """

    def __init__(self) -> None:
        self._scale: float | Tensor = 1
        self._items: int | Tensor = 0
        self._whole: int | Tensor | _Sum | None = None

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
            self._items, self._whole = 0, None
            self._scale = _at_least_one(count) if processes == 1 else SCALE
        self._items = self._items + count
        loss = total / _like(total, self._scale / (batches * processes))
        if ends and processes > 1:
            self._whole = _Sum(self._items, total.device)
        elif ends and not begins:
            self._whole = self._items
        if penalty is not None and ends:
            loss = loss + penalty * _like(penalty, batches / self._factor())
        return loss

    def correct(self, parameters: Iterable[nn.Parameter]) -> None:
        """Corrects the gradients of a window after its last backward pass."""
        if self._whole is not None:
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            torch._foreach_mul_(gradients, float(self._factor()))
            self._whole = None

    def _factor(self) -> float | Tensor:
        """What the gradients of the window are still to be multiplied by."""
        if self._whole is None:
            return 1
        return self._scale / _at_least_one(self._whole.value() if isinstance(self._whole, _Sum) else self._whole)


class _Sum:
    """A count added up over all processes, in the background until its value is asked for."""

    def __init__(self, own: int | Tensor, device: torch.device) -> None:
        self._sum = torch.as_tensor(own, dtype=torch.float64, device=device).clone()
        self._work = dist.all_reduce(self._sum, async_op=True)

    def value(self) -> Tensor:
        self._work.wait()
        return self._sum


def _at_least_one(count: int | Tensor) -> int | Tensor:
    """A count that may divide; in float64, since the quotient of integer tensors is float32."""
    return count.double().clamp(min=1) if isinstance(count, Tensor) else max(1, count)


def _like(loss: Tensor, number: float | Tensor) -> float | Tensor:
    """A number in the dtype of a loss, so that the dtype of the product does not change."""
    return number.to(loss.dtype) if isinstance(number, Tensor) else number
