"""Handling of NaN and infinite losses."""

import sys
from typing import Any, NoReturn

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from seqlab.callbacks.gradient_norms import GradientNorms
from seqlab.errors import UserError


class Divergence(pl.Callback):
    """Keeps a loss or a gradient that is NaN or infinite from the weights.

    This callback comes before the log, which then does not count a skipped batch. ``skipped`` is the number of skipped
    updates since the beginning of the run.

    Args:
        norms: Callback of the gradient norms, earlier in the list of callbacks.
        skip: Whether to skip the update of such a batch instead of stopping.
    """

    def __init__(self, norms: GradientNorms, skip: bool) -> None:
        self.norms, self.skip = norms, skip
        self.skipped = 0

    def state_dict(self) -> dict[str, Any]:
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.skipped = state_dict["skipped"]

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        if not self.skip and not bool(torch.isfinite(loss)):
            self._stop(trainer, f"the loss is {float(loss.detach())}")

    def _stop(self, trainer: pl.Trainer, problem: str) -> NoReturn:
        before = [f"{float(norm):.3g}" for norm in self.norms.before]
        told = f", the gradient norms of the steps before it were {', '.join(before)}" if before else ""
        raise UserError(
            f"{problem} after step {trainer.global_step}{told}; lower "
            "--optimizer.lr or --trainer.gradient_clip_val, or leave such batches out with --on_nan skip"
        )

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        norm = self.norms.total
        assert norm is not None
        if bool(torch.isfinite(norm)) or getattr(trainer.precision_plugin, "scaler", None) is not None:
            return  # a float16 scaler skips such updates itself while it adjusts its scale
        if not self.skip:
            self._stop(trainer, f"the gradient norm is {float(norm)}")
        for parameter in pl_module.parameters():
            parameter.grad = None  # optimizers skip such parameters and their state
        if hasattr(pl_module, "forget"):
            pl_module.forget()
        self.skipped += 1
        if trainer.is_global_zero:
            words = f"seqlab: NaN or infinite numbers after step {trainer.global_step}; the update is skipped"
            print(words, file=sys.stderr)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.skip and not bool(torch.isfinite(torch.as_tensor(outputs["total"]))):
            outputs["total"], outputs["count"] = 0.0, 0
