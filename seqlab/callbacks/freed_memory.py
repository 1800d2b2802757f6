"""Limits the freed memory that a process keeps for the next step."""

from typing import Any

import lightning.pytorch as pl

from seqlab.runs.allocator import give_back, resident

BOUND = 1.2
"""Limit of kept memory, as a multiple of a step's need."""
LOOK_EVERY = 10
"""Batches between two checks, so that checks cost almost nothing."""


class FreedMemory(pl.Callback):
    """Returns freed memory to the system after each validation, and when varying shapes have left much of it.

    A step's need is the largest growth of the process in the batches after memory was returned.
    """

    def __init__(self) -> None:
        self._base = self._need = 0
        self._fresh = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._give_back()
        self._base, self._need = resident(), 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % LOOK_EVERY:
            return
        grown = resident() - self._base
        if self._fresh:
            self._need, self._fresh = max(self._need, grown), False
        elif grown > BOUND * self._need:
            self._give_back()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._give_back()

    def _give_back(self) -> None:
        give_back()
        self._fresh = True
