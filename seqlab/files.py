"""Files that appear whole or not at all, and files that end."""

import bz2
import errno
import gzip
import lzma
import os
import secrets
import select
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Any, BinaryIO

UNFINISHED = ".unfinished"
"""How the name of a file that is being written ends."""

LARGEST_STREAM = 2**28
"""Bytes that are taken from a stream, which may have no end."""

OPENERS: dict[str, Callable[[IO[bytes]], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
"""How a compressed file is read, by the ending of its name."""

DAMAGED = (EOFError, zlib.error, lzma.LZMAError)
"""What reading a compressed file raises beside OSError."""

LARGEST_ZIPPED = 2**25
"""Bytes that any compressed file may hold."""

MOST_ZIPPED = 100
"""Bytes that one of a compressed file may stand for, beyond that; text has some 3 to 30."""

PATIENCE = 30.0
"""Seconds until a stream must have given its first byte."""

STREAMS = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
"""Names of the standard input."""

KINDS = {
    stat.S_ISFIFO: "a pipe",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISSOCK: "a socket",
}


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write beside its place, moved there once all of it is on the disk.

    What is no regular file, such as ``/dev/stdout``, is written to as it stands.

    Raises:
        OSError: The disk is full or the folder cannot be written; what stood at the path stands there still.
    """
    if path.parts[:2] in (("/", "dev"), ("/", "proc")) or (path.exists() and not path.is_file()):
        with _straight(path) as file:
            yield file
        return
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


def write_whole(path: Path, text: str) -> None:
    """Writes a text as UTF-8, whole or not at all.

    Raises:
        OSError: As ``whole_file``.
    """
    with whole_file(path) as file:
        file.write(text.encode())


@contextmanager
def _straight(path: Path) -> Iterator[BinaryIO]:
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # waits for nobody to read a pipe
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "wb") as file:
        yield file


def remove_unfinished(folder: Path) -> None:
    """Removes what processes that were killed while they wrote left in a folder."""
    for file in folder.glob(f".*{UNFINISHED}"):
        file.unlink(missing_ok=True)


def user_path(path: str | Path) -> Path:
    """A path as a user writes it, ``~`` for the home folder; as it stands where it names an unknown user."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def real_path(path: str | Path) -> Path:
    """A path without links on its way; as far as it goes where they lead in a circle."""
    return Path(os.path.realpath(path))


def open_regular(path: str | Path) -> BufferedReader:
    """A file that has an end, to read; what may have none is refused, without waiting for it.

    Raises:
        OSError: There is none, it cannot be read, or it is a folder, a pipe, a device, a socket, or one of
            those of ``/proc``, some of which wait for more.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind) and not real_path(path).is_relative_to("/proc"):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    named = next((name for is_kind, name in KINDS.items() if is_kind(kind)), "what the system says of itself")
    raise OSError(errno.EINVAL, f"it is {named}, not a file that ends", str(path))


def read_regular(path: str | Path) -> bytes:
    """What a file that has an end holds.

    Raises:
        OSError: As ``open_regular``.
    """
    with open_regular(path) as file:
        return file.read()


def open_plain(path: str | Path) -> IO[bytes]:
    """A file that has an end, to read; decompressed as it is read if its name ends in .gz, .bz2 or .xz.

    Raises:
        OSError: As ``open_regular``. Reading raises that too, where it holds far more than text does, or one of
            ``DAMAGED``.
    """
    file: IO[bytes] = open_regular(path)
    opened = OPENERS.get(Path(path).suffix)
    if opened is None:
        return file
    return BufferedReader(_Bounded(opened(file), max(LARGEST_ZIPPED, MOST_ZIPPED * Path(path).stat().st_size), path))


class _Bounded(RawIOBase):
    """The bytes of a file, up to a number of them; more are an ``OSError``."""

    def __init__(self, file: IO[bytes], most: int, path: str | Path) -> None:
        super().__init__()
        self._file, self._most, self._path, self._read = file, most, path, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        self._read += len(content)
        if self._read > self._most:
            raise OSError(errno.EFBIG, f"it holds more than {self._most:,} bytes", str(self._path))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()


def read_plain(path: str | Path) -> bytes:
    """What a file that has an end holds, decompressed.

    Raises:
        OSError: As ``open_regular``; or it is not soundly compressed, or holds far more than text does.
    """
    return _decompressed(path, -1)


def _decompressed(path: str | Path, most: int) -> bytes:
    """So many bytes of a file, and one where there are more; all of them where it is -1."""
    try:
        with open_plain(path) as file:
            return file.read(most if most < 0 else most + 1)
    except DAMAGED as error:
        raise OSError(errno.EINVAL, f"it is not soundly compressed ({error})", str(path)) from None


def read_stream_or_regular(path: str | Path | None, most: int = LARGEST_STREAM) -> bytes:
    """What a file or a stream holds: the standard input for ``-`` and for none, or a pipe by its path.

    Args:
        path: Path of the file.
        most: Bytes that it may hold.

    Raises:
        OSError: As ``open_regular``; or it holds more, or a pipe gives nothing.
    """
    if path is None or str(path) in STREAMS:
        content = sys.stdin.buffer.read(most + 1)
    elif Path(path).is_fifo():
        content = _piped(path, most)
    else:
        content = _decompressed(path, most)
    return _at_most(most, content, path)


def _piped(path: str | Path, most: int) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        try:
            content = os.read(file.fileno(), 1)
        except BlockingIOError:  # somebody has it open to write
            content = os.read(file.fileno(), 1) if select.select([file], [], [], PATIENCE)[0] else b""
        os.set_blocking(file.fileno(), True)
        content += file.read(most) if content else b""
    if not content:
        raise OSError(errno.ENODATA, "it is a pipe that gives nothing", str(path))
    return content


def _at_most(most: int, content: bytes, path: object) -> bytes:
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it holds more than {most:,} bytes", str(path))
    return content
