"""Memory that was freed, kept for the next step, but never much more than a step needs."""

from typing import Any

import lightning.pytorch as pl

from seqlab.runs.allocator import give_back, resident

BOUND = 1.2
"""Times what steps were seen to need."""
LOOK_EVERY = 10
"""Batches from one look to the next, so that looking costs next to nothing."""


class FreedMemory(pl.Callback):
    """Gives freed memory back to the system after each validation, and where shapes that vary have left much of it.

    What steps need is what the process grew by in the batches after memory was last given back, the most of all times.
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
