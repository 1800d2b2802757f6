"""Confusion matrix of tags, and sentences with wrong tags."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import lightning.pytorch as pl
from torch.utils.tensorboard import SummaryWriter

from seqlab.views.boards import ValidationView, add_picture
from seqlab.views.confusions import MOST_CLASSES, draw_confusion, escaped

SHOWN = 12
"""Most sentences to list."""


class Tags(Protocol):
    """A model that tags sentences."""

    def evaluate(self, data: Any, split: Any, items: bool) -> Any: ...


class TagView(ValidationView):
    """Lists sentences with wrong tags, and draws the confusion matrix."""

    def show(self, writers: Sequence[SummaryWriter], data: Any, pl_module: pl.LightningModule, step: int) -> None:
        with data.undivided():
            report = cast(Tags, pl_module).evaluate(data, "val", True)
        for writer in writers:
            writer.add_text("wrong tags", listed(report.items), step)
            if len(report.names) <= MOST_CLASSES:
                figure = draw_confusion(report.confusion, [*report.names])
                add_picture(writer, "confusion", figure, step)


def listed(items: Any) -> str:
    """The first sentences with wrong tags, each wrong word with its true and predicted tag."""
    lines: list[str] = []
    rows = zip(items["text"], items["label"], items["predicted"], strict=True)
    for text, wanted, said in ((text.split(" "), a.split(" "), b.split(" ")) for text, a, b in rows if a != b):
        if len(lines) == SHOWN:
            break
        marked = (
            escaped(word) if right == tag else f"**{escaped(word)}** ({escaped(right)}, predicted {escaped(tag)})"
            for word, right, tag in zip(text, wanted, said, strict=True)
        )
        lines.append(" ".join(marked))
    return "\n\n".join(lines) or "no wrong tag"
