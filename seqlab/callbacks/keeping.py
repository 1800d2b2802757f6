"""Which checkpoints are kept, how they are written, and what stands in them of the run."""

import shutil
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.plugins.io import CheckpointIO

from seqlab.checkpoint import read_checkpoint, write_checkpoint


class WholeFiles(CheckpointIO):
    """Writes checkpoints whole or not at all, and reads only tensors and plain values."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        return read_checkpoint(path)

    def remove_checkpoint(self, path: Any) -> None:
        if Path(path).is_dir():
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)


def keep_best(folder: Path) -> ModelCheckpoint:
    """Keeps ``best.ckpt``, of the validation with the lowest ``val/loss``."""
    return ModelCheckpoint(
        dirpath=folder,
        filename="best",
        monitor="val/loss",
        save_on_train_epoch_end=False,
        enable_version_counter=False,
        auto_insert_metric_name=False,
    )


class KeepLast(Checkpoint):
    """Keeps ``last.ckpt``: of every n-th epoch, and of the last step.

    Args:
        folder: Of the file.
        every_n_epochs: Epochs from one to the next.
    """

    def __init__(self, folder: Path, every_n_epochs: int = 1) -> None:
        self.path = folder / "last.ckpt"
        self.every_n_epochs = every_n_epochs
        self._saved_step = -1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._save(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._saved_step != trainer.global_step:
            self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        if not trainer.fast_dev_run:
            trainer.save_checkpoint(self.path, weights_only=False)
            self._saved_step = trainer.global_step


class RunRecord(pl.Callback):
    """Keeps the configuration of the run in its folder and in each of its checkpoints.

    Args:
        folder: Of the run.
        run: Name of the run.
        config: What ``--config`` takes, as YAML.
    """

    def __init__(self, folder: Path, run: str, config: str) -> None:
        self.folder, self.run, self.config = folder, run, config

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero and not trainer.fast_dev_run:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "config.yaml").write_text(self.config)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["run"] = {"name": self.run, "config": self.config}
