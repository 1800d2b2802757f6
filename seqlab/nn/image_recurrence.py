"""Images -> classes through a recurrent stack, one row or pixel per step."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from seqlab.nn.image_reader import ImageOptions, ImageReader, Seen
from seqlab.nn.pooling import Pooling, PoolingKind
from seqlab.options import option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.stack import StackOptions


@dataclass(frozen=True)
class ImageRecurrenceOptions(ImageOptions, StackOptions):
    """Options of ``ImageRecurrence``."""

    views: ClassVar[tuple[str, ...]] = ("rows", "pixels")

    hidden_size: int | list[int] = option(
        128,
        "Units in each recurrent layer and direction; a list has one number for each layer.",
        least=1,
        most=2**20,
    )
    dropout: float = option(0.0, "Dropout on every non-recurrent connection.", least=0, below=1)
    bidirectional: bool = option(False, "Bidirectional: every layer also reads the image backwards.")
    pooling: PoolingKind = option("last", "Pooling over time: last, mean, max or attention.")

    def build(self, seen: Seen, classes: int) -> "ImageRecurrence":
        return ImageRecurrence(ImageReader(seen, self.views), self, classes)


class ImageRecurrence(nn.Module):
    """A recurrent stack over the steps of an image, pooling over time, a linear layer (Le et al. 2015, arXiv
    1504.00941, for MNIST pixel by pixel).

    Args:
        reader: Reader of the images.
        options: Options of the network.
        classes: Number of classes, one logit each.

    Raises:
        UserError: Two options contradict each other.
    """

    def __init__(self, reader: ImageReader, options: ImageRecurrenceOptions, classes: int) -> None:
        super().__init__()
        self.reader = reader
        self.recurrent = options.stack(reader.width, options.bidirectional)
        self.pooling = Pooling(options.pooling, self.recurrent.output_size, self.recurrent.directions)
        self.dropout = Dropout(options.dropout)
        self.output = nn.Linear(self.recurrent.output_size, classes)
        initialize(self, options.init, options.forget_bias, options.init_range)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of grey levels ``(batch, height, width)``."""
        outputs, _ = self.recurrent(self.reader(pixels))
        return self.classified(outputs)

    def classified(self, outputs: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of the outputs over time ``(batch, steps, size)``."""
        every: Any = torch.ones(outputs.shape[:2], dtype=torch.bool, device=outputs.device)
        logits: Tensor = self.output(self.dropout(self.pooling(outputs, every).vectors))
        return logits
