"""Confusion matrices, and predictions for single texts."""

from typing import Any, Protocol, cast

import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray

from seqlab.figures import Figure, new_figure
from seqlab.views.boards import add_picture, boards_of_validation

SHOWN = 8
"""Number of right texts, and of wrong texts, to list."""
MOST_CLASSES = 60
"""Most classes of a drawn confusion matrix."""


class Classifies(Protocol):
    """A model that classifies texts."""

    def evaluate(self, data: Any, split: Any, items: bool) -> Any: ...

    def word_weights(self, texts: list[str]) -> list[list[tuple[str, float]]]: ...


class ConfusionView(pl.Callback):
    """Lists a few right and wrong texts after each validation; draws the confusion matrix at the end of training.

    Args:
        pictures: Whether to draw also after each validation.
        every: Fewest optimizer steps from one list to the next.
    """

    def __init__(self, pictures: bool, every: int = 1) -> None:
        self.pictures, self.every = pictures, every
        self._last: int | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"last": self._last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._last = state_dict["last"]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._last is None or trainer.global_step - self._last >= self.every:
            self._last = trainer.global_step
            self._show(trainer, pl_module, self.pictures)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.pictures:
            self._show(trainer, pl_module, True)

    def _show(self, trainer: pl.Trainer, pl_module: pl.LightningModule, draw: bool) -> None:
        writers, data = boards_of_validation(trainer)
        if not writers:
            return
        model = cast(Classifies, pl_module)
        with data.undivided():
            report = model.evaluate(data, "val", True)
        for writer in writers:
            writer.add_text("texts", listed(report.items), trainer.global_step)
            writer.add_text("attention", coloured(model, report.items), trainer.global_step)
            if draw and report.confusion is not None and len(report.classes) <= MOST_CLASSES:
                figure = draw_confusion(report.confusion, [*report.classes])
                add_picture(writer, "confusion", figure, trainer.global_step)


def listed(items: Any) -> str:
    """The most confident wrong texts and the least confident right texts, as a table."""
    rows = sorted(range(len(items["text"])), key=lambda row: -items["probability"][row])
    wrong = [row for row in rows if not items["correct"][row]][:SHOWN]
    right = [row for row in reversed(rows) if items["correct"][row]][:SHOWN]
    lines = ["| probability | predicted | right | text |", "|---|---|---|---|"]
    for row in (*wrong, *right):
        cells = f"{items['probability'][row]:.2f}", items["predicted"][row], items["label"][row], items["text"][row]
        lines.append(f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def coloured(model: Classifies, items: Any) -> str:
    """A few texts; a word is darker the more weight it has."""
    lines = []
    for words in model.word_weights([*items["text"][:SHOWN]]):
        top = max((weight for _, weight in words), default=1.0) or 1.0
        spans = (
            f'<span style="background-color: rgba(255, 140, 0, {max(0.0, weight) / top:.2f})">{escaped(word)}</span>'
            for word, weight in words
        )
        lines.append(" ".join(spans))
    return "\n\n".join(lines)


def escaped(word: str) -> str:
    """A word escaped for HTML and Markdown."""
    signs = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "*": "&#42;", "_": "&#95;", "`": "&#96;"}
    return "".join(signs.get(sign, sign) for sign in word)


def draw_confusion(confusion: NDArray[np.int64], names: list[str]) -> Figure:
    """Draws the confusion matrix: true classes as rows, predicted classes as columns.

    Args:
        confusion: ``(classes, classes)``.
        names: Names of the classes.
    """
    size = max(3.2, 1.2 + 0.45 * len(names))
    figure, axes = new_figure(size + 1, size)
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true", title="Confusion matrix")
    if len(names) <= 12:
        for row, column in np.ndindex(confusion.shape):
            dark = shares[row, column] > 0.5
            axes.text(column, row, f"{confusion[row, column]:,}", ha="center", va="center", color="w" if dark else "k")
    figure.colorbar(shown, label="share of the class's texts")
    return figure
