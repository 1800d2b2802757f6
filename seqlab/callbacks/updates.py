"""Sizes of gradients and updates for each part of the network."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from seqlab.callbacks.gradient_norms import total_norm


def parts(module: pl.LightningModule) -> dict[str, list[Tensor]]:
    """The trained weights of each part of ``network``, such as ``embedding``, ``recurrent`` and ``output``."""
    found: dict[str, list[Tensor]] = {}
    for name, weights in module.named_parameters():
        if weights.requires_grad:
            found.setdefault(name.removeprefix("network.").split(".")[0], []).append(weights)
    return found


class Updates(pl.Callback):
    """Logs each part's gradient norm before clipping, and the norm of its update over that of its weights.

    It measures only the logged steps. Ratios around 0.001 are healthy; far smaller ones barely train the network, far
    larger ones destroy what it has learned.
    """

    def __init__(self) -> None:
        self._norms: dict[str, Tensor] = {}
        self._weights: dict[str, list[Tensor]] = {}

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        if trainer.loggers and (trainer.global_step + 1) % trainer.log_every_n_steps == 0:
            for part, weights in parts(pl_module).items():
                gradients = [weight.grad for weight in weights if weight.grad is not None]
                self._norms[part] = total_norm(gradients)
                self._weights[part] = [weight.detach().clone() for weight in weights]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not self._weights:
            return
        values = {f"gradients/{part}": float(norm) for part, norm in self._norms.items()}
        for part, weights in parts(pl_module).items():
            before = self._weights[part]
            moved = [now.detach() - then for now, then in zip(weights, before, strict=True)]
            ratio = torch.nn.utils.get_total_norm(moved) / torch.nn.utils.get_total_norm(before).clamp_min(1e-12)
            values[f"update_ratio/{part}"] = float(ratio)
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step)
        self._norms, self._weights = {}, {}
