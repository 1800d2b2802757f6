"""Learning-rate schedules that torch does not have."""

import math
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seqlab.errors import UserError


class DivideAfterLR(LRScheduler):
    """The optimizer's rate for some epochs, then divided again after each epoch (Zaremba et al. 2014).

        rate of epoch e, from 1 = lr / by ** max(0, e - after_epochs)

    Args:
        optimizer: Optimizer with the rate to schedule; step the schedule after every epoch.
        after_epochs: Epochs at the optimizer's rate.
        by: Divisor of the rate.

    Raises:
        UserError: A value is out of its range.
    """

    def __init__(self, optimizer: Optimizer, after_epochs: int = 4, by: float = 2.0) -> None:
        if after_epochs < 0 or not 0 < by < math.inf:
            raise UserError(f"after_epochs {after_epochs} must be at least 0 and by {by} above 0")
        self.after_epochs, self.by = after_epochs, by
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        return [rate / self.by ** max(0, self.last_epoch + 1 - self.after_epochs) for rate in self.base_lrs]


class WarmupCosineLR(LRScheduler):
    """Linear warm-up to the optimizer's rate, then half a cosine down to ``final_factor`` of it.

    Args:
        optimizer: Optimizer with the rate to schedule; step the schedule after every optimizer step.
        total_steps: Optimizer steps from start to end; the whole run if not given on the command line.
        warmup_steps: Optimizer steps of the linear warm-up; set by warmup_fraction if not given.
        final_factor: Final rate as a share of the optimizer's rate.
        warmup_fraction: Share of total_steps for the warm-up, if warmup_steps is not given.

    Raises:
        UserError: The warm-up is not shorter than total_steps.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int | None = None,
        warmup_steps: int | None = None,
        final_factor: float = 0.0,
        warmup_fraction: float = 0.0,
    ) -> None:
        if not 0 <= warmup_fraction < 1:
            raise UserError(f"warmup_fraction {warmup_fraction} must be at least 0 and below 1")
        if warmup_steps is None:
            warmup_steps = int(warmup_fraction * (total_steps or 0))
        if total_steps is None or not 0 <= warmup_steps < total_steps:
            raise UserError(f"warmup_steps {warmup_steps} must be at least 0 and below total_steps {total_steps}")
        self.total_steps, self.warmup_steps, self.final_factor = total_steps, warmup_steps, final_factor
        super().__init__(optimizer)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues at a step; total_steps stays that of this schedule."""
        super().load_state_dict({**state_dict, "total_steps": self.total_steps})

    def factor(self, step: int) -> float:
        """Factor of the optimizer's rate at a step."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        done = min(1.0, (step - self.warmup_steps) / (self.total_steps - self.warmup_steps))
        return self.final_factor + (1 - self.final_factor) * (1 + math.cos(math.pi * done)) / 2

    def get_lr(self) -> list[float | Tensor]:
        return [rate * self.factor(self.last_epoch) for rate in self.base_lrs]


class NoamLR(LRScheduler):
    """Linear warm-up to the optimizer's rate, then decay with the root of the step (Vaswani et al. 2017, equation 3).

        rate of step s, from 1 = lr * min(s / warmup_steps, sqrt(warmup_steps / s))

    The paper's lr is 1 / sqrt(hidden_size * warmup_steps): 0.0007 with 512 units and 4,000 steps.

    Args:
        optimizer: Optimizer with the rate to schedule; step the schedule after every optimizer step.
        warmup_steps: Optimizer steps of the linear warm-up.

    Raises:
        UserError: warmup_steps is below 1.
    """

    def __init__(self, optimizer: Optimizer, warmup_steps: int = 4000) -> None:
        if warmup_steps < 1:
            raise UserError(f"warmup_steps {warmup_steps} must be a whole number of at least 1")
        self.warmup_steps = warmup_steps
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        step = self.last_epoch + 1
        factor = min(step / self.warmup_steps, math.sqrt(self.warmup_steps / step))
        return [rate * factor for rate in self.base_lrs]
