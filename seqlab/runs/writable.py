"""Places that will be written to, tried before the work whose outcome they are for."""

import errno
import os
import tempfile
from pathlib import Path

from seqlab.errors import UserError, reason_of

PROBE = b"\0" * 4096


def check_folder(folder: Path) -> None:
    """Tries to write in a folder, or where it will be made.

    Raises:
        UserError: It cannot be written to.
    """
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        _try(place)
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {_said(place, folder)}{reason_of(error)}; name a folder that can be written to"
        ) from None


def check_file(path: str | Path | None) -> None:
    """Tries to write beside a file that will be written; nothing where there is none, or what is no regular file.

    Raises:
        UserError: It cannot be written.
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
