"""Twelve drawn digits of four classes as folders of pictures, and what is trained on them."""

from pathlib import Path
from typing import Any

from PIL import Image

from seqlab.data.drawn_digits import drawn_digit
from seqlab.data.images import ImageData

SIZE, CLASSES, EACH = 10, 4, 5


def written(folder: Path, each: int = EACH, begin: int = 0) -> Path:
    """A folder of so many pictures of each of four digits."""
    for label in range(CLASSES):
        (folder / str(label)).mkdir(parents=True)
        for row in range(begin, begin + each):
            picture = drawn_digit(10 * row + label, SIZE)
            Image.fromarray(picture).save(folder / str(label) / f"{row}.png")
    return folder


def data(folder: Path, **options: Any) -> ImageData:
    """All of a folder to train on, unless options say otherwise."""
    return ImageData(str(folder), **{"val_fraction": 0.0, "test_fraction": 0.0, "batch_size": 8, **options})
