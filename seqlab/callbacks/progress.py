"""Progress on a terminal as a bar, elsewhere as lines."""

import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, ProgressBar, TQDMProgressBar

from seqlab.callbacks.tally import Tally

RATES = {"train/tokens_per_second": "tokens/s", "train/items_per_second": "items/s"}


def validated(trainer: pl.Trainer) -> dict[str, float]:
    """The measures of the last validation."""
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}


def numbers(module: pl.LightningModule, values: Mapping[str, float]) -> list[tuple[str, str]]:
    """The figures to print: measures of training and validation, or their losses, and the speed."""
    measures = getattr(module, "measures", {})
    shown = [
        (f"{stage} {SHORT.get(name, name)}", measure.form.format(values[f"{stage}/{name}"]))
        for stage in ("train", "val")
        for name, measure in measures.items()
        if f"{stage}/{name}" in values
    ]
    if not shown:
        losses = {f"{stage} loss": values.get(f"{stage}/loss") for stage in ("train", "val")}
        shown = [(name, f"{value:.4f}") for name, value in losses.items() if value is not None]
    return [*shown, *((unit, f"{values[name]:,.0f}") for name, unit in RATES.items() if name in values)]


NOTHING = "nothing new to say yet"
EARLY = 0.75
"""Share of the longest interval between two lines after which the end of a step prints its figures."""
SHORT = {"perplexity": "ppl"}
"""Abbreviated names."""


class Bar(TQDMProgressBar):
    """One progress bar for the steps of an epoch, with its figures so far and those of the last validation."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(refresh_rate=10)
        self.tally = tally

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        return dict(numbers(pl_module, {**validated(trainer), **self.tally.so_far(pl_module)}))

    def init_validation_tqdm(self) -> Any:
        bar = super().init_validation_tqdm()
        bar.disable = True
        return bar


class Lines(ProgressBar):
    """Lines for logs and pipes, each with the figures of the steps, and of the validation, since the one before.

    Args:
        tally: Tally of this run, earlier in the list of callbacks.
        seconds: Fewest seconds from one line to the next at the ends of epochs.
        often: Most seconds from one line to the next within an epoch.
    """

    def __init__(self, tally: Tally, seconds: float = 5.0, often: float = 30.0) -> None:
        super().__init__()
        self.tally, self.seconds, self.often = tally, seconds, often
        self._said, self._step, self._epoch, self._validated = 0.0, -1, 1, False
        self._enabled = True
        self._over = threading.Event()

    @property
    def is_enabled(self) -> bool:
        """Whether lines are written; ``LightningModule.print`` asks."""
        return self._enabled

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        self._said, self._over = time.monotonic(), threading.Event()
        if stage == "fit" and trainer.is_global_zero:
            threading.Thread(target=self._watch, args=(trainer, self._over), daemon=True).start()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._over.set()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._over.set()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._step, self._epoch = trainer.global_step, trainer.current_epoch + 1
        self._say(trainer, "training starts")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._epoch = trainer.current_epoch + 1

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._validated = not trainer.sanity_checking

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if time.monotonic() - self._said >= EARLY * self.often:
            self._say_numbers(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if time.monotonic() - self._said >= self.seconds:
            self._say_numbers(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.global_step != self._step or self._validated:
            self._say_numbers(trainer)

    def _say_numbers(self, trainer: pl.Trainer) -> None:
        if not trainer.is_global_zero:
            return
        module = trainer.lightning_module
        values = {**self.tally.since_asked(module), **(validated(trainer) if self._validated else {})}
        shown = numbers(module, values)
        self._validated = False
        words = [f"{value} {name}" if name.endswith("/s") else f"{name} {value}" for name, value in shown]
        self._step = trainer.global_step
        self._say(trainer, ", ".join(words) or NOTHING)

    def _watch(self, trainer: pl.Trainer, over: threading.Event) -> None:
        """Prints the position of training if no line was printed for long, as in a long validation."""
        while not over.wait(max(0.0, self._said + self.often - time.monotonic())):
            if time.monotonic() - self._said >= self.often:
                self._say(trainer, f"{'validating' if trainer.validating else 'at work'}, {NOTHING}")

    def _say(self, trainer: pl.Trainer, words: str) -> None:
        self._said = time.monotonic()
        if self._enabled and trainer.is_global_zero:
            last = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
            place = f"epoch {self._epoch}{last} step {trainer.global_step}"
            print(f"{place}: {words}", file=sys.stderr, flush=True)


def progress(tally: Tally) -> Callback:
    """A progress bar on a terminal or in a notebook, otherwise lines."""
    return Bar(tally) if sys.stderr.isatty() or hasattr(sys, "ps1") else Lines(tally)
