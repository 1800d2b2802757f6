"""Gradients by lag over the whole training."""

from typing import Any

import lightning.pytorch as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqlab.views.boards import Text, add_picture, boards


class GradientWatch(pl.Callback):
    """Records the gradient by lag at every view, also across resumed runs, and draws it at the end of training.

    Args:
        every: Fewest optimizer steps from one view to the next.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.steps: list[int] = []
        self.norms: list[list[float]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "norms": self.norms}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.steps, self.norms = list(state_dict["steps"]), list(state_dict["norms"])

    def is_due(self, trainer: pl.Trainer) -> bool:
        """Whether a view is due, and there is a TensorBoard log."""
        return bool(boards(trainer)) and not (self.steps and trainer.global_step - self.steps[-1] < self.every)

    def keep(self, trainer: pl.Trainer, norms: Tensor) -> None:
        """Records the norms by lag ``(lags,)`` of a view."""
        self.steps.append(trainer.global_step)
        self.norms.append(norms.tolist())

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for writer in boards(trainer) if self.steps else []:
            from seqlab.analysis.pictures import draw_gradient_history

            history = draw_gradient_history(self.steps, torch.tensor(self.norms))
            add_picture(writer, "gradient flow by lag", history, trainer.global_step)


def held_out(data: Text) -> NDArray[Any]:
    """Ids of the validation part, or of the training part without one."""
    return data.part(data.watched_part).ids


def flow(norms: Tensor) -> dict[str, float]:
    """Norms ``(layers, lags)`` at the lags 1, 2, 4, ... and the longest."""
    longest = norms.shape[1] - 1
    lags = sorted({1 << power for power in range(longest.bit_length())} | {longest})
    return {f"gradient_flow/layer{k}_lag_{lag}": float(row[lag]) for k, row in enumerate(norms) for lag in lags}
