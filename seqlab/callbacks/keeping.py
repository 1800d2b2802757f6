"""Which checkpoints are kept, how they are written, and what stands in them of the run."""

import shutil
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint
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


def best_and_last(folder: Path, validates: bool, every_n_epochs: int | None) -> ModelCheckpoint:
    """Keeps ``best.ckpt`` by ``val/loss`` and ``last.ckpt``; without validation ``best`` is the last.

    Args:
        folder: Of the two files.
        validates: Whether there will be a ``val/loss``.
        every_n_epochs: How often they are written if there will be none.
    """
    return ModelCheckpoint(
        dirpath=folder,
        filename="best",
        monitor="val/loss" if validates else None,
        save_last=True,
        every_n_epochs=None if validates else every_n_epochs,
        enable_version_counter=False,
        auto_insert_metric_name=False,
    )


class RunRecord(pl.Callback):
    """Keeps the configuration of the run in its folder and in each of its checkpoints.

    Args:
        folder: Of the run.
        run: Name of the run.
        config: What ``--config`` takes, as YAML.
    """

    def __init__(self, folder: Path, run: str, config: str) -> None:
        self.folder, self.run, self.config = folder, run, config

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if trainer.is_global_zero and not trainer.fast_dev_run:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "config.yaml").write_text(self.config)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["run"] = {"name": self.run, "config": self.config}
