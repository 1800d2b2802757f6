"""Checks before the work that output paths can be written."""

import errno
import os
import tempfile
from pathlib import Path

from seqlab.errors import UserError, reason_of

PROBE = b"\0" * 4096


def check_folder(folder: Path) -> None:
    """Tests writing in a folder, or in its nearest existing parent.

    Raises:
        UserError: The folder cannot be written.
    """
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        _try(place)
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {_said(place, folder)}{reason_of(error)}; name a folder that can be written to"
        ) from None


def check_file(path: str | Path | None) -> None:
    """Tests writing next to an output file; does nothing for None, or for a path that is no regular file.

    Raises:
        UserError: The file cannot be written.
    """
    if path is None:
        return
    file = Path(path)
    try:
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not file.exists() or file.is_file():
            _try(file.parent)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {reason_of(error)}; name a file in a folder that can be written"
        ) from None


def _try(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(PROBE)


def _said(place: Path, folder: Path) -> str:
    return "" if place == folder.absolute() else f"{place}: "
