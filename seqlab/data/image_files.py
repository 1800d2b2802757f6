"""Files of images -> grey levels and labels: IDX files, and a folder of pictures for each class."""

import math
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seqlab.errors import UserError, reason_of
from seqlab.files import open_regular, read_plain

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
FORMATS = ("PNG", "JPEG", "BMP", "GIF")
LARGEST_PICTURE = 2**24
"""Most pixels in a file, checked before resizing."""
IMAGES, LABELS = 0x803, 0x801
"""First bytes of an IDX file of images, and of labels: unsigned bytes in three dimensions, and in one."""

Grey = NDArray[np.uint8]


class Pictures(NamedTuple):
    """Images of one size with their labels.

    Args:
        pixels: Grey levels from 0 to 255: ``(images, height, width)``.
        labels: A label for each image.
        names: Names for reading each image again, see ``read_picture``.
    """

    pixels: Grey
    labels: list[str]
    names: list[str]

    def at(self, rows: Sequence[int]) -> "Pictures":
        """The images at ``rows``."""
        chosen = [*rows]
        return Pictures(self.pixels[chosen], [self.labels[r] for r in chosen], [self.names[r] for r in chosen])


def read_idx(images: Path, labels: Path) -> Pictures:
    """The images of two IDX files, plain or compressed; an image's name is its file and its position, ``FILE:PLACE``.

    Raises:
        UserError: A file cannot be read, is not the right kind of IDX file, or their numbers of items differ.
    """
    pixels, classes = _idx(images, IMAGES), _idx(labels, LABELS)
    if len(pixels) != len(classes):
        raise UserError(f"{images} has {len(pixels):,} images and {labels} {len(classes):,} labels; give files of one")
    return Pictures(pixels, [str(one) for one in classes.tolist()], [f"{images}:{row}" for row in range(len(pixels))])


def _idx(path: Path, kind: int) -> Grey:
    """The content of an IDX file; a cache avoids reading a file again for each image."""
    try:
        return _held(path, kind, path.stat().st_mtime_ns)
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason_of(error)}") from None


@lru_cache(maxsize=1)
def _held(path: Path, kind: int, changed: int) -> Grey:
    content = read_plain(path)
    dimensions = kind & 0xFF
    head = 4 * (1 + dimensions)
    magic, *shape = struct.unpack(f">{1 + dimensions}I", content[:head].ljust(head, b"\0"))
    if magic != kind or 0 in shape or len(content) != head + math.prod(shape):
        said = "images" if kind == IMAGES else "labels"
        raise UserError(f"{path} is no IDX file of {said}, or not a whole one; get it again")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def read_folder(folder: Path, size: tuple[int, int] | None = None) -> Pictures:
    """The pictures of a folder with one subfolder per class, by name.

    Args:
        folder: Folder whose subfolders have the labels as names.
        size: Height and width to scale every picture to; no scaling if not given.

    Raises:
        UserError: A class has no picture, a file is no picture, or two are of different sizes.
    """
    files = [*_files(folder)]
    if not files:
        raise UserError(f"{folder} has no folders with pictures ({', '.join(ENDINGS)}); give a folder a class")
    pixels = []
    for _, path in files:
        pixels.append(read_picture(str(path), size))
        if pixels[-1].shape != pixels[0].shape:
            one, other = ("{1} x {0}".format(*each.shape) for each in (pixels[0], pixels[-1]))
            raise UserError(
                f"{files[0][1]} is of {one} pixels and {path} of {other}; "
                "give --data.image_size N to scale all of them to N x N"
            )
    return Pictures(np.stack(pixels), [label for label, _ in files], [str(path) for _, path in files])


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    try:
        for each in sorted(folder.iterdir()):
            if each.is_dir() and not each.name.startswith("."):
                yield from ((each.name, file) for file in sorted(each.iterdir()) if file.suffix.lower() in ENDINGS)
    except OSError as error:
        raise UserError(f"cannot read {folder}: {reason_of(error)}; name a folder with --data.path") from None


def read_picture(name: str, size: tuple[int, int] | None = None) -> Grey:
    """The grey levels of one picture ``(height, width)``.

    Args:
        name: Path of a PNG, JPEG, BMP or GIF file, or ``FILE:PLACE`` for one of the images of an IDX file.
        size: Height and width to scale it to; no scaling if not given.

    Raises:
        UserError: There is no such picture.
    """
    file, colon, place = name.rpartition(":")
    if colon and place.isdecimal() and "idx" in Path(file).name:
        images = _idx(Path(file), IMAGES)
        if int(place) >= len(images):
            raise UserError(f"{name}: there are images 0 to {len(images) - 1:,} in that file; choose one of them")
        return images[int(place)]
    try:
        with open_regular(name) as stream, Image.open(stream, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > LARGEST_PICTURE:
                raise UserError(f"{name} has {width:,} x {height:,} pixels, more than {LARGEST_PICTURE:,}; scale it")
            grey = picture.convert("L")
            return np.array(grey if size is None else grey.resize(size[::-1], Image.Resampling.BILINEAR), np.uint8)
    except UserError:
        raise
    except Exception as error:  # image readers raise many kinds of exceptions for damaged files
        raise UserError(f"cannot read the picture {name}: {reason_of(error)}; give PNG, JPEG, BMP or GIF") from None
