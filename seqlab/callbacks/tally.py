"""Training loss over all items of an epoch, and since the last query."""

import sys
import time
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from seqlab.runs.ranks import of_all_processes, own_sums


def figures(module: pl.LightningModule, total: float, count: float, seconds: float) -> dict[str, float]:
    """The mean loss of some items, the measures that follow from it, and the speed, as they are logged.

    Args:
        module: The model, with its ``measures`` and its ``unit``.
        total: Sum of the losses.
        count: Number of items, above 0.
        seconds: Time of these items.
    """
    loss, measures = total / count, getattr(module, "measures", {})
    follows = {name: measure.of_loss(loss) for name, measure in measures.items() if measure.of_loss is not None}
    unit = "tokens" if getattr(module, "unit", "items") == "tokens" else "items"
    return {
        "train/loss": loss,
        **{f"train/{name}": min(value, sys.float_info.max) for name, value in follows.items()},
        f"train/{unit}_per_second": count / max(seconds, 1e-9),
    }


class _Span:
    """Sums over some batches, kept on their device until they are read."""

    def __init__(self, total: float = 0.0, count: float = 0, seconds: float = 0.0) -> None:
        self.total: Tensor | float = total
        self.count: Tensor | float = count
        self.seconds = seconds

    def add(self, total: Tensor | float, count: Tensor | float, seconds: float) -> None:
        self.total = self.total + total
        self.count = self.count + count
        self.seconds += seconds

    def plain(self) -> list[float]:
        return [float(self.total), int(self.count), self.seconds]


class Tally(pl.Callback):
    """Sums the ``total`` and the ``count`` that a model's ``training_step`` hands out, in float64.

    This callback comes after those that skip batches. ``epoch`` holds the figures of the last epoch over its items on
    all processes; for an interrupted epoch, over its items so far; see ``figures``. Validation time does not count.
    """

    def __init__(self) -> None:
        self.epoch: dict[str, float] = {}
        self._epoch, self._recent = _Span(), _Span()
        self._mark = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"sums": of_all_processes(self._epoch.plain()), "epoch": self.epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._epoch, self.epoch = _Span(*own_sums(state_dict["sums"])), dict(state_dict["epoch"])

    def so_far(self, module: pl.LightningModule) -> dict[str, float]:
        """The figures of the current epoch on this process, or of the last epoch at its end."""
        total, count, seconds = self._epoch.plain()
        return figures(module, total, count, seconds) if count else self.epoch

    def since_asked(self, module: pl.LightningModule) -> dict[str, float]:
        """The figures of the steps since the last call, empty without steps; only the first process may ask.

        Within an epoch they cover only its own steps; those of other processes follow at the end of the epoch.
        """
        (total, count, seconds), self._recent = self._recent.plain(), _Span()
        return figures(module, total, count, seconds) if count else {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._mark = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._mark = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now, total = time.monotonic(), outputs["total"]
        total = total.double() if isinstance(total, Tensor) else total
        for span in (self._epoch, self._recent):
            span.add(total, outputs["count"], now - self._mark)
        self._mark = now

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        spans = self._epoch.plain(), self._recent.plain()
        own = torch.tensor([span[:2] for span in spans], dtype=torch.float64, device=pl_module.device)
        (total, count), (recent, items) = trainer.strategy.reduce(own, reduce_op="sum").tolist()
        if count:
            self.epoch = figures(pl_module, total, count, spans[0][2])
        self._epoch = _Span()
        self._recent = _Span(recent, items, spans[1][2]) if trainer.is_global_zero else _Span()
