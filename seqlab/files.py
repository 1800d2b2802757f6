"""Atomic writing of files, and reading of files of bounded size."""

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
"""Ending of the name of an unfinished file."""

LARGEST_STREAM = 2**28
"""Most bytes read from a stream, which may have no end."""

OPENERS: dict[str, Callable[[IO[bytes]], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
"""Readers of compressed files, by the ending of the name."""

DAMAGED = (EOFError, zlib.error, lzma.LZMAError)
"""Exceptions of reading a compressed file, other than OSError."""

LARGEST_ZIPPED = 2**25
"""Bytes that any compressed file may unpack to."""

MOST_ZIPPED = 100
"""Largest compression ratio above that size; text has a ratio of 3 to 30."""

PATIENCE = 30.0
"""Longest wait for the first byte of a stream, in seconds."""

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
    """A context that writes a temporary file and moves it into place once all of it is on the disk.

    A path that is no regular file, such as ``/dev/stdout``, is written directly.

    Raises:
        OSError: The disk is full or the folder cannot be written; an old file at the path stays.
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
    """Writes a text as UTF-8, completely or not at all.

    Raises:
        OSError: See ``whole_file``.
    """
    with whole_file(path) as file:
        file.write(text.encode())


@contextmanager
def _straight(path: Path) -> Iterator[BinaryIO]:
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # does not wait for a reader of a pipe
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "wb") as file:
        yield file


def remove_unfinished(folder: Path) -> None:
    """Removes unfinished files of killed processes from a folder."""
    for file in folder.glob(f".*{UNFINISHED}"):
        file.unlink(missing_ok=True)


def user_path(path: str | Path) -> Path:
    """A path with ``~`` as the home folder; unchanged if it names an unknown user."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def real_path(path: str | Path) -> Path:
    """A path with links resolved, as far as possible if they form a circle."""
    return Path(os.path.realpath(path))


def open_regular(path: str | Path) -> BufferedReader:
    """Opens a regular file for reading; anything that may have no end is refused without waiting.

    Raises:
        OSError: The file does not exist or cannot be read, or it is a folder, a pipe, a device, a socket, or a file of
            ``/proc``, which may wait for more.
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
    """The content of a regular file.

    Raises:
        OSError: See ``open_regular``.
    """
    with open_regular(path) as file:
        return file.read()


def open_plain(path: str | Path) -> IO[bytes]:
    """Opens a regular file for reading, with decompression if its name ends in .gz, .bz2 or .xz.

    Raises:
        OSError: See ``open_regular``. Reading also raises it if the content is far larger than text would be, or raises
            one of ``DAMAGED``.
    """
    file: IO[bytes] = open_regular(path)
    opened = OPENERS.get(Path(path).suffix)
    if opened is None:
        return file
    return BufferedReader(_Bounded(opened(file), max(LARGEST_ZIPPED, MOST_ZIPPED * Path(path).stat().st_size), path))


class _Bounded(RawIOBase):
    """The bytes of a file up to a limit; more bytes are an ``OSError``."""

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
    """The decompressed content of a regular file.

    Raises:
        OSError: See ``open_regular``; or the compression is damaged, or the content is far larger than text would be.
    """
    return _decompressed(path, -1)


def _decompressed(path: str | Path, most: int) -> bytes:
    """The first ``most`` bytes of a file, plus one byte if there are more; all bytes for -1."""
    try:
        with open_plain(path) as file:
            return file.read(most if most < 0 else most + 1)
    except DAMAGED as error:
        raise OSError(errno.EINVAL, f"it is not soundly compressed ({error})", str(path)) from None


def read_stream_or_regular(path: str | Path | None, most: int = LARGEST_STREAM) -> bytes:
    """The content of a file or a stream: standard input for ``-`` and None, or a pipe by its path.

    Args:
        path: Path of the file.
        most: Most bytes.

    Raises:
        OSError: See ``open_regular``; or there are more bytes, or a pipe gives nothing.
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
        except BlockingIOError:  # another process has it open for writing
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
