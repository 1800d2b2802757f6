"""The table of corpora, and: source -> verified local file -> unpacked folder."""

import hashlib
import os
import shutil
import stat
import struct
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from gzip import BadGzipFile, GzipFile
from pathlib import Path, PureWindowsPath
from tarfile import TarError
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple
from uuid import uuid4
from zipfile import BadZipFile, ZipFile

import requests
from filelock import FileLock
from platformdirs import user_cache_dir
from tqdm import tqdm
from urllib3.exceptions import HTTPError, ReadTimeoutError

from seqlab.errors import UserError

CONNECT_SECONDS = 5.0  # longest wait for a connection
READ_SECONDS = 10.0  # longest wait for the next bytes of an answer
PATIENCE_SECONDS = 20.0  # after which a body must have come at the slowest speed on average
SLOWEST_SPEED = 1024.0  # bytes per second
PAUSES: tuple[float, ...] = (0.5, 1.0)  # seconds between attempts; there is one attempt more than pauses
CHUNK = 2**16  # bytes read at a time
MAX_MEMBERS = 10_000  # files and folders in one archive

CORRUPT = (BadZipFile, TarError, BadGzipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
"""What the archive readers of the standard library raise at bytes that they do not understand."""


@dataclass(frozen=True)
class Source:
    """One corpus file: where it comes from and how to know it is the right one.

    ``sha1`` is in hexadecimal digits, ``size`` in bytes; ``licence`` says also whose the text is.
    """

    name: str
    filename: str
    url: str
    sha1: str
    size: int
    licence: str


_HOST = "http://d2l-data.s3-accelerate.amazonaws.com"

SOURCES: dict[str, Source] = {
    "time_machine": Source(
        name="time_machine",
        filename="timemachine.txt",
        url=f"{_HOST}/timemachine.txt",
        sha1="090b5e7e70c295757f55df93cb0a180b9691891a",
        size=178_979,
        licence="public domain (H. G. Wells, The Time Machine, 1895)",
    ),
    "fra_eng": Source(
        name="fra_eng",
        filename="fra-eng.zip",
        url=f"{_HOST}/fra-eng.zip",
        sha1="94646ad1522d915e7b0f9296181140edcf86a4f5",
        size=3_420_152,
        licence="CC BY 2.0 FR (Tatoeba project, through manythings.org)",
    ),
}


class Unavailable(UserError):
    """A corpus could be neither found nor downloaded."""


class _Failure(Exception):
    """Why one attempt failed; ``again`` says whether the next may fare better."""

    def __init__(self, reason: str, again: bool) -> None:
        super().__init__(reason)
        self.again = again


class _Refused(Exception):
    """Why an archive is not unpacked."""


def data_root(root: Path | None = None) -> Path:
    """The folder of the corpora: ``root``, else ``$SEQLAB_DATA``, else the user's cache folder."""
    return Path(root or os.environ.get("SEQLAB_DATA") or user_cache_dir("seqlab")).expanduser()


def fetch(source: Source, root: Path | None = None) -> Path:
    """The verified local file of a corpus, downloaded once, whoever and how many ask for it.

    Args:
        source: A row of ``SOURCES``.
        root: As in ``data_root``.

    Raises:
        Unavailable: The file is not there or not the right one, and cannot be downloaded or kept.
    """
    target = data_root(root) / source.filename
    found = None
    try:
        found = _sha1(target)
        if found != source.sha1:
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(target.with_name(f".{target.name}.lock")):
                if _sha1(target) != source.sha1:
                    _download(source, target)
    except _Failure as failure:
        problem = f"cannot download {source.name} from {source.url}: {failure}"
        way_out = f"put {source.filename} (sha1 {source.sha1}) into {target.parent}, or name a folder that has it"
    except OSError as error:
        problem = f"cannot keep {source.name} as {target}: {_words(error)}"
        way_out = f"{source.size:,} bytes must fit there and be readable, or name another folder"
    else:
        return target
    suspect = f"{target} has sha1 {found}, not {source.sha1}, and seqlab " if found else ""
    raise Unavailable(f"{suspect}{problem}; {way_out} with --data.root or SEQLAB_DATA")


def _sha1(path: Path) -> str | None:
    """Of a file's content; None if there is no file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha1").hexdigest()
    except FileNotFoundError:
        return None


def _words(error: BaseException) -> str:
    """What an error says, as part of a sentence."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return " ".join(text.split()).lower()


def _download(source: Source, target: Path) -> None:
    """Puts the verified file in place, in as many attempts as ``PAUSES`` allow."""
    part = target.with_name(f"{target.name}.part")
    for pause in (*PAUSES, None):
        try:
            _complete(source, part)
            break
        except _Failure as failure:
            if pause is None or not failure.again:
                raise
            time.sleep(pause)
    with part.open("ab") as file:
        os.fsync(file.fileno())
    part.replace(target)


def _complete(source: Source, part: Path) -> None:
    """Adds to the partial file what it lacks, and verifies it.

    Raises:
        _Failure: It lacks something still; or it turned out wrong, and is removed.
    """
    begin = part.stat().st_size if part.exists() else 0
    if begin < source.size:
        begin = _receive(source, part, begin)
    size = part.stat().st_size
    if size < source.size:
        raise _Failure(f"the body ended after {size:,} of {source.size:,} bytes", again=True)
    found = _sha1(part)
    if found == source.sha1:
        return
    part.unlink()
    if size > source.size:
        raise _Failure(f"it sends more than the {source.size:,} bytes of {source.filename}", again=begin > 0)
    raise _Failure(f"the file that it sends has sha1 {found}", again=begin > 0)


def _receive(source: Source, part: Path, held: int) -> int:
    """Requests the bytes from ``held`` on into the partial file; returns the position that the server began at."""
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={held}-"} if held else {})
    timeout = (CONNECT_SECONDS, READ_SECONDS)
    try:
        with requests.get(source.url, headers=headers, stream=True, timeout=timeout) as response:
            begin = _begin(response, part, held)
            bar = tqdm(total=source.size, initial=begin, desc=source.filename, unit="B", unit_scale=True, disable=None)
            with part.open("ab" if begin else "wb") as file, bar:
                for chunk in _chunks(response, source.size - begin):
                    file.write(chunk)
                    bar.update(len(chunk))
    except (requests.RequestException, HTTPError) as error:
        raise _failure(error) from error
    return begin


def _begin(response: requests.Response, part: Path, held: int) -> int:
    """The position in the file of the body's first byte."""
    status = response.status_code
    if status == 200:
        return 0
    if held and status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {held}-"):
        return held
    if held and status in (206, 416):
        part.unlink()
        raise _Failure(f"HTTP {status} instead of the bytes from {held:,} on", again=True)
    raise _Failure(f"HTTP {status}", again=status >= 500)


def _chunks(response: requests.Response, limit: int) -> Iterator[bytes]:
    """The body as it arrives, at most one byte more than ``limit``."""
    begun, received = time.monotonic(), 0
    while received <= limit:
        chunk = response.raw.read1(min(CHUNK, limit + 1 - received), decode_content=True)
        if not chunk:
            return
        yield chunk
        received += len(chunk)
        seconds = time.monotonic() - begun
        if seconds > PATIENCE_SECONDS and received < SLOWEST_SPEED * seconds:
            raise _Failure(f"too slow, {received:,} bytes in {seconds:.0f} s", again=True)


def _failure(error: requests.RequestException | HTTPError) -> _Failure:
    if isinstance(error, requests.ConnectTimeout):
        return _Failure(f"no connection within {CONNECT_SECONDS:g} s", again=True)
    if isinstance(error, requests.Timeout | ReadTimeoutError):
        return _Failure(f"no data for {READ_SECONDS:g} s", again=True)
    cause: BaseException = error
    while inner := cause.__cause__ or cause.__context__:
        cause = inner
    if isinstance(error, requests.ConnectionError):
        return _Failure(f"no connection ({_words(cause)})", again=True)
    if isinstance(error, HTTPError):
        return _Failure(f"the body broke off ({_words(cause)})", again=True)
    return _Failure(_words(error), again=False)


class _Member(NamedTuple):
    name: str
    is_folder: bool
    is_file: bool
    open: Callable[[], Any]


def unpack(archive: Path, folder: Path, max_bytes: int = 2**30) -> Path:
    """Unpacks a zip, tar or tar.gz file; a folder that holds something is taken as unpacked before.

    Args:
        archive: The file.
        folder: Comes into being complete or not at all, and is returned.
        max_bytes: Most bytes that all files together may unpack to.

    Raises:
        UserError: The archive is corrupt, too large, or holds anything but files and folders below ``folder``;
            or it cannot be read, or ``folder`` not written.
    """
    if _is_unpacked(folder):
        return folder
    fresh = folder.with_name(f".{folder.name}.{uuid4().hex}")
    try:
        with archive.open("rb") as file, TemporaryFile() as spare:
            fresh.mkdir(parents=True)
            _extract(_members(file, spare, max_bytes), fresh, max_bytes)
        fresh.rename(folder)
    except _Refused as refusal:
        raise UserError(f"{archive} {refusal}; get it again from a source that you trust") from None
    except CORRUPT as error:
        raise UserError(f"{archive} is not a sound zip, tar or tar.gz file ({_words(error)}); get it again") from None
    except OSError as error:
        if not _is_unpacked(folder):
            reason = _words(error)
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
    """The members of an archive; ``spare`` takes what a gzip file unzips to."""
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
        path = PureWindowsPath(member.name)  # knows what leads away on any system
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
    """Copies until the end and returns how many bytes that were; what headers say of it counts for nothing."""
    count = 0
    while chunk := content.read(min(CHUNK, limit + 1 - count)):
        count += len(chunk)
        if count > limit:
            raise _Refused("unpacks to more bytes than are allowed")
        out.write(chunk)
    return count
