"""Images in batches, for training and for evaluation."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from seqlab.data.buckets import Order, taken
from seqlab.data.image_files import Grey


class ImageBatch(NamedTuple):
    """Images with their labels.

    Args:
        pixels: Grey levels from 0 to 255, ``(batch, height, width)`` uint8.
        labels: ``(batch,)`` int64, -1 where training did not have the label.
        valid: ``(batch,)`` bool, False at an image that only fills the batch and is ignored.
        items: Row of each image within its part, from 0: ``(batch,)`` int64.
    """

    pixels: Tensor
    labels: Tensor
    valid: Tensor
    items: Tensor


class ImagePart(NamedTuple):
    """One part of a corpus: its images ``(images, height, width)`` and their labels ``(images,)``."""

    pixels: Grey
    labels: npt.NDArray[Any]

    def batch(self, rows: Order, real: npt.NDArray[np.bool_] | None = None) -> ImageBatch:
        """The images at ``rows``; rows that are not ``real`` are padding."""
        return ImageBatch(*taken(rows, real, self.pixels, self.labels))
