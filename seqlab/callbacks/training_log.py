"""Logs the training loss and its derived measures, learning rates, gradient norms and speed, every few steps."""

import time
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from seqlab.board_tags import layout
from seqlab.callbacks.board import Board
from seqlab.callbacks.divergence import Divergence
from seqlab.callbacks.gradient_norms import GradientNorms, gradient_norm
from seqlab.callbacks.tally import figures
from seqlab.metrics import with_loss
from seqlab.runs.ranks import of_all_processes, own_sums


class TrainingLog(pl.Callback):
    """Logs the training since its last entry, every ``trainer.log_every_n_steps`` optimizer steps.

    A model's ``training_step`` returns the ``total`` and ``count`` of each batch. Between two entries it only adds on
    the device. Losses are summed over items and processes before the division. The gradient norm, before and after
    clipping, and the learning rate are those of the logged step. With gradient clipping, ``train/clipped`` is the share
    of clipped steps. If updates may be skipped, ``train/skipped`` is their number since the beginning of the run.

    ``latest`` holds the last logged values.

    Args:
        norms: Callback of the gradient norms, earlier in the list of callbacks.
        watch: Callback that skips updates, if any, also earlier in the list.
    """

    def __init__(self, norms: GradientNorms | None = None, watch: Divergence | None = None) -> None:
        self.norms, self.watch = norms, watch
        self.latest: dict[str, float] = {}
        self._total: Tensor | float = 0.0
        self._count: Tensor | int = 0
        self._clipped: Tensor | int = 0
        self._steps = 0
        self._since = 0.0
        self._paused = 0.0
        self._norm: Tensor | None = None
        self._rate = 0.0
        self._logs = False

    def state_dict(self) -> dict[str, Any]:
        sums = [float(self._total), int(self._count), int(self._clipped), self._steps]
        return {"sums": of_all_processes(sums)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._total, count, *counts = own_sums(state_dict["sums"])
        self._count, self._clipped, self._steps = map(int, (count, *(counts or (0, 0))))

    def _due(self, trainer: pl.Trainer) -> bool:
        return (trainer.global_step + 1) % trainer.log_every_n_steps == 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since = time.monotonic()
        for logger in trainer.loggers if trainer.is_global_zero and not trainer.global_step else []:
            if isinstance(logger, Board):
                names = with_loss(getattr(pl_module, "measures", ()))
                logger.experiment.add_custom_scalars(layout(names))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._paused = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since += time.monotonic() - self._paused

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        self._steps += 1
        if self.norms is not None and self.norms.total is not None:
            self._norm = self.norms.total
            if trainer.gradient_clip_val:
                self._clipped = self._clipped + (self._norm > trainer.gradient_clip_val)
        if self._due(trainer):
            self._logs = True
            self._rate = float(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._total = self._total + outputs["total"]
        self._count = self._count + outputs["count"]
        if self._logs:
            self._log(trainer, pl_module)
            self._logs = False

    def _log(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        sums = torch.stack([torch.as_tensor(part).double().cpu() for part in (self._total, self._count)])
        total, count = trainer.strategy.reduce(sums.to(pl_module.device), reduce_op="sum").tolist()
        if not count:
            return
        now = time.monotonic()
        self.latest = figures(pl_module, total, count, now - self._since)
        if self._norm is not None:
            clipped = float(gradient_norm(pl_module))
            self.latest |= {"train/grad_norm": float(self._norm), "train/grad_norm_clipped": clipped}
        self.latest["train/lr"] = self._rate
        if self._norm is not None and trainer.gradient_clip_val:
            self.latest["train/clipped"] = int(self._clipped) / self._steps
        if self.watch is not None and self.watch.skip:
            self.latest["train/skipped"] = self.watch.skipped
        for logger in trainer.loggers:
            logger.log_metrics({**self.latest, "epoch": trainer.current_epoch}, step=trainer.global_step)
        self._total, self._count, self._clipped, self._steps, self._since = 0.0, 0, 0, 0, now
