"""Attention of an encoder's heads over a text."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import lightning.pytorch as pl
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from seqlab.views.boards import ValidationView, add_picture


class Attends(Protocol):
    """A model with a Transformer encoder."""

    def attention(self, text: str) -> tuple[list[str], Tensor | None]: ...


class HeadsView(ValidationView):
    """Draws what every head looks at in the first validation text."""

    def show(self, writers: Sequence[SummaryWriter], data: Any, pl_module: pl.LightningModule, step: int) -> None:
        words, weights = cast(Attends, pl_module).attention(data.inputs("val")[0])
        if weights is None:
            return
        from seqlab.analysis.heads_picture import draw_first_words

        for writer in writers:
            add_picture(writer, "attention by head", draw_first_words(words, weights), step)
