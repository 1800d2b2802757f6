"""Images as network inputs: vectors, images, or steps of rows or pixels; and the options of such networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.label_options import LabelOptions
from seqlab.options import option

BRIGHTEST = 255
"""Grey level of white."""


class Seen(NamedTuple):
    """Format of the images; see ``seqlab.text.image_codec.ImageCodec``."""

    height: int
    width: int
    view: str = "auto"
    order: Sequence[int] | None = None
    mean: float = 0.0
    deviation: float = 1.0


@dataclass(frozen=True)
class ImageOptions(LabelOptions):
    """Options of every image network trained by gradients; ``views`` are the views that it reads, the default first."""

    views: ClassVar[tuple[str, ...]] = ("vector", "image", "rows", "pixels")

    def build(self, seen: Seen, classes: int) -> nn.Module:
        """The network of these options.

        Args:
            seen: Format of the images.
            classes: Number of classes, one logit each.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class DroppingOptions(ImageOptions):
    """Options of networks with dropout before the output layer."""

    dropout: float = option(0.2, "Dropout before the output layer.", least=0, below=1)


class ImageReader(nn.Module):
    """Standardized grey levels in the shape that a network reads.

        vector      (batch, height width)
        image       (batch, 1, height, width)
        rows        (batch, height, width), a row a step
        pixels      (batch, height width, 1), a pixel a step, one row after the other

    Args:
        seen: Format of the images.
        views: Views that the network reads, the default first.

    Raises:
        UserError: The network does not read the requested view.
    """

    order: Tensor | None
    scale: Tensor

    def __init__(self, seen: Seen, views: Sequence[str]) -> None:
        super().__init__()
        if seen.view not in ("auto", *views):
            raise UserError(f"this model does not read --data.view {seen.view}; it reads {' and '.join(views)}")
        self.seen, self.view = seen, views[0] if seen.view == "auto" else seen.view
        order = None if seen.order is None else torch.tensor(seen.order)
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("scale", torch.tensor([seen.mean, seen.deviation]), persistent=False)

    @property
    def steps(self) -> int:
        """Number of steps, each a row or a pixel."""
        return self.seen.height if self.view == "rows" else self.seen.height * self.seen.width

    @property
    def width(self) -> int:
        """Numbers in a step."""
        return self.seen.width if self.view == "rows" else 1

    def forward(self, pixels: Tensor) -> Tensor:
        """The network's input, in the dtype of its weights.

        Args:
            pixels: Grey levels from 0 to 255, ``(batch, height, width)``.
        """
        flat = pixels.flatten(1)
        flat = flat if self.order is None else flat[:, self.order]
        mean, deviation = self.scale
        flat = (flat.to(self.scale.dtype) / BRIGHTEST - mean) / deviation
        if self.view == "vector":
            return flat
        shaped = flat.unflatten(1, (self.seen.height, self.seen.width))
        return {"image": shaped.unsqueeze(1), "rows": shaped, "pixels": flat.unsqueeze(2)}[self.view]

    def extra_repr(self) -> str:
        return f"{self.seen.height} x {self.seen.width}, {self.view}"
