"""Views of wrongly classified images, and the confusion matrix."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import lightning.pytorch as pl
from torch.utils.tensorboard import SummaryWriter

from seqlab.figures import Figure, new_grid
from seqlab.views.boards import ValidationView, add_picture
from seqlab.views.confusions import MOST_CLASSES, draw_confusion

COLUMNS, ROWS = 8, 3
"""Grid of wrong images: images per row, and rows."""


class HasPictures(Protocol):
    """Data of images."""

    def part(self, split: Any) -> Any: ...


class PictureView(ValidationView):
    """Draws the confusion matrix, and wrongly classified images, the most confident first."""

    def show(self, writers: Sequence[SummaryWriter], data: Any, pl_module: pl.LightningModule, step: int) -> None:
        with data.undivided():
            report = cast(Any, pl_module).evaluate(data, "val", True)
        wrong = draw_wrong(report.items, cast(HasPictures, data).part("val").pixels)
        for writer in writers:
            if report.confusion is not None and len(report.classes) <= MOST_CLASSES:
                figure = draw_confusion(report.confusion, [*report.classes])
                add_picture(writer, "confusion", figure, step)
            if wrong is not None:
                add_picture(writer, "wrong", wrong, step)


def draw_wrong(items: Any, pixels: Any) -> Figure | None:
    """Draws wrongly classified images, the most confident first; None if all are right.

    Args:
        items: Columns of a report: ``item``, ``correct``, ``probability``, ``predicted`` and ``label``.
        pixels: Pixels of all images of the part ``(images, height, width)``.
    """
    wrong = [row for row, right in enumerate(items["correct"]) if not right]
    wrong = sorted(wrong, key=lambda row: -items["probability"][row])[: ROWS * COLUMNS]
    if not wrong:
        return None
    figure, panels = new_grid(len(wrong), COLUMNS, 1.1, "Most confident errors: predicted for right, probability")
    for axes, row in zip(panels, wrong, strict=True):
        axes.imshow(pixels[items["item"][row]], cmap="gray_r", vmin=0, vmax=255)
        said, right = items["predicted"][row], items["label"][row]
        axes.set_title(f"{said} for {right}, {items['probability'][row]:.2f}", fontsize="x-small")
    return figure
