"""Encoded texts that are kept in the user's cache folder from one run to the next."""

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
"""Most bytes of encoded texts that are kept; those that nobody has read for the longest time go first."""
ABANDONED_SECONDS = 24 * 3600
"""After so long what a process has begun to write is not going to be finished."""

ReadT = TypeVar("ReadT")


def cache_folder() -> Path:
    """Where encoded texts are kept: never beside the data, which may be shared or read-only."""
    return Path(user_cache_dir("seqlab")) / "encoded"


def kept(cache: Path, name: str, write: Callable[[Path], None], read: Callable[[Path], ReadT]) -> ReadT:
    """What is read from a folder of the cache, which the first process that asks writes.

    Args:
        cache: Folder of all that is kept.
        name: Stands for the content.
        write: Makes the folder, whole or not at all.
        read: From the folder.

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
    """Removes what is more than may be kept, and what was left unfinished."""
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
