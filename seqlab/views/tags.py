"""Which tags are taken for which, and sentences with wrong tags."""

from typing import Any, Protocol, cast

import lightning.pytorch as pl

from seqlab.views.boards import boards
from seqlab.views.confusions import MOST_CLASSES, draw_confusion, escaped

SHOWN = 12
"""Sentences that are listed."""


class Tags(Protocol):
    """A model that tags sentences."""

    def evaluate(self, data: Any, split: Any, items: bool) -> Any: ...


class TagView(pl.Callback):
    """Lists sentences with wrong tags after a validation; draws the confusion matrix when training ends.

    Args:
        pictures: Whether to draw after each validation too.
    """

    def __init__(self, pictures: bool) -> None:
        self.pictures = pictures

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.pictures:
            self._show(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.pictures:
            self._show(trainer, pl_module)

    def _show(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writers, data = boards(trainer), getattr(trainer, "datamodule", None)
        if not writers or data is None or not data.has("val"):
            return
        held, data.trainer = data.trainer, None  # all of the part, however many processes train
        try:
            report = cast(Tags, pl_module).evaluate(data, "val", True)
        finally:
            data.trainer = held
        for writer in writers:
            writer.add_text("wrong tags", listed(report.items), trainer.global_step)
            if len(report.names) <= MOST_CLASSES:
                figure = draw_confusion(report.confusion, [*report.names])
                writer.add_figure("confusion", figure, trainer.global_step, close=False)


def listed(items: Any) -> str:
    """The first sentences with wrong tags, each such word with the right tag and the one said."""
    lines: list[str] = []
    rows = zip(items["text"], items["label"], items["predicted"], strict=True)
    for text, wanted, said in ((text.split(" "), a.split(" "), b.split(" ")) for text, a, b in rows if a != b):
        if len(lines) == SHOWN:
            break
        marked = (
            escaped(word) if right == tag else f"**{escaped(word)}** ({escaped(right)}, said {escaped(tag)})"
            for word, right, tag in zip(text, wanted, said, strict=True)
        )
        lines.append(" ".join(marked))
    return "\n\n".join(lines) or "no wrong tag"
