"""Images -> classes from all pixels at once: softmax regression, and hidden layers."""

from dataclasses import dataclass

from torch import Tensor, nn

from seqlab.nn.hidden_layers import HiddenOptions, hidden_layers
from seqlab.nn.image_reader import ImageOptions, ImageReader, Seen
from seqlab.options import option


@dataclass(frozen=True)
class ImageLinearOptions(ImageOptions):
    """Options of ``ImageMLP`` without hidden layers."""

    def build(self, seen: Seen, classes: int) -> "ImageMLP":
        return ImageMLP(ImageReader(seen, self.views), None, classes)


@dataclass(frozen=True)
class ImageMLPOptions(HiddenOptions, ImageOptions):
    """Options of ``ImageMLP``."""

    hidden_size: int | list[int] = option(
        256, "Units of each hidden layer; a list has one number for each layer.", least=1, most=2**20
    )
    dropout: float = option(0.2, "Dropout of the hidden units.", least=0, below=1)

    def build(self, seen: Seen, classes: int) -> "ImageMLP":
        return ImageMLP(ImageReader(seen, self.views), self, classes)


class ImageMLP(nn.Module):
    """Layers h = f(W x + b) over the pixels, then softmax regression (multinomial logistic regression).

    Without hidden layers the loss is convex, and the weights, zero at first, are a picture of each class.

    Args:
        reader: Reader of the images.
        options: Options of the hidden layers; none without them.
        classes: Number of classes, one logit each.
    """

    def __init__(self, reader: ImageReader, options: HiddenOptions | None, classes: int) -> None:
        super().__init__()
        self.reader, size = reader, reader.seen.height * reader.seen.width
        self.hidden = nn.Sequential()
        if options is not None:
            self.hidden, size = hidden_layers(size, options)
        self.output = nn.Linear(size, classes)
        if options is None:
            nn.init.zeros_(self.output.weight)
            nn.init.zeros_(self.output.bias)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of grey levels ``(batch, height, width)``."""
        logits: Tensor = self.output(self.hidden(self.reader(pixels).flatten(1)))
        return logits
