"""Image classification: a picture in, a label and its probability out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn

from seqlab.analysis.image_inspection import ImageInspection, inspect_images
from seqlab.data.data_module import DataModule
from seqlab.data.image_batches import ImageBatch
from seqlab.data.image_corpora import named_picture
from seqlab.data.image_files import Grey
from seqlab.data.images import ImageData
from seqlab.data.loader import in_batches
from seqlab.errors import UserError
from seqlab.models.classes import Classifier
from seqlab.models.model import Codecs
from seqlab.nn.evaluating import evaluating
from seqlab.nn.grey_bayes import GreyBayes
from seqlab.nn.image_reader import Seen
from seqlab.text.image_codec import ImageCodec
from seqlab.views.wrong_images import PictureView

TOGETHER = 64
"""Pictures in a batch of ``predict``."""
SHOWN = 8
"""Images to show with their labels at the end of training."""


class LabelledImage(NamedTuple):
    """A picture's name, its predicted label, the label's probability, and the probability of each class."""

    image: str
    label: str
    probability: float
    probabilities: dict[str, float]

    def __str__(self) -> str:
        return f"{self.label}\t{self.probability:.4f}"


class ImageClassifier(Classifier):
    """A model that gives each image a label. Its codecs are ``image`` and ``label``."""

    task: ClassVar[str] = "images"
    says: ClassVar[str] = "classifier of images"
    unit: ClassVar[str] = "images"
    loss_unit: ClassVar[str] = "nats per image"

    @classmethod
    def network_of(cls, options: Any, codecs: Codecs) -> nn.Module:
        image = codecs["image"]
        assert isinstance(image, ImageCodec)
        seen = Seen(image.height, image.width, image.view, image.order, image.mean, image.deviation)
        made: nn.Module = options.build(seen, codecs["label"].vocab_size)
        return made

    @property
    def image(self) -> ImageCodec:
        """The codec of the images."""
        return self.codec_named("image", ImageCodec)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits ``(batch, classes)`` of grey levels from 0 to 255, ``(batch, height, width)``."""
        logits: Tensor = self.network(pixels)
        return logits

    def logits(self, batch: ImageBatch) -> Tensor:
        logits: Tensor = self.network(batch.pixels)
        return logits

    def count(self, data: DataModule) -> None:
        assert isinstance(data, ImageData)
        part = data.part("train")
        if isinstance(self.network, GreyBayes):
            self.network.count(
                torch.from_numpy(part.pixels).to(self.device), torch.from_numpy(part.labels).to(self.device)
            )

    def predict(self, inputs: Iterable[str]) -> Iterator[LabelledImage]:
        """The label of each of several pictures, with probabilities.

        Args:
            inputs: Paths of PNG, JPEG, BMP or GIF files, scaled to the size of the training images and converted to
                grey levels; ``FILE:PLACE`` for an image of an IDX file, ``digits:PLACE`` for one of the digits.
        """
        self.check_finite()
        size = self.image.height, self.image.width
        for together in in_batches(inputs, TOGETHER):
            yield from self._labelled(together, np.stack([named_picture(name, size) for name in together]))

    def _labelled(self, inputs: Sequence[str], pixels: Grey) -> Iterator[LabelledImage]:
        """The labels of images with these names."""
        with torch.inference_mode(), evaluating(self):
            probabilities = self.probabilities(self.network(torch.from_numpy(pixels).to(self.device)))
            said = self.said(probabilities)
        names = self.labels.names
        for one, row, chosen in zip(inputs, probabilities.tolist(), said.tolist(), strict=True):
            yield LabelledImage(one, names[chosen], row[chosen], dict(zip(names, row, strict=True)))

    def inspect(self, data: Callable[[], DataModule], *, images: int = 100) -> ImageInspection:
        """Shows which pixels support which class, and for a recurrence how far back its gradients reach.

        Args:
            data: The corpus that the model was trained on.
            images: Number of held-out images for the mean gradients of a recurrence.

        Raises:
            UserError: The model was not trained by gradients, or images is below 1.
        """
        if not self.options.by_gradients:
            raise UserError(f"{self.run} holds counts, with no gradients to look at; give a network that was trained")
        if images < 1:
            raise UserError(f"images {images} must be a whole number of at least 1")
        self.check_finite()
        corpus = data()
        assert isinstance(corpus, ImageData)
        split = corpus.last_part
        part = corpus.part(split)
        known = [*np.flatnonzero(part.labels >= 0)]
        first = {int(part.labels[row]): row for row in reversed(known)}
        if missing := next((name for label, name in enumerate(self.labels.names) if label not in first), None):
            raise UserError(f"the {split} part has no image of the class '{missing}'; look at a model of other images")
        rows = [*dict.fromkeys([*first.values(), *known[:images]])]
        pixels, labels = (torch.from_numpy(array[rows]).to(self.device) for array in (part.pixels, part.labels))
        size = sum(weights.numel() for weights in self.network.parameters())
        told = f"{self.name}, {size:,} parameters; {len(rows):,} images of {corpus.corpus_name}, {split} part"
        return inspect_images(self.network, pixels, labels, self.labels.names, self.run, told)

    def sample(self, data: DataModule) -> str:
        assert isinstance(data, ImageData)
        split = data.watched_part
        said = self._labelled(data.inputs(split)[:SHOWN], data.part(split).pixels[:SHOWN])
        shown = zip(data.labels(split), said, strict=False)
        return "\n".join(f"{one.label} ({one.probability:.2f})  for {right}  {one.image}" for right, one in shown)

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        return [PictureView(pictures)]

    def command(self, data: DataModule, checkpoint: str) -> str:
        name = data.inputs(data.watched_part)[0]
        return f"python -m seqlab.predict {checkpoint} {name}"
