"""Learning-rate schedules that torch does not have."""

import math
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from seqlab.errors import UserError


class WarmupCosineLR(LRScheduler):
    """Linear warm-up to the optimizer's rate, then half a cosine down to ``final_factor`` of it.

    Args:
        optimizer: Whose rate is scheduled; step the schedule after every optimizer step.
        total_steps: Optimizer steps from start to end; the whole run if not given on the command line.
        warmup_steps: Optimizer steps of the linear warm-up.
        final_factor: Share of the rate that is left at the end.

    Raises:
        UserError: The warm-up is not shorter than the whole.
    """

    def __init__(
        self, optimizer: Optimizer, total_steps: int | None = None, warmup_steps: int = 0, final_factor: float = 0.0
    ) -> None:
        if total_steps is None or not 0 <= warmup_steps < total_steps:
            raise UserError(f"warmup_steps {warmup_steps} must be at least 0 and below total_steps {total_steps}")
        self.total_steps, self.warmup_steps, self.final_factor = total_steps, warmup_steps, final_factor
        super().__init__(optimizer)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on at a step; how many there are is what this schedule was made with."""
        super().load_state_dict({**state_dict, "total_steps": self.total_steps})

    def factor(self, step: int) -> float:
        """Share of the optimizer's rate in force at a step."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        done = min(1.0, (step - self.warmup_steps) / (self.total_steps - self.warmup_steps))
        return self.final_factor + (1 - self.final_factor) * (1 + math.cos(math.pi * done)) / 2

    def get_lr(self) -> list[float | Tensor]:
        return [rate * self.factor(self.last_epoch) for rate in self.base_lrs]
