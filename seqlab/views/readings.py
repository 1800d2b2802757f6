"""Views of predicted symbols in pictures of strings."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import lightning.pytorch as pl
from torch.utils.tensorboard import SummaryWriter

from seqlab.analysis.alignments import Alignment, draw_alignment
from seqlab.views.boards import ValidationView, add_picture

SHOWN = 3
"""Number of strings to draw."""


class Reads(Protocol):
    """A model that reads strings."""

    def shown(self, data: Any, split: Any, count: int) -> list[tuple[str, Alignment]]: ...


class AlignmentView(ValidationView):
    """Draws a few strings, and below each the probabilities of the symbols and the blank."""

    def show(self, writers: Sequence[SummaryWriter], data: Any, pl_module: pl.LightningModule, step: int) -> None:
        with data.undivided():
            rows = cast(Reads, pl_module).shown(data, "val", SHOWN)
        for writer in writers:
            for number, (wanted, one) in enumerate(rows):
                add_picture(writer, f"alignment/{number}", draw_alignment(wanted, one), step)
