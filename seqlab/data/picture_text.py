"""Pictures as lines of text, where a command takes text: the name of a file, or ``data:image/png;base64,...``."""

import base64
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seqlab.data.image_files import read_picture
from seqlab.errors import UserError, reason_of
from seqlab.files import whole_file

URI = "data:image/png;base64,"
SHOWN = 24
"""Characters to show of a picture that is given as text."""


def as_png(picture: NDArray[np.uint8]) -> bytes:
    """The content of a PNG file of grey levels ``(rows, columns)``."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="png")
    return file.getvalue()


def write_picture(picture: NDArray[np.uint8], path: Path) -> None:
    """Writes grey levels ``(rows, columns)`` as a PNG file, and creates its folder if needed.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(as_png(picture))
    except OSError as error:
        reason = f"cannot write {path}: {reason_of(error)}; name a folder that can be written"
        raise UserError(reason) from None


def as_uri(picture: NDArray[np.uint8]) -> str:
    """A picture ``(rows, columns)`` as one line of text, which browsers show too."""
    return URI + base64.b64encode(as_png(picture)).decode()


def picture_of(text: str) -> NDArray[np.uint8]:
    """The grey levels ``(rows, columns)`` of a picture, given by name or in the form of ``as_uri``.

    Raises:
        UserError: There is no such picture.
    """
    if not text.startswith(URI):
        return read_picture(text)
    try:
        content = base64.b64decode(text.removeprefix(URI), validate=True)
        with Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            return np.array(picture.convert("L"), np.uint8)
    except Exception as error:  # image readers raise many kinds of exceptions for damaged files
        raise UserError(f"cannot read the picture {shown(text)}: {reason_of(error)}; give it whole") from None


def shown(text: str) -> str:
    """A name, or the beginning of a picture that is given as text."""
    return text if not text.startswith(URI) else f"{text[: len(URI) + SHOWN]}..."
