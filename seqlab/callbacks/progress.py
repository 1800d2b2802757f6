"""Progress on a terminal as a bar, elsewhere as a line for each validation."""

import sys
import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, ProgressBar, TQDMProgressBar

from seqlab.callbacks.training_log import TrainingLog


class Bar(TQDMProgressBar):
    """One bar for the whole run's steps of an epoch, with perplexities and speed from the training log."""

    def __init__(self, training_log: TrainingLog) -> None:
        super().__init__(refresh_rate=10)
        self.training_log = training_log

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        if self.training_log.latest:
            shown["train ppl"] = f"{self.training_log.latest['train/perplexity']:.3g}"
            shown["tokens/s"] = f"{self.training_log.latest['train/tokens_per_second']:,.0f}"
        if "val/perplexity" in trainer.callback_metrics:
            shown["val ppl"] = f"{float(trainer.callback_metrics['val/perplexity']):.3g}"
        return shown

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
        values = {
            **self.training_log.latest,
            **{name: float(value) for name, value in trainer.callback_metrics.items()},
        }
        shown = {"train/perplexity": "train ppl {:.3f}", "val/perplexity": "val ppl {:.3f}"}
        shown |= {"train/tokens_per_second": "{:,.0f} tokens/s"}
        return ", ".join(form.format(values[name]) for name, form in shown.items() if name in values)

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
