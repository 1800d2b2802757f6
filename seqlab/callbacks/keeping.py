"""Which checkpoints are written, how, and with which data about the run."""

import re
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, Self

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.plugins.io import CheckpointIO
from torch import Tensor

from seqlab.callbacks.board import Board
from seqlab.callbacks.interruption import ends_step, is_border
from seqlab.errors import UserError, reason_of
from seqlab.files import remove_unfinished, write_whole
from seqlab.metrics import with_loss
from seqlab.runs.checkpoint import read_checkpoint, write_checkpoint
from seqlab.runs.provenance import arithmetic


class WholeFiles(CheckpointIO):
    """Writes checkpoints completely or not at all, and reads only tensors and plain values.

    If a checkpoint cannot be written, the old one stays, a message is printed, and training continues.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        try:
            write_checkpoint(checkpoint, Path(path))
        except OSError as error:
            kept = ", which still holds an earlier step" if Path(path).exists() else ""
            print(f"seqlab: cannot write {path}{kept}: {reason_of(error)}; training goes on", file=sys.stderr)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        return {**read_checkpoint(path), "pytorch-lightning_version": pl.__version__}

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


class KeepBest(ModelCheckpoint):
    """Writes ``best.ckpt`` of the best validation, and records its measures.

    ``reached`` holds the values of that validation by name, without ``val/``.

    Args:
        folder: Folder of the file.
        monitor: Name of the monitored value.
        mode: ``min`` if lower is better, otherwise ``max``.
    """

    def __init__(self, folder: Path, monitor: str, mode: str) -> None:
        super().__init__(
            dirpath=folder,
            filename="best",
            monitor=monitor,
            mode=mode,
            save_on_train_epoch_end=False,
            enable_version_counter=False,
            auto_insert_metric_name=False,
        )
        self.reached: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "reached": self.reached}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        own, best = str(Path(str(self.dirpath)) / "best.ckpt"), state_dict["best_model_score"]
        paths = {"best_model_path": own, "kth_best_model_path": own, "last_model_path": ""}
        super().load_state_dict({**state_dict, **paths, "best_k_models": {} if best is None else {own: best}})
        self.reached = dict(state_dict.get("reached", {}))

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        better = bool(super().check_monitor_top_k(trainer, current))
        if better:
            values = {key: float(value) for key, value in trainer.callback_metrics.items()}
            self.reached = {key.removeprefix("val/"): value for key, value in values.items() if key[:4] == "val/"}
        return better

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        known = with_loss(getattr(pl_module, "measures", ()))
        values = {f"best/val_{name}": value for name, value in self.reached.items() if name in known}
        for logger in trainer.loggers if values and not trainer.sanity_checking else []:
            logger.log_metrics(values, step=trainer.global_step)


class Often(NamedTuple):
    """Interval of ``last.ckpt`` within an epoch, in steps or in seconds."""

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """``200`` steps, ``30s``, ``5m`` or ``1h``.

        Raises:
            UserError: The text has none of these forms.
        """
        match = re.fullmatch(r"(\d{1,9})([smh]?)", text)
        if not match or not int(match.group(1)):
            raise UserError(
                f"--ckpt_every '{text}' must be a number of steps such as 200, or a time such as 30s, 5m or 1h"
            )
        number, unit = int(match.group(1)), match.group(2)
        return cls(seconds=number * {"s": 1, "m": 60, "h": 3600}[unit]) if unit else cls(steps=number)


class KeepLast(Checkpoint):
    """Writes ``last.ckpt`` after every n-th epoch, after the last step, and within an epoch after every validation and
    at a requested interval. If an epoch ends before its last batch, a resumed run continues at that batch.

    Args:
        folder: Folder of the file.
        every_n_epochs: Epochs from one checkpoint to the next.
        often: Interval within an epoch, if any.
    """

    def __init__(self, folder: Path, every_n_epochs: int = 1, often: Often | None = None) -> None:
        self.path = folder / "last.ckpt"
        self.every_n_epochs, self.often = every_n_epochs, often or Often()
        self._saved_step = -1
        self._saved_at = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step != self._saved_step and is_border(trainer, batch_idx) and self._due(trainer):
            self._save(trainer)

    def _due(self, trainer: pl.Trainer) -> bool:
        stops = trainer.should_stop and trainer.fit_loop._can_stop_early  # else --trainer.min_epochs holds it
        if not trainer.is_last_batch and (stops or trainer.global_step == trainer.max_steps):
            return True
        if self.often.steps is not None:
            return trainer.global_step % self.often.steps == 0
        if self.often.seconds is None:
            return False
        due = time.monotonic() - self._saved_at >= self.often.seconds
        return bool(trainer.strategy.broadcast(due)) if trainer.world_size > 1 else due

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking and ends_step(trainer, trainer.fit_loop.batch_idx):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_last_batch and (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._save(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._saved_step != trainer.global_step:
            self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        if trainer.fast_dev_run:
            return
        self._saved_step, self._saved_at = trainer.global_step, time.monotonic()
        trainer.save_checkpoint(self.path, weights_only=False)


class RunRecord(pl.Callback):
    """Writes the configuration of the run to its folder and its checkpoints, and the end of its log to checkpoints.

    Args:
        folder: Folder of the run.
        config: Configuration for ``--config``, as YAML.
    """

    def __init__(self, folder: Path, config: str) -> None:
        self.folder, self.config = folder, config
        self.arithmetic = arithmetic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero and not trainer.fast_dev_run:
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_unfinished(self.folder / "checkpoints")
            try:
                write_whole(self.folder / "config.yaml", self.config)
            except OSError as error:
                words = f"cannot write {self.folder / 'config.yaml'}: {reason_of(error)}; training goes on"
                print(f"seqlab: {words}", file=sys.stderr)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["run"] = {"name": self.folder.name, "config": self.config, "arithmetic": self.arithmetic}
        board = next((logger for logger in trainer.loggers if isinstance(logger, Board)), None)
        if board is not None and trainer.is_global_zero:
            checkpoint["run"]["log"] = board.end()
