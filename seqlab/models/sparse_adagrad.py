"""Adagrad for sparse gradients, with compiled code for the rows if available."""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import nn
from torch.optim import Adagrad

from seqlab.native.sparse_rows import able, adagrad_rows_


class SparseAdagrad(Adagrad):
    """torch's Adagrad, with its state under the same names, so that a checkpoint moves between the two.

    Compiled code updates a weight row by row if its gradient is sparse and coalesced, in float32 on a CPU. torch
    updates all other weights, and all weights without compiled code.
    """

    @classmethod
    def like(cls, made: Adagrad) -> Self:
        """A new optimizer with the parameters and options of another, before its first step."""
        return cls(made.param_groups, **made.defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        stepped = [one for group in self.param_groups for one in self._step_rows(group)]
        gradients = [weight.grad for weight in stepped]
        for weight in stepped:
            weight.grad = None
        if any(weight.grad is not None for group in self.param_groups for weight in group["params"]):
            super().step()
        for weight, gradient in zip(stepped, gradients, strict=True):
            weight.grad = gradient
        return loss

    def _step_rows(self, group: dict[str, Any]) -> list[nn.Parameter]:
        """Updates the weights of a group that compiled code supports."""
        taken = [weight for weight in group["params"] if self._can(weight, group)]
        for weight in taken:
            state = self.state[weight]
            rate = float(group["lr"]) / (1 + float(state["step"]) * group["lr_decay"])
            state["step"] += 1
            adagrad_rows_(weight, state["sum"], weight.grad, -rate if group["maximize"] else rate, group["eps"])
        return taken

    def _can(self, weight: nn.Parameter, group: dict[str, Any]) -> bool:
        gradient = weight.grad
        if gradient is None or not gradient.is_sparse or not gradient.is_coalesced():
            return False
        plain = gradient.dtype == torch.float32 and not group["weight_decay"] and not group["differentiable"]
        return plain and able(weight, self.state[weight]["sum"])
