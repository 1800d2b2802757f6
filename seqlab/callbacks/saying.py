"""Printed samples of a model after each validation."""

import sys
from typing import Any, Protocol, cast

import lightning.pytorch as pl


class Says(Protocol):
    """A model with a printable sample."""

    def sample(self, data: Any) -> str: ...


class Saying(pl.Callback):
    """Prints a sample of the model after each validation, on the first process."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        data = cast(Any, trainer).datamodule
        with data.undivided():
            said = cast(Says, pl_module).sample(data)
        if said:
            between = "\n" if "\n" in said else " "
            pl_module.print(f"epoch {trainer.current_epoch + 1}:{between}{said}")
            sys.stdout.flush()
