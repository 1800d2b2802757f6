"""Source -> verified local file."""

import hashlib
import os
import time
from collections.abc import Iterator
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from filelock import FileLock
from platformdirs import user_cache_dir
from tqdm import tqdm
from urllib3.exceptions import HTTPError, ReadTimeoutError

from seqlab.data.archive import unpack
from seqlab.data.sources import SOURCES as SOURCES
from seqlab.data.sources import Source
from seqlab.errors import UserError, reason_of
from seqlab.files import DAMAGED, open_regular, user_path

CONNECT_SECONDS = 5.0  # longest wait for a connection
READ_SECONDS = 10.0  # longest wait for the next bytes of an answer
PATIENCE_SECONDS = 20.0  # from then on the mean speed must reach the slowest speed
SLOWEST_SPEED = 1024.0  # bytes per second
PAUSES: tuple[float, ...] = (0.5, 1.0)  # seconds between attempts; one more attempt than pauses
CHUNK = 2**16  # bytes read at a time
MOST_BYTES = 2**26  # of a download of unknown size, such as an archive
UNSOUND = "none, as no sound gzip file"  # digest of a file that cannot be unzipped


class Unavailable(UserError):
    """A corpus could be neither found nor downloaded."""


class _Failure(Exception):
    """One failed attempt; ``again`` says whether another attempt may succeed."""

    def __init__(self, reason: str, again: bool) -> None:
        super().__init__(reason)
        self.again = again


def data_root(root: Path | None = None) -> Path:
    """The folder of the corpora: ``root``, or ``$SEQLAB_DATA``, or the user's cache folder."""
    return user_path(root or os.environ.get("SEQLAB_DATA") or user_cache_dir("seqlab"))


def fetch(source: Source, root: Path | None = None) -> Path:
    """The verified local file of a corpus, downloaded once for all processes.

    The file may be in its own folder, or next to that folder.

    Args:
        source: A row of ``SOURCES``.
        root: See ``data_root``.

    Raises:
        Unavailable: The file is missing or wrong, and cannot be downloaded or stored.
    """
    target = data_root(root) / source.filename
    found = None
    try:
        target = _place(target, data_root(root) / target.name)
        found = _digest(target, source)
        if found != source.digest:
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(target.with_name(f".{target.name}.lock")):
                if _digest(target, source) != source.digest:
                    _download(source, target)
    except _Failure as failure:
        problem = f"cannot download {source.name} from {source.url}: {failure}"
        way_out = (
            f"put {target.name} ({source.kind} {source.digest}) into {target.parent}, or name a folder that has it"
        )
    except OSError as error:
        problem = f"cannot keep {source.name} as {target}: {reason_of(error)}"
        room = "it" if source.size is None else f"{source.size:,} bytes"
        way_out = f"it must be readable and writable, with room for {room}, or name another folder"
    else:
        return target
    suspect = f"{target} has {source.kind} {found}, not {source.digest}, and seqlab " if found else ""
    raise Unavailable(f"{suspect}{problem}; {way_out} with --data.root or SEQLAB_DATA")


def _place(own: Path, beside: Path) -> Path:
    """Path of a file, present or future: in its own folder, or next to it."""
    return beside if beside.is_file() and not own.exists() else own


def _digest(path: Path, source: Source) -> str | None:
    """Digest of a file, of the source's kind; None if there is no file."""
    digest = hashlib.new(source.kind, usedforsecurity=False)
    try:
        with open_regular(path) as file, GzipFile(fileobj=file) if source.zipped else file as content:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
                if source.zipped and content.tell() > MOST_BYTES:
                    return UNSOUND
    except FileNotFoundError:
        return None
    except (BadGzipFile, *DAMAGED):
        return UNSOUND
    return digest.hexdigest()


def _download(source: Source, target: Path) -> None:
    """Downloads and verifies the file, with one more attempt than ``PAUSES``."""
    part = target.with_name(f"{target.name}.part")
    for pause in (*PAUSES, None):
        try:
            (_complete if source.member is None else _take)(source, part)
            break
        except _Failure as failure:
            if pause is None or not failure.again:
                raise
            time.sleep(pause)
    with part.open("ab") as file:
        os.fsync(file.fileno())
    part.replace(target)


def _complete(source: Source, part: Path) -> None:
    """Downloads the rest of the partial file, and verifies it.

    Raises:
        _Failure: The file is still incomplete; or it is wrong, and is removed.
    """
    begin = part.stat().st_size if part.exists() else 0
    most = _most(source)
    if begin < most:
        begin = _receive(source, part, begin)
    size = part.stat().st_size
    if source.size is not None and size < source.size:
        raise _Failure(f"the body ended after {size:,} of {source.size:,} bytes", again=True)
    found = _digest(part, source)
    if found == source.digest:
        return
    part.unlink()
    if size > most:
        raise _Failure(f"it sends more than the {most:,} bytes of {source.filename}", again=begin > 0)
    raise _Failure(f"the file that it sends has {source.kind} {found}", again=begin > 0)


def _most(source: Source) -> int:
    """Largest size of the file in bytes."""
    return MOST_BYTES if source.size is None else source.size


def _take(source: Source, part: Path) -> None:
    """Downloads the archive and extracts the verified file.

    Raises:
        _Failure: It is no archive, or its file is missing or wrong.
    """
    with TemporaryDirectory(dir=part.parent, prefix=f".{part.name}.") as name:
        archive = Path(name, "archive")
        _receive(source, archive, 0)
        try:
            member = unpack(archive, Path(name, "unpacked")) / str(source.member)
        except UserError:
            raise _Failure("what it sends cannot be unpacked", again=False) from None
        found = _digest(member, source)
        if found != source.digest:
            has = f"a {source.member} of {source.kind} {found}" if found else f"no {source.member}"
            raise _Failure(f"the archive that it sends has {has}", again=False)
        member.replace(part)


def _receive(source: Source, part: Path, held: int) -> int:
    """Requests the bytes from ``held`` on into the partial file; returns the position of the server's first byte."""
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={held}-"} if held else {})
    timeout = (CONNECT_SECONDS, READ_SECONDS)
    try:
        with requests.get(source.url, headers=headers, stream=True, timeout=timeout) as response:
            begin = _begin(response, part, held)
            whole, limit = (source.size, _most(source)) if source.member is None else (None, MOST_BYTES)
            bar = tqdm(total=whole, initial=begin, desc=source.filename, unit="B", unit_scale=True, disable=None)
            with part.open("ab" if begin else "wb") as file, bar:
                for chunk in _chunks(response, limit - begin):
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
    if status == 206:
        return held
    if held and status == 416:
        part.unlink()
        raise _Failure(f"HTTP 416 to a request for the bytes from {held:,} on", again=True)
    raise _Failure(f"HTTP {status}", again=status >= 500)


def _chunks(response: requests.Response, limit: int) -> Iterator[bytes]:
    """The body as it arrives; it stops soon after ``limit`` bytes."""
    begun, received = time.monotonic(), 0
    while received <= limit:
        chunk = response.raw.read1(CHUNK, decode_content=True)
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
        return _Failure(f"no connection ({reason_of(cause)})", again=True)
    if isinstance(error, HTTPError):
        return _Failure(f"the body broke off ({reason_of(cause)})", again=True)
    return _Failure(reason_of(error), again=False)
