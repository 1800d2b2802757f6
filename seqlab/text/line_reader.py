"""Files and texts -> their lines, by the same rule everywhere.

A line ends with ``\\n`` or ``\\r\\n``; a single ``\\r`` ends a line only if there is no ``\\n`` at all.
"""

from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

import regex

from seqlab.errors import UserError, reason_of
from seqlab.files import DAMAGED, OPENERS, open_plain, read_plain

CHUNK = 2**20  # bytes

LONGEST_LINE = 4096
"""Most characters of a line; a longer line is read in pieces, to limit memory."""
SPACED = r"[[\p{WB=ALetter}\p{WB=Numeric}]--[\u3000-\u303f\uff00-\uffef]]"
"""Characters of words that are usually separated by spaces; full-width characters are not among them."""
BORDER = regex.compile(rf"(?V1)(?<={SPACED}) (?={SPACED})")
"""A space at which a line can be cut without changing any token."""


class Unended(str):
    """The beginning of a line that the next string continues."""

    __slots__ = ()


def is_compressed(path: Path) -> bool:
    """Whether a file is compressed, by its name."""
    return path.suffix in OPENERS


def without_compression(path: Path) -> Path:
    """The name of a file without the ending of its compression."""
    return path.with_suffix("") if is_compressed(path) else path


def read_bytes(path: Path) -> bytes:
    """The decompressed content of a file.

    Raises:
        UserError: The file cannot be read.
    """
    try:
        return read_plain(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason_of(error)}") from None


def with_line_ends(text: str) -> str:
    """A text with ``\\n`` as its line ends."""
    text = text.replace("\r\n", "\n")
    return text if "\n" in text else text.replace("\r", "\n")


def split_lines(text: str) -> list[str]:
    """The lines of a text without their ends; text after the last end is a line too."""
    lines = with_line_ends(text).split("\n")
    return lines if lines[-1] else lines[:-1]


def ended_lines(text: str) -> list[str]:
    """The lines of a text with ``\\n`` as their ends; the last line may have no end."""
    *lines, last = with_line_ends(text).split("\n")
    return [*(f"{line}\n" for line in lines), *([last] if last else [])]


def read_lines(paths: Iterable[Path]) -> Iterator[str]:
    """The lines of several UTF-8 files, plain or compressed, with ``\\n`` as their ends.

    An over-long line comes in pieces; all pieces except the last are ``Unended``.

    Raises:
        UserError: A file is missing, unreadable or not UTF-8.
    """
    for path in paths:
        number = 0
        try:
            with open_plain(path) as file:
                end = _line_end(file)
            with TextIOWrapper(open_plain(path), encoding="utf-8-sig", newline=end) as text:
                for line in _pieces(text, end):
                    number += line.endswith(end)
                    yield line if isinstance(line, Unended) else _ended(line, end)
        except UnicodeDecodeError as error:
            number += error.object[: error.start].count(end.encode()) + 1  # decoded ahead of the returned lines
            raise UserError(
                f"{path} is not UTF-8 text (byte {error.object[error.start]:#04x} in line {number}); "
                "convert it, for example with iconv -t UTF-8"
            ) from None
        except (OSError, *DAMAGED) as error:
            reason = "is a folder" if path.is_dir() else reason_of(error)
            raise UserError(f"cannot read {path}: {reason}; name an existing text file with --data.path") from None


def _line_end(file: IO[bytes]) -> str:
    """The line end of a file."""
    found = False
    while chunk := file.read(CHUNK):
        if b"\n" in chunk:
            return "\n"
        found = found or b"\r" in chunk
    return "\r" if found else "\n"


def _ended(line: str, end: str) -> str:
    if not line.endswith(end):
        return line
    return f"{line.removesuffix(end).removesuffix(chr(13))}\n"


def _pieces(file: Any, end: str) -> Iterator[str]:
    """The lines of a file with their original ends; over-long lines are cut at ``BORDER``."""
    held: list[str] = []
    size = 0
    while more := file.readline(LONGEST_LINE):
        begin = max(LONGEST_LINE, size) - 1
        held.append(more)
        size += len(more)
        if begin < size - 1:
            text = "".join(held[-2:])
            begin -= size - len(text)
            while (border := BORDER.search(text, begin)) is not None:
                yield Unended("".join([*held[:-2], text[: border.start()]]))
                text, begin = text[border.start() :], LONGEST_LINE - 1
                held, size = [text], len(text)
        if more.endswith(end):
            yield "".join(held)
            held, size = [], 0
    if held:
        yield "".join(held)
