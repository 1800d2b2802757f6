"""A cache of encoded texts in the user's cache folder."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout
from platformdirs import user_cache_dir

from seqlab.errors import UserError, reason_of

KEPT_BYTES = 8 * 2**30
"""Largest size of the cache in bytes; the least recently read texts are removed first."""
ABANDONED_SECONDS = 24 * 3600
"""Age after which an unfinished file counts as abandoned."""

ReadT = TypeVar("ReadT")


def cache_folder() -> Path:
    """Folder of the cache; it is never next to the data, which may be shared or read-only."""
    return Path(user_cache_dir("seqlab")) / "encoded"


def kept(cache: Path, name: str, write: Callable[[Path], None], read: Callable[[Path], ReadT]) -> ReadT:
    """An entry of the cache; the first process that needs it writes it.

    Args:
        cache: Folder of the cache.
        name: Key of the content.
        write: Creates the entry's folder, complete or not at all.
        read: Reads the entry from its folder.

    Raises:
        UserError: The cache cannot be written.
    """
    folder = cache / name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                write(folder)
                _sweep(cache, folder)
            os.utime(folder)
            return read(folder)
    except OSError as error:
        raise UserError(
            f"cannot keep the encoded text in {cache}: {reason_of(error)}; "
            "name a folder with space to write in, in the environment as XDG_CACHE_HOME"
        ) from None


def _sweep(cache: Path, own: Path) -> None:
    """Removes entries beyond the size limit, and abandoned files."""
    total = _size(own)
    for used, folder in sorted(
        ((path.stat().st_mtime, path) for path in cache.iterdir() if path.is_dir()), reverse=True
    ):
        if folder == own:
            continue
        finished = not folder.suffix
        total += _size(folder) if finished else 0
        if total > KEPT_BYTES if finished else time.time() - used > ABANDONED_SECONDS:
            _remove(folder)


def _remove(folder: Path) -> None:
    try:
        with FileLock(folder.with_suffix(".lock"), timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
    except Timeout:
        return


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
