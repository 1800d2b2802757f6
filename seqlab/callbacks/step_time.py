"""Time of a step by phase, its speed, and its memory."""

import resource
import sys
import time
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

PHASES = ("data", "forward", "backward", "optimizer")
PEAK_SIZE = {"cpu": 1024, "cuda": 8192}
"""Rows of the square matrix product that measures a device's peak speed."""
PEAK_TRIES = 3


def measured_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations per second of the fastest of a few large products."""
    size = PEAK_SIZE.get(device.type, 1024)
    matrix = torch.ones(size, size, device=device, dtype=dtype)
    out, best = torch.empty_like(matrix), float("inf")
    for _ in range(PEAK_TRIES):
        _wait(device)
        started = time.perf_counter()
        torch.mm(matrix, matrix, out=out)
        _wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def peak_memory(device: torch.device) -> float:
    """Peak memory so far in bytes: of tensors on a GPU, otherwise of the whole process."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _operations(module: pl.LightningModule) -> int | None:
    """Floating-point operations of a training step for each item; None for a module that does not count them."""
    count = getattr(module, "flops_per_item", None)
    return None if count is None else count()


class StepTime(pl.Callback):
    """Logs milliseconds of a batch by phase, every ``trainer.log_every_n_steps`` optimizer steps.

    ``speed/data_ms`` runs from the end of a batch to the start of the next, logging and progress included, but not
    validation; ``speed/optimizer_ms`` includes clipping. The values are means since the last entry; on a GPU, whose
    calls are asynchronous, only the logged batch is synchronized and timed. ``speed/gflops`` is the model's operations
    divided by the time of forward and backward, ``speed/share_of_peak`` is that divided by ``measured_peak``, and
    ``speed/memory_mb`` is ``peak_memory``.
    """

    def __init__(self) -> None:
        self._sums = dict.fromkeys(PHASES, 0.0)
        self._batches, self._items = 0, 0
        self._mark, self._peak = 0.0, float("nan")
        self._timed = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.loggers and _operations(pl_module):
            low = "bf16" in str(trainer.precision)
            self._peak = measured_peak(pl_module.device, torch.bfloat16 if low else torch.float32)
        self._mark = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._mark = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        due = (trainer.global_step + 1) % trainer.log_every_n_steps == 0
        self._timed = due or pl_module.device.type != "cuda"
        if self._timed:
            self._sums["data"] += time.perf_counter() - self._mark
            _wait(pl_module.device)
            self._mark = time.perf_counter()

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        self._lap(pl_module, "forward")

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._lap(pl_module, "backward")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._lap(pl_module, "optimizer")
        if self._timed:
            self._batches += 1
            self._items += int(outputs["count"])
            if trainer.global_step % trainer.log_every_n_steps == 0:
                self._log(trainer, pl_module)
        self._mark = time.perf_counter()

    def _lap(self, pl_module: pl.LightningModule, phase: str) -> None:
        if self._timed:
            _wait(pl_module.device)
            now = time.perf_counter()
            self._sums[phase] += now - self._mark
            self._mark = now

    def _log(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        values = {f"speed/{phase}_ms": 1000 * seconds / self._batches for phase, seconds in self._sums.items()}
        values["speed/memory_mb"] = peak_memory(pl_module.device) / 1e6
        if operations := _operations(pl_module):
            rate = operations * self._items / (self._sums["forward"] + self._sums["backward"])
            values |= {"speed/gflops": rate / 1e9, "speed/share_of_peak": rate / self._peak}
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step)
        self._sums = dict.fromkeys(PHASES, 0.0)
        self._batches, self._items = 0, 0
