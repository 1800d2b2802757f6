"""Progress on a terminal as a bar, elsewhere as a line for each validation."""

import sys
import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, ProgressBar, TQDMProgressBar

from seqlab.callbacks.training_log import TrainingLog


def numbers(trainer: pl.Trainer, module: pl.LightningModule, log: TrainingLog) -> list[tuple[str, str]]:
    """What is said of training so far: its loss's measures, those of the last validation, and the speed."""
    values = {**{name: float(value) for name, value in trainer.callback_metrics.items()}, **log.latest}
    measures = getattr(module, "measures", {})
    shown = [
        (f"{stage} {SHORT.get(name, name)}", measure.form.format(values[f"{stage}/{name}"]))
        for stage in ("train", "val")
        for name, measure in measures.items()
        if f"{stage}/{name}" in values
    ]
    if not shown:
        shown = [
            (f"{stage} loss", f"{values[f'{stage}/loss']:.4f}")
            for stage in ("train", "val")
            if f"{stage}/loss" in values
        ]
    rates = {"train/tokens_per_second": "tokens/s", "train/items_per_second": "items/s"}
    return [*shown, *((unit, f"{values[name]:,.0f}") for name, unit in rates.items() if name in values)]


SHORT = {"perplexity": "ppl"}
"""Names that are written more shortly."""


class Bar(TQDMProgressBar):
    """One bar for the whole run's steps of an epoch, with what is measured and the speed from the training log."""

    def __init__(self, training_log: TrainingLog) -> None:
        super().__init__(refresh_rate=10)
        self.training_log = training_log

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        return dict(numbers(trainer, pl_module, self.training_log))

    def init_validation_tqdm(self) -> Any:
        bar = super().init_validation_tqdm()
        bar.disable = True
        return bar


class Lines(ProgressBar):
    """A line for each validation, for logs and pipes; at most one every ``seconds``."""

    def __init__(self, training_log: TrainingLog, seconds: float = 5.0) -> None:
        super().__init__()
        self.training_log, self.seconds = training_log, seconds
        self._said, self._step = 0.0, -1
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._say(trainer, "training starts")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if time.monotonic() - self._said >= self.seconds:
            self._say(trainer, self._numbers(trainer))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.global_step != self._step:
            self._say(trainer, self._numbers(trainer))

    def _numbers(self, trainer: pl.Trainer) -> str:
        shown = numbers(trainer, trainer.lightning_module, self.training_log)
        return ", ".join(f"{value} {name}" if name.endswith("/s") else f"{name} {value}" for name, value in shown)

    def _say(self, trainer: pl.Trainer, words: str) -> None:
        if self._enabled and trainer.is_global_zero:
            self._said, self._step = time.monotonic(), trainer.global_step
            last = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else None
            epoch = trainer.current_epoch + 1 if last is None else f"{min(trainer.current_epoch + 1, last)}/{last}"
            place = f"epoch {epoch} step {trainer.global_step}"
            print(f"{place}: {words}", file=sys.stderr, flush=True)


def progress(log: TrainingLog) -> Callback:
    """A bar where somebody watches, else lines."""
    return Bar(log) if sys.stderr.isatty() else Lines(log)
