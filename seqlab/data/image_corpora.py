"""Named corpora of images of single digits."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from seqlab.data.data_module import warn_of_sample
from seqlab.data.drawn_digits import drawn_digit, drawn_digits
from seqlab.data.image_files import Grey, Pictures, read_idx, read_picture
from seqlab.data.images import ImageData
from seqlab.data.named import verified
from seqlab.data.parts import Split
from seqlab.errors import UserError

DIGITS_SIZE, MNIST_SIZE = 8, 28
SAMPLE_IMAGES = 2000
BRIGHTEST = 16
"""Grey level of a pixel full of ink in ``digits``."""


def read_digits() -> tuple[dict[Split, Pictures], str]:
    """scikit-learn's 1,797 digits of 8 x 8 pixels by 43 writers (Alpaydin and Kaynak, 1998).

    Without scikit-learn, digits drawn by code replace them, with a warning.

    Returns:
        One part, ``train``, and the name of the corpus.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        warn_of_sample("The corpus of digits", "scikit-learn is not installed; pip install 'seqlab[digits]'")
        return {"train": drawn_digits(SAMPLE_IMAGES, DIGITS_SIZE)}, "sample"
    found = load_digits()
    pixels = np.round(found.images * (255 / BRIGHTEST)).astype(np.uint8)
    labels = [str(label) for label in found.target.tolist()]
    return {"train": Pictures(pixels, labels, [f"digits:{row}" for row in range(len(labels))])}, "digits"


def read_mnist(root: Path | None = None) -> tuple[dict[Split, Pictures], str]:
    """MNIST's 60,000 digits of 28 x 28 pixels to train on and 10,000 to test on (LeCun et al. 1998).

    If the files are not available and the user named no folder, digits drawn by code replace them, with a warning.

    Args:
        root: Folder of the corpora that the user named; None for none.

    Returns:
        The parts ``train`` and ``test``, or ``train`` alone, and the name of the corpus.

    Raises:
        Unavailable: The files are not available, and the user named a folder.
    """
    names = [f"mnist_{split}_{what}" for split in ("train", "test") for what in ("images", "labels")]
    files = verified(names, root, "MNIST")
    if files is None:
        return {"train": drawn_digits(SAMPLE_IMAGES, MNIST_SIZE)}, "sample"
    return {"train": read_idx(files[0], files[1]), "test": read_idx(files[2], files[3])}, "mnist"


def named_picture(name: str, size: tuple[int, int]) -> Grey:
    """The grey levels of one picture ``(height, width)``.

    Args:
        name: See ``read_picture``; or ``digits:PLACE`` for one of ``digits``, ``drawn:SIZE:PLACE`` for a drawn one.
        size: Height and width to scale a file to.

    Raises:
        UserError: There is no such picture.
    """
    corpus, *places = name.split(":")
    if places and all(place.isdecimal() and len(place) < 10 for place in places):
        if corpus == "drawn" and len(places) == 2 and 1 <= int(places[0]) <= 1000:
            return drawn_digit(int(places[1]), int(places[0]))
        if corpus == "digits" and len(places) == 1:
            pixels, place = read_digits()[0]["train"].pixels, int(places[0])
            if place >= len(pixels):
                raise UserError(f"{name}: there are digits 0 to {len(pixels) - 1:,}; choose one of them")
            return pixels[place]
    return read_picture(name, size)


FOLDERS = ("path", "val_path", "test_path", "image_size", "name_shown")
"""Options that a named corpus of images fixes."""


class NamedImages(ImageData):
    """Images of a named corpus, without a folder to name."""

    answered: ClassVar[tuple[str, ...]] = FOLDERS

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(path=None, val_path=None, test_path=None, image_size=None, name_shown=None, **kwargs)


class Digits(NamedImages):
    """scikit-learn's 1,797 handwritten digits of 8 x 8 pixels: a tenth for validation, a fifth for testing.

    Args:
        batch_size: Images in a batch, over all processes.
        test_fraction: Share of the images for testing; not with folds.
    """

    data_name = "digits"
    answered = (*FOLDERS, "root")

    def __init__(self, batch_size: int = 32, test_fraction: float = 0.2, **kwargs: Any) -> None:
        super().__init__(root=None, batch_size=batch_size, test_fraction=test_fraction, **kwargs)

    def find(self, folders: dict[Split, Path], size: tuple[int, int] | None) -> tuple[dict[Split, Pictures], str]:
        """The images of scikit-learn, or digits drawn by code."""
        return read_digits()


class Mnist(NamedImages):
    """MNIST's 70,000 handwritten digits of 28 x 28 pixels, the last 10,000 to test on; LeCun et al. 1998.

    Args:
        batch_size: Images in a batch, over all processes.
        val_fraction: Share of the other 60,000 images for validation.
    """

    data_name = "mnist"
    answered = (*FOLDERS, "test_fraction", "folds", "fold")

    def __init__(self, batch_size: int = 128, val_fraction: float = 0.1, **kwargs: Any) -> None:
        super().__init__(
            test_fraction=0.1, folds=None, fold=0, batch_size=batch_size, val_fraction=val_fraction, **kwargs
        )

    def find(self, folders: dict[Split, Path], size: tuple[int, int] | None) -> tuple[dict[Split, Pictures], str]:
        """The verified files, or drawn digits if they are not available and the user named no folder."""
        return read_mnist(self.root)
