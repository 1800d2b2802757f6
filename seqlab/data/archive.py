"""Archives -> folders, with checks of their contents."""

import shutil
import stat
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from gzip import BadGzipFile, GzipFile
from pathlib import Path, PureWindowsPath
from tarfile import TarError
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple
from uuid import uuid4
from zipfile import BadZipFile, ZipFile

from seqlab.errors import UserError, reason_of
from seqlab.files import open_regular

CHUNK = 2**16  # bytes read at a time
MAX_MEMBERS = 10_000  # files and folders in one archive
CORRUPT = (BadZipFile, TarError, BadGzipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
"""Exceptions of the standard library's archive readers for damaged archives."""


class _Refused(Exception):
    """Why an archive is not unpacked."""


class _Member(NamedTuple):
    name: str
    is_folder: bool
    is_file: bool
    open: Callable[[], Any]


def unpack(archive: Path, folder: Path, max_bytes: int = 2**30) -> Path:
    """Unpacks a zip, tar or tar.gz file; a folder that is not empty counts as unpacked already.

    Args:
        archive: The file.
        folder: Folder to create, complete or not at all; it is returned.
        max_bytes: Largest total size of the unpacked files, in bytes.

    Raises:
        UserError: The archive is corrupt, too large, or holds anything but files and folders below ``folder``;
            or it cannot be read, or ``folder`` cannot be written.
    """
    if _is_unpacked(folder):
        return folder
    fresh = folder.with_name(f".{folder.name}.{uuid4().hex}")
    try:
        with open_regular(archive) as file, TemporaryFile() as spare:
            fresh.mkdir(parents=True)
            _extract(_members(file, spare, max_bytes), fresh, max_bytes)
        fresh.rename(folder)
    except _Refused as refusal:
        raise UserError(f"{archive} {refusal}; get it again from a source that you trust") from None
    except CORRUPT as error:
        raise UserError(
            f"{archive} is not a sound zip, tar or tar.gz file ({reason_of(error)}); get it again"
        ) from None
    except OSError as error:
        if not _is_unpacked(folder):
            reason = reason_of(error)
            raise UserError(f"cannot unpack {archive} into {folder}: {reason}; make both accessible") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _is_unpacked(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False


def _members(file: IO[bytes], spare: IO[bytes], max_bytes: int) -> Iterator[_Member]:
    """The members of an archive; ``spare`` holds the content of a gzip file."""
    magic = file.read(2)
    file.seek(0)
    if magic == b"PK":
        return _zip_members(file)
    if magic != b"\x1f\x8b":
        return _tar_members(file)
    _copy(GzipFile(fileobj=file), spare, max_bytes + MAX_MEMBERS * 4096)
    spare.seek(0)
    return _tar_members(spare)


def _zip_members(file: IO[bytes]) -> Iterator[_Member]:
    with ZipFile(file) as archive:
        for info in archive.infolist():
            is_file = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)
            yield _Member(info.filename, info.is_dir(), is_file, partial(archive.open, info))


def _tar_members(file: IO[bytes]) -> Iterator[_Member]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for info in archive:
            yield _Member(info.name, info.isdir(), info.isreg(), partial(archive.extractfile, info))


def _extract(members: Iterator[_Member], folder: Path, max_bytes: int) -> None:
    left = max_bytes
    for count, member in enumerate(members, start=1):
        path = PureWindowsPath(member.name)  # knows the path syntax of all systems
        if path.anchor or ".." in path.parts:
            raise _Refused(f"holds {member.name!r}, which leads out of the folder")
        if not (member.is_folder or member.is_file):
            raise _Refused(f"holds {member.name!r}, which is a link or a device, not a file or a folder")
        if count > MAX_MEMBERS:
            raise _Refused(f"holds more than {MAX_MEMBERS:,} files")
        target = folder / member.name
        (target if member.is_folder else target.parent).mkdir(parents=True, exist_ok=True)
        if member.is_folder:
            continue
        with member.open() as content, target.open("wb") as out:
            left -= _copy(content, out, left)
    if not any(folder.iterdir()):
        raise _Refused("holds no files")


def _copy(content: IO[bytes] | GzipFile, out: IO[bytes], limit: int) -> int:
    """Copies until the end and returns the number of bytes; the sizes in the headers are not trusted."""
    count = 0
    while chunk := content.read(min(CHUNK, limit + 1 - count)):
        count += len(chunk)
        if count > limit:
            raise _Refused("unpacks to more bytes than are allowed")
        out.write(chunk)
    return count
