"""Images -> classes by convolutions: plain ones, and residual blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.nn.image_reader import DroppingOptions, ImageReader, Seen
from seqlab.options import option


@dataclass(frozen=True)
class ImageCNNOptions(DroppingOptions):
    """Options of ``ImageCNN``."""

    views: ClassVar[tuple[str, ...]] = ("image",)

    channels: list[int] = option([16, 32], "Filters of each convolution, a list.", least=1, most=4096)
    kernel_size: int = option(5, "Height and width of a filter in pixels.", least=1, most=99)
    hidden_size: int = option(128, "Units of the hidden layer after the convolutions.", least=1, most=2**20)

    def build(self, seen: Seen, classes: int) -> "ImageCNN":
        return ImageCNN(ImageReader(seen, self.views), self, classes)


class ImageCNN(nn.Module):
    """Convolutions with batch normalization, ReLU and 2 x 2 max pooling, then a hidden layer (LeCun et al. 1998; batch
    normalization of Ioffe and Szegedy 2015).

    An image that is one pixel high or wide is not pooled further.

    Args:
        reader: Reader of the images.
        options: Options of the network.
        classes: Number of classes, one logit each.
    """

    def __init__(self, reader: ImageReader, options: ImageCNNOptions, classes: int) -> None:
        super().__init__()
        self.reader, height, width = reader, reader.seen.height, reader.seen.width
        layers: list[nn.Module] = []
        for into, filters in pairwise([1, *options.channels]):
            layers += [nn.Conv2d(into, filters, options.kernel_size, padding="same", bias=False)]
            layers += [nn.BatchNorm2d(filters), nn.ReLU()]
            if min(height, width) > 1:
                layers.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
        self.convolutions = nn.Sequential(*layers)
        self.hidden = nn.Linear(options.channels[-1] * height * width, options.hidden_size)
        self.dropout = nn.Dropout(options.dropout)
        self.output = nn.Linear(options.hidden_size, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of grey levels ``(batch, height, width)``."""
        hidden = F.relu(self.hidden(self.convolutions(self.reader(pixels)).flatten(1)))
        logits: Tensor = self.output(self.dropout(hidden))
        return logits


@dataclass(frozen=True)
class ResNetOptions(DroppingOptions):
    """Options of ``ResNet``."""

    views: ClassVar[tuple[str, ...]] = ("image",)

    channels: list[int] = option([16, 32, 64], "Filters of the blocks of each size, a list.", least=1, most=4096)
    blocks: int = option(1, "Residual blocks of each size.", least=1, most=1000)

    def build(self, seen: Seen, classes: int) -> "ResNet":
        return ResNet(ImageReader(seen, self.views), self.channels, self.blocks, self.dropout, classes)


class ResidualBlock(nn.Module):
    """y = relu(x' + f(x)), f two convolutions of 3 x 3 with batch normalization (He et al. 2016, arXiv 1512.03385).

    x' is x, or a convolution of 1 x 1 where the size changes.

    Args:
        into: Input channels.
        channels: Output channels.
        stride: 2 halves height and width.
    """

    def __init__(self, into: int, channels: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(into, channels, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or into != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(into, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(batch, channels, height, width)``."""
        added = self.second_norm(self.second(F.relu(self.first_norm(self.first(images)))))
        return F.relu(self.shortcut(images) + added)


class ResNet(nn.Module):
    """A convolution, residual blocks that halve the image at each new size, global mean pooling, a linear layer.

    Args:
        reader: Reader of the images.
        channels: Channels of the blocks of each size.
        blocks: Number of blocks of each size.
        dropout: Dropout of the means.
        classes: Number of classes, one logit each.
    """

    def __init__(self, reader: ImageReader, channels: Sequence[int], blocks: int, dropout: float, classes: int) -> None:
        super().__init__()
        self.reader = reader
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels[0], 3, padding=1, bias=False), nn.BatchNorm2d(channels[0]), nn.ReLU()
        )
        rows, into = [], channels[0]
        for size, width in enumerate(channels):
            for block in range(blocks):
                rows.append(ResidualBlock(into, width, 2 if size and not block else 1))
                into = width
        self.blocks = nn.Sequential(*rows)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(into, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of grey levels ``(batch, height, width)``."""
        means = self.blocks(self.stem(self.reader(pixels))).mean((2, 3))
        logits: Tensor = self.output(self.dropout(means))
        return logits
