"""Images -> classes by all pixels at once: softmax regression, and hidden layers."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from seqlab.nn.image_reader import DroppingOptions, ImageOptions, ImageReader, Seen
from seqlab.options import option


@dataclass(frozen=True)
class ImageLinearOptions(ImageOptions):
    """Options of ``ImageMLP`` without hidden layers."""

    def build(self, seen: Seen, classes: int) -> "ImageMLP":
        return ImageMLP(ImageReader(seen, self.views), [], 0.0, classes)


@dataclass(frozen=True)
class ImageMLPOptions(DroppingOptions):
    """Options of ``ImageMLP``."""

    hidden_size: int | list[int] = option(
        256, "Units of each hidden layer; a list has one number for each layer.", least=1, most=2**20
    )
    num_layers: int = option(1, "Hidden layers, where hidden_size is one number.", least=1, most=1000)

    def build(self, seen: Seen, classes: int) -> "ImageMLP":
        given = self.hidden_size
        sizes = [given] * self.num_layers if isinstance(given, int) else given
        return ImageMLP(ImageReader(seen, self.views), sizes, self.dropout, classes)


class ImageMLP(nn.Module):
    """Layers h = relu(W x + b) over the pixels, and softmax regression (multinomial logistic) over the last of them.

    Without hidden layers the loss is convex, and its weights are a picture of each class.

    Args:
        reader: Of the images.
        sizes: Units of each hidden layer.
        dropout: Share of them zeroed while training.
        classes: Logits that come out.
    """

    def __init__(self, reader: ImageReader, sizes: Sequence[int], dropout: float, classes: int) -> None:
        super().__init__()
        self.reader, into = reader, reader.seen.height * reader.seen.width
        layers: list[nn.Module] = []
        for size in sizes:
            layers += [nn.Linear(into, size), nn.ReLU(), nn.Dropout(dropout)]
            into = size
        self.hidden = nn.Sequential(*layers)
        self.output = nn.Linear(into, classes)
        if not sizes:
            nn.init.zeros_(self.output.weight)
            nn.init.zeros_(self.output.bias)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of grey levels ``(batch, height, width)``."""
        logits: Tensor = self.output(self.hidden(self.reader(pixels).flatten(1)))
        return logits
