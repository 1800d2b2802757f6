"""Files that appear whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".unfinished"
"""How the name of a file that is being written ends."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write beside its place, moved there once all of it is on the disk.

    Raises:
        OSError: The disk is full or the folder cannot be written; what stood at the path stands there still.
    """
    unfinished = path.parent / f".{path.name}.{secrets.token_hex(4)}{UNFINISHED}"
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def remove_unfinished(folder: Path) -> None:
    """Removes what processes that were killed while they wrote left in a folder."""
    for file in folder.glob(f".*{UNFINISHED}"):
        file.unlink(missing_ok=True)
