"""Images -> classes by counts: naive Bayes over the grey level of each pixel."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqlab.nn.image_reader import BRIGHTEST, Seen
from seqlab.options import Options, option

TOGETHER = 4096
"""Images to count at once."""


@dataclass(frozen=True)
class GreyBayesOptions(Options):
    """Options of ``GreyBayes``."""

    by_gradients: ClassVar[bool] = False
    seconds_an_item: ClassVar[float] = 2e-5

    levels: int = option(4, "Number of grey levels, equally wide.", least=2, most=256)
    smoothing: float = option(1.0, "Added to the count of each grey level at each pixel in each class.", above=0)

    def build(self, seen: Seen, classes: int) -> "GreyBayes":
        """The network of these options."""
        return GreyBayes(seen, classes, self)


class GreyBayes(nn.Module):
    """Naive Bayes: given the class, the pixels are independent.

        logit_c = log p(c) + sum over pixels i of log p(level of pixel i | c)

    with p from counts, each plus ``smoothing``.

    Args:
        seen: Format of the images; the order of the pixels makes no difference.
        classes: Number of classes, one logit each.
        options: Options of the counts.
    """

    counts: Tensor
    items: Tensor

    def __init__(self, seen: Seen, classes: int, options: GreyBayesOptions) -> None:
        super().__init__()
        self.options = options
        self.nothing = nn.Parameter(torch.empty(0))  # the Trainer needs a parameter; this model trains none
        self.register_buffer("counts", torch.zeros(options.levels, classes, seen.height * seen.width))
        self.register_buffer("items", torch.zeros(classes))

    def count(self, pixels: Tensor, labels: Tensor) -> None:
        """Counts images.

        Args:
            pixels: Grey levels from 0 to 255, ``(images, height, width)``.
            labels: ``(images,)`` int64, each a class.
        """
        self.counts.zero_()
        self.items.copy_(torch.bincount(labels, minlength=len(self.items)))
        for some, of in zip(pixels.split(TOGETHER), labels.split(TOGETHER), strict=True):
            classes = nn.functional.one_hot(of, len(self.items)).T.float()
            levels = self._levels(some)
            for level in range(self.options.levels):
                self.counts[level] += classes @ (levels == level).float()

    def _levels(self, pixels: Tensor) -> Tensor:
        """The level of each pixel ``(images, pixels)`` int64."""
        return pixels.flatten(1).long() * self.options.levels // (BRIGHTEST + 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of grey levels ``(batch, height, width)``."""
        smoothed = self.counts + self.options.smoothing
        likely = (smoothed / smoothed.sum(0)).log()  # (levels, classes, pixels)
        levels = self._levels(pixels)
        logits = (self.items + self.options.smoothing).log().expand(len(pixels), -1)
        for level in range(self.options.levels):
            logits = logits + (levels == level).float() @ likely[level].T
        return logits + self.nothing.sum()
