"""Views of a Transformer's attention during training."""

from typing import cast

import lightning.pytorch as pl
import torch

from seqlab.analysis.activations import windows
from seqlab.analysis.looking_back import attention_of, distances, gradient_by_lag_of_layers
from seqlab.nn.transformer_language import TransformerLanguage
from seqlab.views.boards import add_picture, boards
from seqlab.views.gradient_watch import GradientWatch, flow, held_out

ROWS = 8
"""Pieces of held-out text in a view."""
SHOWN_TOKENS = 32


class AttentionWatch(GradientWatch):
    """Shows attention and gradients on a few pieces of held-out text after a validation.

    It logs numbers: the gradient of a step's loss k steps back (``gradient_flow/layer0_lag_8``), and the mean distance
    of each head's attention in tokens (``attention_distance/layer0_head1``). It draws the weights of all heads
    (``attention/heads``), and at the end of training the gradient by lag over the whole training.

    Args:
        pictures: Whether to draw the heads at each view, not only at the end of training.
        every: Fewest optimizer steps from one view to the next.
    """

    def __init__(self, pictures: bool, every: int = 1) -> None:
        super().__init__(every)
        self.pictures = pictures

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.is_due(trainer):
            return
        network, data = cast(TransformerLanguage, pl_module.neural), trainer.datamodule
        steps = min(data.num_steps, network.window or data.num_steps)
        pieces = windows(held_out(data), ROWS, steps).to(pl_module.device)
        norms = gradient_by_lag_of_layers(network, pieces[:, :-1], pieces[:, 1:]).cpu()
        self.keep(trainer, norms[0])
        values = flow(norms)
        for layer, heads in enumerate(distances(attention_of(network, pieces[:, :-1]))):
            values |= {f"attention_distance/layer{layer}_head{j}": float(one) for j, one in enumerate(heads)}
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step)
        if self.pictures:
            self._draw(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        if self.steps:
            self._draw(trainer, pl_module)

    def _draw(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        from seqlab.analysis.heads_picture import draw_heads

        data, network = trainer.datamodule, cast(TransformerLanguage, pl_module.neural)
        text = torch.from_numpy(held_out(data)[: min(SHOWN_TOKENS, data.num_steps)].astype("int64"))
        weights = attention_of(network, text.unsqueeze(0).to(pl_module.device))[:, 0].cpu()
        for writer in boards(trainer):
            figure = draw_heads(data.codec.vocab.tokens(text.tolist()), weights)
            add_picture(writer, "attention by head", figure, trainer.global_step)
