"""Ctrl-C, SIGTERM and SIGUSR1: finish the step, write a checkpoint, stop."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import lightning.pytorch as pl

SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else []))
"""Ctrl-C, and the signals of cluster schedulers before they end a job."""

ASK_EVERY = 10
"""Steps between two checks whether any process was told to stop."""


def is_border(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Whether a run can resume exactly from a checkpoint after this batch.

    It cannot after the last batch of an epoch, nor between a batch and its validation: the resumed run would skip the
    validation.
    """
    return ends_step(trainer, batch_idx) and not _validates(trainer, batch_idx)


def ends_step(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Whether a batch within an epoch ends an optimizer step; accumulated gradients are in no checkpoint."""
    done = batch_idx + 1
    return done < trainer.num_training_batches and done % trainer.accumulate_grad_batches == 0


def _validates(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Whether a validation follows this batch; validations by wall time are not predicted."""
    if trainer.val_check_batch is None:
        return False
    if trainer.check_val_every_n_epoch is None:
        return (trainer.fit_loop.total_batch_idx + 1) % trainer.val_check_batch == 0
    in_this_epoch = (trainer.current_epoch + 1) % trainer.check_val_every_n_epoch == 0
    return in_this_epoch and (batch_idx + 1) % trainer.val_check_batch == 0


class Interrupted(SystemExit):
    """Training was told to stop and wrote a checkpoint; the exit code is the shell's code for the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number).name


class Interruption(pl.Callback):
    """Turns the first signal into a checkpoint after the running step; a second one stops at once.

    Args:
        path: Path of the checkpoint.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._received = 0
        self._agreed = False
        self._kept = False
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._receive)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.world_size > 1 and batch_idx % ASK_EVERY and not self._agreed:
            return
        if self._is_told(trainer) and is_border(trainer, batch_idx):
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._is_told(trainer):
            self._stop(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._kept = bool(trainer.checkpoint_callbacks) and ends_step(trainer, trainer.fit_loop.batch_idx)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        kept, self._kept = self._kept, False
        if kept and self._is_told(trainer):
            raise Interrupted(self._received or signal.SIGTERM)  # the validation's own checkpoint goes on from here

    def _is_told(self, trainer: pl.Trainer) -> bool:
        """Whether any of the processes was told to stop."""
        told = bool(self._received) or self._agreed
        if trainer.world_size > 1:
            told = self._agreed = trainer.strategy.reduce_boolean_decision(told, all=False)
        return told

    def _stop(self, trainer: pl.Trainer) -> NoReturn:
        trainer.save_checkpoint(self.path, weights_only=False)
        raise Interrupted(self._received or signal.SIGTERM)
